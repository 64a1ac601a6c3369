package tampering

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// message is a stored message, split into its fields.
type message []field

// field is one field of a message: a number, bytes, or a message.
type field struct {
	number protowire.Number
	wire   protowire.Type
	varint uint64
	bytes  []byte
	fields message // if it is a message
}

// bodyMessages are the fields of a body that are messages, by their path; manifestMessages are
// some of those of a manifest.
var (
	bodyMessages = map[string]bool{
		"/1":   true,
		"/1/3": true,
		"/1/4": true,
		"/1/7": true,
		"/5":   true,
	}
	manifestMessages = map[string]bool{"/13": true, "/13/6": true}
)

func parseMessage(t testing.TB, messages map[string]bool, path string, b []byte) (m message) {
	t.Helper()
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		f := field{number: number, wire: wire}
		b = b[max(n, 0):]
		switch wire {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		}
		if n <= 0 {
			t.Fatalf("%s: cannot parse what the service wrote", path)
		}
		b = b[n:]
		if at := fmt.Sprintf("%s/%d", path, number); messages[at] {
			f.fields = parseMessage(t, messages, at, f.bytes)
		}
		m = append(m, f)
	}
	return m
}

func (m message) encode() (b []byte) {
	for _, f := range m {
		b = protowire.AppendTag(b, f.number, f.wire)
		switch {
		case f.wire == protowire.VarintType:
			b = protowire.AppendVarint(b, f.varint)
		case f.fields != nil:
			b = protowire.AppendBytes(b, f.fields.encode())
		default:
			b = protowire.AppendBytes(b, f.bytes)
		}
	}
	return b
}

// at returns the field at a path of numbers, the first of each number.
func (m message) at(t testing.TB, path ...protowire.Number) *field {
	t.Helper()
	for i := range m {
		if m[i].number != path[0] {
			continue
		}
		if len(path) == 1 {
			return &m[i]
		}
		return m[i].fields.at(t, path[1:]...)
	}
	t.Fatalf("no field %d", path[0])
	return nil
}

// everyElement edits each field of the stored body in every way that its type allows.
func (x *tamperTarget) everyElement(t *testing.T, may tamperHarmless) {
	t.Helper()
	raw := x.record.Body.Bytes()
	root := parseMessage(t, bodyMessages, "", raw[1:])
	if !bytes.Equal(root.encode(), raw[1:]) {
		t.Fatal("the parsed body does not encode to the same bytes")
	}
	count := make(map[tamperOutcome]int)
	// try judges the body in which m replaces the message at a path of indexes.
	try := func(what string, at []int, m message) {
		r := fixture.CopyRecord(x.record)
		edited := root.with(at, m).encode()
		if bytes.Equal(edited, raw[1:]) {
			return // such as two values that are equal, swapped
		}
		r.Body = installation.BodyFromBytes(append([]byte{record.Version}, edited...))
		count[x.judge(t, what, r, may)]++
	}
	var walk func(path string, at []int, m message)
	walk = func(path string, at []int, m message) {
		unknown := append(slices.Clone(m), field{number: 99, wire: protowire.BytesType})
		try(path+" with an unknown field", at, unknown)
		unknown = append(slices.Clone(m), field{number: 99, varint: 1})
		try(path+" with an unknown number", at, unknown)
		try(path+" without fields", at, message{})
		for i, f := range m {
			what := fmt.Sprintf("%s/%d", path, f.number)
			try(what+" removed", at, slices.Delete(slices.Clone(m), i, i+1))
			try(what+" twice", at, slices.Insert(slices.Clone(m), i, f))
			try(what+" at the end again", at, append(slices.Clone(m), f))
			swapped := slices.Clone(m)
			swapped[0], swapped[i] = swapped[i], swapped[0]
			try(what+" swapped with the first", at, swapped)
			for how, edit := range f.edits() {
				edited := slices.Clone(m)
				edited[i] = edit
				try(what+" "+how, at, edited)
			}
			if f.fields != nil {
				walk(what, append(slices.Clone(at), i), f.fields)
			}
		}
	}
	walk("", nil, root)
	if count[tamperDetected] < 50 {
		t.Errorf("only %d edits were detected: the walk misses fields", count[tamperDetected])
	}
	t.Logf("%d edits detected, %d harmless", count[tamperDetected], count[tamperSame])
}

