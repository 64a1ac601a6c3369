package record

import "google.golang.org/protobuf/encoding/protowire"

// Message describes a message field. The field is absent if the message encodes to no bytes.
func Message[T any](c *Coder, n protowire.Number, v *T, fields func(*Coder, *T)) {
	if c.writing(n) {
		writeMessage(c, n, v, fields, false)
	} else if c.match(n, protowire.BytesType) {
		c.Require(readMessage(c, v, fields) > 0)
	}
}

// Pointer describes an optional message field. Nil is absent, and an empty message is present.
func Pointer[T any](c *Coder, n protowire.Number, v **T, fields func(*Coder, *T)) {
	if c.writing(n) {
		if *v != nil {
			writeMessage(c, n, *v, fields, true)
		}
	} else if c.match(n, protowire.BytesType) {
		*v = new(T)
		readMessage(c, *v, fields)
	}
}

// Messages describes a repeated field of messages. Items may be empty.
func Messages[T any](c *Coder, n protowire.Number, v *[]T, fields func(*Coder, *T)) {
	if c.writing(n) {
		for i := range *v {
			writeMessage(c, n, &(*v)[i], fields, true)
		}
		return
	}
	if c.next != n {
		return
	}
	items := make([]T, c.count())
	for i := 0; c.match(n, protowire.BytesType); i++ {
		if i == len(items) {
			c.reject() // the input ends inside the last item, which count left out
			break
		}
		readMessage(c, &items[i], fields)
	}
	*v = items
}

// writeMessage appends field n. It leaves an empty message out unless present is set.
func writeMessage[T any](
	c *Coder, n protowire.Number, v *T, fields func(*Coder, *T), present bool,
) {
	start := len(c.out)
	c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
	body, last := len(c.out), c.last
	c.last = 0
	fields(c, v)
	c.last = last
	size := len(c.out) - body
	if size == 0 && !present {
		c.out = c.out[:start]
		return
	}
	// The length goes before the message. Its width is known only now, so the message moves.
	var buffer [10]byte
	length := protowire.AppendVarint(buffer[:0], uint64(size))
	c.out = append(c.out, length...)
	copy(c.out[body+len(length):], c.out[body:body+size])
	copy(c.out[body:], length)
}

// readMessage reads the message whose tag was just read. It returns the size of the message.
func readMessage[T any](c *Coder, v *T, fields func(*Coder, *T)) int {
	start, end := c.span()
	outer := c.end
	c.pos, c.end = start, end
	c.advance()
	fields(c, v)
	if c.next != 0 {
		c.reject()
	}
	c.pos, c.end = end, outer
	c.advance()
	return end - start
}
