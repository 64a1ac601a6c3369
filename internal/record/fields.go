package record

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// String describes a string field. The reader rejects invalid UTF-8. The writer does not check for
// it.
func String[T ~string](c *Coder, n protowire.Number, v *T) {
	if c.due(n) {
		text(c, n, v, false)
	}
}

// Raw describes a bytes field that Go code keeps as a string. The string can hold any bytes.
func Raw[T ~string](c *Coder, n protowire.Number, v *T) {
	if c.due(n) {
		text(c, n, v, true)
	}
}

func text[T ~string](c *Coder, n protowire.Number, v *T, anyBytes bool) {
	if c.writing(n) {
		if *v != "" {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendString(c.out, string(*v))
		}
	} else if c.match(n, protowire.BytesType) {
		*v = T(c.string(anyBytes))
		c.Require(*v != "")
		c.advance()
	}
}

// Strings describes a repeated string field. Items may be empty.
func Strings[T ~string](c *Coder, n protowire.Number, v *[]T) { texts(c, n, v, false) }

// Raws describes a repeated bytes field that Go code keeps as strings. The strings can hold any
// bytes.
func Raws[T ~string](c *Coder, n protowire.Number, v *[]T) { texts(c, n, v, true) }

func texts[T ~string](c *Coder, n protowire.Number, v *[]T, anyBytes bool) {
	if c.writing(n) {
		for _, s := range *v {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendString(c.out, string(s))
		}
		return
	}
	if c.next == n {
		*v = make([]T, 0, c.count())
	}
	for c.match(n, protowire.BytesType) {
		*v = append(*v, T(c.string(anyBytes)))
		c.advance()
	}
}

// Bytes describes a bytes field. A decoded slice shares the memory of the input, except in
// [DecodeInto].
func Bytes(c *Coder, n protowire.Number, v *[]byte) {
	if c.writing(n) {
		if len(*v) > 0 {
			c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
			c.out = protowire.AppendBytes(c.out, *v)
		}
	} else if c.match(n, protowire.BytesType) {
		start, end := c.span()
		if *v = c.in[start:end:end]; c.copying {
			*v = slices.Clip(bytes.Clone(*v))
		}
		c.Require(start < end)
		c.advance()
	}
}

// Fixed describes a bytes field that is always present and has the length of v.
func Fixed(c *Coder, n protowire.Number, v []byte) {
	switch {
	case c.writing(n):
		c.out = protowire.AppendTag(c.out, n, protowire.BytesType)
		c.out = protowire.AppendBytes(c.out, v)
	case c.match(n, protowire.BytesType):
		start, end := c.span()
		c.Require(end-start == len(v))
		copy(v, c.in[start:end])
		c.advance()
	default:
		c.reject()
	}
}

// Number lists the types that [Int] supports.
type Number interface {
	~int | ~int64 | ~uint8 | ~uint32 | ~uint64
}

// Int describes an integer or enum field. A negative number takes ten bytes.
func Int[T Number](c *Coder, n protowire.Number, v *T) {
	if c.writing(n) {
		if *v != 0 {
			c.varintField(n, uint64(*v))
		}
	} else if c.match(n, protowire.VarintType) {
		u := c.varint()
		*v = T(u)
		c.Require(*v != 0 && uint64(*v) == u) // neither zero nor truncated
		c.advance()
	}
}

// Bool describes a bool field.
func Bool(c *Coder, n protowire.Number, v *bool) {
	u := protowire.EncodeBool(*v)
	Int(c, n, &u)
	if c.reading {
		*v = u == 1
		c.Require(u <= 1)
	}
}

// OptionalBool describes an optional bool field: nil is absent, false is not.
func OptionalBool(c *Coder, n protowire.Number, v **bool) {
	if c.writing(n) {
		if *v != nil {
			c.varintField(n, protowire.EncodeBool(**v))
		}
	} else if c.match(n, protowire.VarintType) {
		u := c.varint()
		*v = new(u == 1)
		c.Require(u <= 1)
		c.advance()
	}
}

func (c *Coder) varintField(n protowire.Number, u uint64) {
	c.out = protowire.AppendTag(c.out, n, protowire.VarintType)
	c.out = protowire.AppendVarint(c.out, u)
}

// yearOne is the zero time.Time in Unix microseconds.
const yearOne = -62135596800_000_000

// Time describes a time field: microseconds since year 1, UTC. The zero time is encoded as 0, so it
// is absent. A decoded time is in UTC.
func Time(c *Coder, n protowire.Number, v *time.Time) {
	var micros int64
	if !c.reading && !v.IsZero() {
		micros = v.UnixMicro() - yearOne
	}
	Int(c, n, &micros)
	if micros != 0 && c.reading {
		*v = time.UnixMicro(micros + yearOne).UTC()
	}
}

// Times describes a map field from strings to times. Its keys are written in ascending order.
func Times(c *Coder, n protowire.Number, v *map[string]time.Time) {
	var pairs []pair
	if !c.reading && len(*v) > 0 {
		pairs = make([]pair, 0, len(*v))
		for _, key := range slices.Sorted(maps.Keys(*v)) {
			pairs = append(pairs, pair{key, (*v)[key]})
		}
	}
	Messages(c, n, &pairs, pairFields)
	if !c.reading || len(pairs) == 0 {
		return
	}
	*v = make(map[string]time.Time, len(pairs))
	for i, p := range pairs {
		c.Require(i == 0 || pairs[i-1].key < p.key)
		(*v)[p.key] = p.at
	}
}

// pair is one entry of a map. Protobuf encodes an entry as a message with a key and a value.
type pair struct {
	key string
	at  time.Time
}

func pairFields(c *Coder, p *pair) {
	String(c, 1, &p.key)
	Time(c, 2, &p.at)
}
