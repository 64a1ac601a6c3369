package record

import (
	"sync"
	"unicode/utf8"

	"github.com/go-installation/installation/crypto"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// Version is the first byte of every stored form.
	Version = 0x02
	// MaxRead is the maximum length of an input that [Decode] accepts, in bytes.
	MaxRead = 8 << 20
	// MaxWritten is the maximum length of a stored form, in bytes. Callers have to check it before
	// they store a form. It is below MaxRead, so every stored form can be read.
	MaxWritten = 4 << 20

	// maxItems is the maximum number of items in a repeated field of an input. It limits the memory
	// that a short hostile input can allocate.
	maxItems = 1 << 16
)

// Coder writes or reads one message. A function describes the fields of the message in ascending
// order, by calling [String], [Int], [Message] and so on for each field. The same function serves
// both directions. While writing, each call appends its field. While reading, each call decodes its
// field if that field comes next in the input.
//
//	func contactFields(c *record.Coder, v *Contact) {
//		record.String(c, 1, &v.Name)
//		record.String(c, 2, &v.Email)
//	}
//
// A zero value is absent from the encoding. Reading expects a zero destination and does not touch
// fields that are absent. The reader rejects everything that the writer would not produce: a field
// that is unknown, repeated or out of order, a wrong wire type, an explicit zero, a varint that is
// not the shortest, a length beyond the input, or a string that is not UTF-8.
type Coder struct {
	reading bool

	// While writing.
	out  []byte
	last protowire.Number // number of the field described last

	// While reading.
	in       []byte
	pos, end int              // bounds of the unread part of the current message
	next     protowire.Number // number of the next field; 0 = the message has ended
	wire     protowire.Type   // wire type of the next field
	failed   bool             // the input was rejected; next stays 0
	copying  bool             // byte slices do not share the memory of the input
	text     string           // copy of a part of the input, from base on; strings share it
	base     int
}

// coders is a pool, because a Coder always escapes to the heap.
var coders = sync.Pool{New: func() any { return new(Coder) }}

func (c *Coder) free() {
	*c = Coder{}
	coders.Put(c)
}

// Append appends the encoding of v to dst.
func Append[T any](dst []byte, v *T, fields func(*Coder, *T)) []byte {
	c := coders.Get().(*Coder)
	defer c.free()
	c.out = dst
	fields(c, v)
	return c.out
}

// Decode reads b into v, which must be zero. Byte slices in v share the memory of b;
// strings do not. The error is [crypto.ErrSealed], and v is then unusable.
func Decode[T any](b []byte, v *T, fields func(*Coder, *T)) error {
	return decode(b, v, fields, false)
}

func decode[T any](b []byte, v *T, fields func(*Coder, *T), copying bool) error {
	if len(b) > MaxRead {
		return crypto.ErrSealed
	}
	c := coders.Get().(*Coder)
	defer c.free()
	c.reading, c.in, c.end, c.copying = true, b, len(b), copying
	c.advance()
	fields(c, v)
	if c.failed || c.next != 0 {
		return crypto.ErrSealed
	}
	return nil
}

// decodeNew is Decode into a new value.
func decodeNew[T any](b []byte, fields func(*Coder, *T)) (*T, error) {
	v := new(T)
	if err := Decode(b, v, fields); err != nil {
		return nil, err
	}
	return v, nil
}

// DecodeStored decodes a stored form, which starts with the version byte, into a new value. For
// form and the errors, see [CheckVersion].
func DecodeStored[T any](stored []byte, form string, fields func(*Coder, *T)) (*T, error) {
	message, err := CheckVersion(stored, form)
	if err != nil {
		return nil, err
	}
	return decodeNew(message, fields)
}

// Stored returns the stored form of v: the version byte, then the message.
func Stored[T any](v *T, fields func(*Coder, *T)) []byte {
	return Append([]byte{Version}, v, fields)
}

// DecodeInto is DecodeStored into v, which shares no memory with stored. If it fails, v is
// unchanged.
func DecodeInto[T any](v *T, stored []byte, form string, fields func(*Coder, *T)) error {
	message, err := CheckVersion(stored, form)
	if err != nil {
		return err
	}
	var zero T
	before := *v
	*v = zero
	if err := decode(message, v, fields, true); err != nil {
		*v = before
		return err
	}
	return nil
}