// with returns a copy of m in which other replaces the message at a path of indexes.
func (m message) with(at []int, other message) message {
	if len(at) == 0 {
		return other
	}
	m = slices.Clone(m)
	m[at[0]].fields = m[at[0]].fields.with(at[1:], other)
	return m
}

// edits returns the field with other content, number or type.
func (f field) edits() map[string]field {
	all := make(map[string]field)
	add := func(how string, change func(e *field)) {
		e := f
		e.bytes = bytes.Clone(f.bytes)
		change(&e)
		all[how] = e
	}
	put := func(how string, b []byte) { add(how, func(e *field) { e.bytes, e.fields = b, nil }) }
	add("under the next number", func(e *field) { e.number++ })
	add("under number 99", func(e *field) { e.number = 99 })
	if f.wire == protowire.VarintType {
		for _, v := range []uint64{f.varint + 1, f.varint - 1, 0, 1, 1<<63 - 1, 1<<64 - 1} {
			add(fmt.Sprint(v), func(e *field) { e.varint = v })
		}
		add("as bytes", func(e *field) { e.wire, e.bytes = protowire.BytesType, []byte{1} })
		return all
	}
	add("as a number", func(e *field) { e.wire, e.varint = protowire.VarintType, 1 })
	put("empty", []byte{})
	if f.fields != nil {
		return all
	}
	n := len(f.bytes)
	for _, i := range []int{0, 1, 2, 5, 6, 29, 30, n / 2, n - 17, n - 16, n - 1} {
		if 0 <= i && i < n {
			add(fmt.Sprintf("byte %d", i), func(e *field) { e.bytes[i] ^= 0x10 })
		}
	}
	put("cut at the front", f.bytes[1:])
	put("cut at the end", f.bytes[:n-1])
	put("longer", append(bytes.Clone(f.bytes), 0))
	put("other letters", []byte(strings.ToUpper(string(f.bytes))))
	put("not UTF-8", append(bytes.Clone(f.bytes), 0xff))
	put("of the letter A", bytes.Repeat([]byte("A"), n))
	put("plain text", []byte(`"plain"`))
	if n > 64 {
		put("cut by a block", f.bytes[:n-64])
		put("longer by a block", append(bytes.Clone(f.bytes), make([]byte, 64)...))
	}
	return all
}

// everyByte flips bits in each byte of the body, and cuts it at each.
func (x *tamperTarget) everyByte(t *testing.T, may tamperHarmless) {
	raw := x.record.Body.Bytes()
	count := make(map[tamperOutcome]int)
	for i := range raw {
		for _, mask := range []byte{0x01, 0x80} {
			b := bytes.Clone(raw)
			b[i] ^= mask
			r := fixture.CopyRecord(x.record)
			r.Body = installation.BodyFromBytes(b)
			what := fmt.Sprintf("byte %d of %d ^ %02x", i, len(raw), mask)
			count[x.judge(t, what, r, may)]++
		}
		r := fixture.CopyRecord(x.record)
		r.Body = installation.BodyFromBytes(raw[:i])
		what := fmt.Sprintf("cut at byte %d of %d", i, len(raw))
		if got := x.judge(t, what, r, may); got != tamperDetected {
			t.Errorf("%s: not detected", what)
		}
	}
	if count[tamperDetected] < len(raw)/2 {
		t.Errorf("only %d of %d flips were detected", count[tamperDetected], 2*len(raw))
	}
	t.Logf("%d flips detected, %d harmless", count[tamperDetected], count[tamperSame])
}
