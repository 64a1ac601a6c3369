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
	// MaxRead is the longest form that is read, in bytes.
	MaxRead = 8 << 20
	// MaxWritten is the longest form that may be written, in bytes. It is below MaxRead, so
	// that whatever was written can be read. Whoever writes enforces it.
	MaxWritten = 4 << 20

	// maxItems is how many items one repeated field may have. It caps the memory that a short
	// hostile input can allocate.
	maxItems = 1 << 16
)

// Coder writes or reads one message. A function that describes the fields of a type in
// ascending order serves both directions: each call of [String], [Int], [Message] and so on
// writes the field, or reads it if it is the next one in the input.
//
//	func contactFields(c *record.Coder, v *Contact) {
//		record.String(c, 1, &v.Name)
//		record.String(c, 2, &v.Email)
//	}
//
// A zero value is absent from the encoding. Reading expects a zero destination and leaves
// absent fields alone. Anything that writing would not produce is rejected: a field that is
// unknown, repeated or out of order, a wrong wire type, an explicit zero, a varint that is
// not the shortest, a length beyond the input, or a string that is not UTF-8.
type Coder struct {
	reading bool

	// While writing.
	out  []byte
	last protowire.Number // number of the field described last

	// While reading.
	in       []byte
	pos, end int              // rest of the current message
	next     protowire.Number // number of the next field; 0 = the message has ended
	wire     protowire.Type   // its wire type
	failed   bool             // the input was rejected; next stays 0
	text     string           // copy of the input from base on; strings share it
	base     int
}

// coders are reused, since a Coder always escapes to the heap.
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
	if len(b) > MaxRead {
		return crypto.ErrSealed
	}
	c := coders.Get().(*Coder)
	defer c.free()
	c.reading, c.in, c.end = true, b, len(b)
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

// DecodeStored is Decode into a new value, from a stored form that [CheckVersion] accepts.
func DecodeStored[T any](stored []byte, form string, fields func(*Coder, *T)) (*T, error) {
	message, err := CheckVersion(stored, form)
	if err != nil {
		return nil, err
	}
	return decodeNew(message, fields)
}

// CheckVersion returns the message behind the version byte of a stored form. The error for
// another version is a [*crypto.VersionError] that names the form.
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

// Require rejects the input unless ok. It does nothing while writing. A description uses it
// for a rule about the fields that it has read.
func (c *Coder) Require(ok bool) {
	if c.reading && !ok {
		c.reject()
	}
}

// writing reports whether field n is to be written, not read. It panics if the description is out
// of order, which is a mistake in the code: the encoding could not be read.
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

// reject ends reading. No field matches any more.
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

// due reports whether there is anything to do for field n: most fields are absent while reading.
func (c *Coder) due(n protowire.Number) bool { return c.next == n || !c.reading }

// match reports whether field n is the next one. It rejects the input if n has another wire type.
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
	if n < 0 || c.in[c.pos+n-1] == 0 { // a last byte of 0 adds nothing: not the shortest
		c.reject()
		return 0
	}
	c.pos += n
	return v
}

// span reads a length and returns the bounds of that many bytes, which it skips.
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

// string reads a length and a string. All strings share one copy of the input, which starts
// where the first of them does.
func (c *Coder) string(anyBytes bool) string {
	start, end := c.span()
	if start == end {
		return ""
	}
	if c.text == "" {
		c.base, c.text = start, string(c.in[start:])
	}
	s := c.text[start-c.base : end-c.base]
	if !anyBytes && !utf8.ValidString(s) {
		c.reject()
	}
	return s
}

// count returns the number of items in the run of the repeated field whose first tag was just
// read, so that one allocation serves them all.
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
