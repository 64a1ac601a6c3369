package record

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-installation/installation/crypto"
	"google.golang.org/protobuf/encoding/protowire"
)

// Number is the number of a field.
type Number = protowire.Number

// Coder writes or reads one message in protobuf wire format. A type describes its fields once, in
// ascending order of their numbers, and the same description serves both directions:
//
//	func codePerson(c *record.Coder, p *Person) {
//		record.String(c, 1, &p.Name)
//		record.Int(c, 2, &p.Age)
//	}
//
// There is exactly one encoding of each message. A zero value is left out. Reading rejects whatever
// writing would not produce: a field that occurs twice or out of order, an unknown field, a zero
// value, a varint that is not the shortest, text that is not UTF-8. A rejected message leaves the
// values it was read into undefined.
type Coder struct {
	out []byte // when writing

	reading bool
	lenient bool // text may hold any bytes
	in      []byte
	text    string // the same as in: decoded strings share it
	pos     int
	end     int
	number  Number // of the next field; 0 = there is none
	typ     protowire.Type
	failed  bool
}

// Append appends the encoding of v to dst.
func Append[T any](dst []byte, v *T, fields func(*Coder, *T)) []byte {
	c := Coder{out: dst}
	fields(&c, v)
	return c.out
}

// Decode reads a message into v. The error is [crypto.ErrSealed] and says nothing of the content.
// Byte fields share the memory of b; strings do not.
func Decode[T any](b []byte, v *T, fields func(*Coder, *T)) error {
	c := Coder{reading: true, in: b, text: string(b), end: len(b)}
	return c.decode(func() { fields(&c, v) })
}

// Copy returns a copy of v through its encoding. It shares no memory with v, and is exactly what
// reading the encoding of v would return.
func Copy[T any](v *T, fields func(*Coder, *T)) *T {
	b := Append(nil, v, fields)
	c := Coder{reading: true, lenient: true, in: b, text: string(b), end: len(b)}
	copied := new(T)
	_ = c.decode(func() { fields(&c, copied) }) // what Append wrote decodes
	return copied
}

func (c *Coder) decode(fields func()) error {
	c.peek()
	fields()
	if c.failed || c.number != 0 {
		return crypto.ErrSealed
	}
	return nil
}

// peek reads the tag of the next field.
func (c *Coder) peek() {
	c.number = 0
	if c.failed || c.pos == c.end {
		return
	}
	tag := c.varint()
	number, typ := protowire.DecodeTag(tag)
	if c.failed || number < 1 {
		c.failed = true
		return
	}
	c.number, c.typ = number, typ
}

// next reports whether the next field is n, which then must be of this type.
func (c *Coder) next(n Number, typ protowire.Type) bool {
	if c.failed || c.number != n {
		return false
	}
	c.failed = c.typ != typ
	return !c.failed
}

// varint reads a varint in its shortest form.
func (c *Coder) varint() uint64 {
	v, n := protowire.ConsumeVarint(c.in[c.pos:c.end])
	if n < 0 || n != protowire.SizeVarint(v) {
		c.failed = true
		return 0
	}
	c.pos += n
	return v
}

// span reads a length, and returns where the bytes behind it start and end.
func (c *Coder) span() (start, end int) {
	n := c.varint()
	if c.failed || n > uint64(c.end-c.pos) {
		c.failed = true
		return c.pos, c.pos
	}
	start = c.pos
	c.pos += int(n)
	return start, c.pos
}

func (c *Coder) uint(n Number, v uint64) uint64 {
	if !c.reading {
		if v != 0 {
			c.out = protowire.AppendTag(c.out, n, protowire.VarintType)
			c.out = protowire.AppendVarint(c.out, v)
		}
		return v
	}
	if !c.next(n, protowire.VarintType) {
		return 0
	}
	v = c.varint()
	c.failed = c.failed || v == 0
	c.peek()
	return v
}

// Int codes a number that is not negative.
func Int[T ~int64 | ~uint32 | ~uint8](c *Coder, n Number, v *T) {
	got := c.uint(n, uint64(*v))
	if *v = T(got); uint64(*v) != got {
		c.failed = true
	}
}

// Bool codes a truth value.
func Bool(c *Coder, n Number, v *bool) {
	var one uint64
	if *v {
		one = 1
	}
	got := c.uint(n, one)
	*v = got == 1
	c.failed = c.failed || got > 1
}

// OptionalBool codes a truth value that may be absent: 1 is false, 2 is true.
func OptionalBool(c *Coder, n Number, v **bool) {
	var choice uint64
	if *v != nil {
		choice = 1
		if **v {
			choice = 2
		}
	}
	got := c.uint(n, choice)
	c.failed = c.failed || got > 2
	*v = nil
	if got > 0 {
		value := got == 2
		*v = &value
	}
}

// yearOne is the first moment of year 1, in Unix microseconds.
const yearOne = -62135596800_000_000

// Time codes a time as microseconds since year 1, so that no time is 0. Reading returns UTC.
func Time(c *Coder, n Number, v *time.Time) { *v = timeOf(c.uint(n, microsOf(*v))) }