// CheckVersion returns the message that follows the version byte of a stored form. The error is
// [crypto.ErrSealed] for an empty input, and a [*crypto.VersionError] for an unknown version. form
// is the name of the stored form in that error.
func CheckVersion(stored []byte, form string) ([]byte, error) {
	switch {
	case len(stored) == 0:
		return nil, crypto.ErrSealed
	case stored[0] != Version:
		return nil, &crypto.VersionError{What: form, Version: stored[0]}
	default:
		return stored[1:], nil
	}
}

// Require rejects the input if ok is false. It does nothing while writing. A function that
// describes fields uses Require to validate the fields that it has read.
func (c *Coder) Require(ok bool) {
	if c.reading && !ok {
		c.reject()
	}
}

// SkipRest accepts the rest of the current message as it is.
func (c *Coder) SkipRest() { c.next = 0 }

// writing reports whether c writes, so the caller has to append field n. It panics if the fields
// are not described in ascending order, because such an encoding could not be read.
func (c *Coder) writing(n protowire.Number) bool {
	if c.reading {
		return false
	}
	if n <= c.last {
		panic("record: fields are not described in ascending order")
	}
	c.last = n
	return true
}

// reject marks the input as rejected. After that, no field matches.
func (c *Coder) reject() { c.failed, c.next = true, 0 }

// advance reads the tag of the next field.
func (c *Coder) advance() {
	if c.failed || c.pos == c.end {
		c.next = 0
		return
	}
	if c.next, c.wire = protowire.DecodeTag(c.varint()); c.next == 0 {
		c.reject()
	}
}

// due reports whether field n needs work. While reading, most fields are absent and need none.
func (c *Coder) due(n protowire.Number) bool { return c.next == n || !c.reading }

// match reports whether field n comes next. It rejects the input if the field has a wire type other
// than wire.
func (c *Coder) match(n protowire.Number, wire protowire.Type) bool {
	if c.next != n {
		return false
	}
	if c.wire != wire {
		c.reject()
		return false
	}
	return true
}

// varint reads a varint. It returns 0 if it rejects the input.
func (c *Coder) varint() uint64 {
	if c.pos < c.end && c.in[c.pos] < 0x80 {
		c.pos++
		return uint64(c.in[c.pos-1])
	}
	v, n := protowire.ConsumeVarint(c.in[c.pos:c.end])
	if n < 0 || c.in[c.pos+n-1] == 0 { // a last byte of 0 is redundant
		c.reject()
		return 0
	}
	c.pos += n
	return v
}

// span reads a length and skips that many bytes. It returns where they start and end.
func (c *Coder) span() (start, end int) {
	n := c.varint()
	if n > uint64(c.end-c.pos) {
		c.reject()
		return c.pos, c.pos
	}
	start = c.pos
	c.pos += int(n)
	return start, c.pos
}

// textBlock is how many bytes of the input strings share a copy of, unless one is longer. The copy
// should not contain a long body that comes after the strings.
const textBlock = 512

// string reads a length and a string. It rejects invalid UTF-8 unless anyBytes is set. Strings that
// are close together share one copy of the input.
func (c *Coder) string(anyBytes bool) string {
	start, end := c.span()
	if start == end {
		return ""
	}
	if end > c.base+len(c.text) {
		c.base, c.text = start, string(c.in[start:max(end, min(start+textBlock, len(c.in)))])
	}
	s := c.text[start-c.base : end-c.base]
	if !anyBytes && !utf8.ValidString(s) {
		c.reject()
	}
	return s
}

// count returns the number of items in the repeated field whose first tag was just read. With the
// number, the caller can allocate all items at once.
func (c *Coder) count() int {
	n := 0
	for rest := c.in[c.pos:c.end]; ; n++ {
		_, size := protowire.ConsumeBytes(rest)
		if size < 0 {
			break // reading the item rejects it
		}
		number, _, tag := protowire.ConsumeTag(rest[size:])
		if tag < 0 || number != c.next {
			n++
			break
		}
		rest = rest[size+tag:]
	}
	if n > maxItems {
		c.reject()
		return 0
	}
	return n
}