func microsOf(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMicro() - yearOne)
}

func timeOf(micros uint64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(micros) + yearOne).UTC()
}

// String codes text in UTF-8.
func String[T ~string](c *Coder, n Number, v *T) {
	if Raw(c, n, v); c.reading && !c.lenient && !utf8.ValidString(string(*v)) {
		c.failed = true
	}
}

// Raw codes a string that may hold any bytes.
func Raw[T ~string](c *Coder, n Number, v *T) {
	if !c.reading {
		if *v != "" {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendString(c.out, string(*v))
		}
		return
	}
	*v = ""
	if c.next(n, protowire.BytesType) {
		start, end := c.span()
		*v = T(c.text[start:end])
		c.failed = c.failed || start == end
		c.peek()
	}
}

// Strings codes a list of texts in UTF-8.
func Strings(c *Coder, n Number, v *[]string) { c.strings(n, v, c.lenient) }

// Raws codes a list of strings that may hold any bytes.
func Raws(c *Coder, n Number, v *[]string) { c.strings(n, v, true) }

func (c *Coder) strings(n Number, v *[]string, lenient bool) {
	if !c.reading {
		for _, s := range *v {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendString(c.out, s)
		}
		return
	}
	*v = nil
	for c.next(n, protowire.BytesType) {
		start, end := c.span()
		s := c.text[start:end]
		c.failed = c.failed || !lenient && !utf8.ValidString(s)
		*v = append(*v, s)
		c.peek()
	}
}

// Bytes codes bytes. nil and empty are the same. What is read shares the memory of the input.
func Bytes(c *Coder, n Number, v *[]byte) {
	if !c.reading {
		if len(*v) > 0 {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendBytes(c.out, *v)
		}
		return
	}
	*v = nil
	if c.next(n, protowire.BytesType) {
		start, end := c.span()
		*v = c.in[start:end:end]
		c.failed = c.failed || start == end
		c.peek()
	}
}

// Message codes a nested message that is left out if all its fields are zero.
func Message[T any](c *Coder, n Number, v *T, fields func(*Coder, *T)) {
	if !c.reading {
		c.nest(n, false, func() { fields(c, v) })
		return
	}
	var zero T
	*v = zero
	if c.next(n, protowire.BytesType) {
		c.enter(true, func() { fields(c, v) })
	}
}

// Pointer codes a nested message that may be absent: nil.
func Pointer[T any](c *Coder, n Number, v **T, fields func(*Coder, *T)) {
	if !c.reading {
		if *v != nil {
			c.nest(n, true, func() { fields(c, *v) })
		}
		return
	}
	*v = nil
	if c.next(n, protowire.BytesType) {
		*v = new(T)
		c.enter(false, func() { fields(c, *v) })
	}
}

// Messages codes a list of nested messages.
func Messages[T any](c *Coder, n Number, v *[]T, fields func(*Coder, *T)) {
	if !c.reading {
		for i := range *v {
			c.nest(n, true, func() { fields(c, &(*v)[i]) })
		}
		return
	}
	*v = nil
	for c.next(n, protowire.BytesType) {
		*v = append(*v, *new(T))
		c.enter(false, func() { fields(c, &(*v)[len(*v)-1]) })
	}
}

// Times codes a map from names to times, sorted by name.
func Times(c *Coder, n Number, v *map[string]time.Time) {
	var entries []timeEntry
	if !c.reading {
		for _, name := range slices.Sorted(maps.Keys(*v)) {
			entries = append(entries, timeEntry{name, (*v)[name]})
		}
	}
	Messages(c, n, &entries, codeTimeEntry)
	if !c.reading || len(entries) == 0 {
		if c.reading {
			*v = nil
		}
		return
	}
	*v = make(map[string]time.Time, len(entries))
	for i, e := range entries {
		c.failed = c.failed || i > 0 && entries[i-1].name >= e.name
		(*v)[e.name] = e.at
	}
}

type timeEntry struct {
	name string
	at   time.Time
}

func codeTimeEntry(c *Coder, e *timeEntry) {
	String(c, 1, &e.name)
	Time(c, 2, &e.at)
}

// nest writes a nested message, and nothing for an empty one unless keep is set.
func (c *Coder) nest(n Number, keep bool, fields func()) {
	before := len(c.out)
	c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
	start := len(c.out)
	fields()
	size := len(c.out) - start
	if size == 0 && !keep {
		c.out = c.out[:before]
		return
	}
	var length [10]byte
	prefix := protowire.AppendVarint(length[:0], uint64(size))
	c.out = append(c.out, prefix...)
	copy(c.out[start+len(prefix):], c.out[start:start+size])
	copy(c.out[start:], prefix)
}

// enter reads a nested message.
func (c *Coder) enter(rejectEmpty bool, fields func()) {
	start, end := c.span()
	if c.failed || rejectEmpty && start == end {
		c.failed = true
		return
	}
	outer := c.end
	c.pos, c.end = start, end
	c.peek()
	fields()
	c.failed = c.failed || c.number != 0
	c.pos, c.end = end, outer
	c.peek()
}
