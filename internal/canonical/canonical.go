// Package canonical encodes requests, so that their fingerprints can be computed. It also finds
// secrets in a value that JSON would replace by masks.
package canonical

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

// Content returns the value to encode in place of a struct v. It is for types whose content is not
// in exported fields, and reports false for all other types. It is called with every struct except
// [crypto.Secret] and [time.Time].
type Content func(v any) (content any, ok bool)

// Encode returns a method name and its request as bytes, including plain secrets. Two requests have
// the same bytes exactly if they ask for the same. Zero fields are left out, so a field that a
// later version adds does not change the bytes of requests without the field.
//
// The bytes are for a keyed hash only. Clear them after use, and never store or show them.
//
// Encode returns an error for a type that it cannot encode: a kind without an order or a value,
// such as a channel; a map without string keys; or a struct with unexported fields that content
// does not know. A value that is nested too deeply is an error too. The types of a request are
// known at compile time, so a test can rule out all these errors.
func Encode(method string, request any, content Content) ([]byte, error) {
	e := encoder{content: content}
	e.text(method)
	if err := e.value(reflect.ValueOf(request), 0); err != nil {
		clear(e.out)
		return nil, fmt.Errorf("canonical: encode request of %s: %w", method, err)
	}
	return e.out, nil
}

// maxDepth is the maximum nesting of a request.
const maxDepth = 64

var errDepth = errors.New("nested too deeply")

var (
	secretType = reflect.TypeFor[crypto.Secret]()
	timeType   = reflect.TypeFor[time.Time]()
)

// encoder appends to out. Each value starts with a byte for its kind, so different values of the
// same field never have the same bytes.
type encoder struct {
	out     []byte
	content Content
}

func (e *encoder) value(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	switch v.Kind() {
	case reflect.Invalid:
		e.bytes(0)
	case reflect.String:
		e.bytes('"')
		e.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			e.bytes('+')
		} else {
			e.bytes('-')
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.bytes('i')
		e.number(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.bytes('u')
		e.number(v.Uint())
	case reflect.Float32, reflect.Float64:
		e.bytes('f')
		e.number(math.Float64bits(v.Float()))
	case reflect.Pointer, reflect.Interface:
		e.bytes('*')
		return e.value(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return e.list(v, depth)
	case reflect.Map:
		return e.object(v, depth)
	case reflect.Struct:
		return e.structure(v, depth)
	default:
		return fmt.Errorf("a %s has no canonical form", v.Type())
	}
	return nil
}

func (e *encoder) list(v reflect.Value, depth int) error {
	e.bytes('[')
	e.number(uint64(v.Len()))
	for i := range v.Len() {
		if err := e.value(v.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) object(v reflect.Value, depth int) error {
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("a %s has no canonical form", v.Type())
	}
	e.bytes('{')
	e.number(uint64(v.Len()))
	entries := make(map[string]reflect.Value, v.Len())
	for key, entry := range v.Seq2() {
		entries[key.String()] = entry
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e.text(key)
		if err := e.value(entries[key], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) structure(v reflect.Value, depth int) error {
	switch v.Type() {
	case secretType:
		e.secret(v.Interface().(crypto.Secret))
		return nil
	case timeType:
		e.bytes('t')
		t := v.Interface().(time.Time)
		e.number(uint64(t.Unix()))
		e.number(uint64(t.Nanosecond() / 1000)) // times are kept in microseconds
		return nil
	}
	if content, ok := e.content(v.Interface()); ok {
		e.bytes('c')
		return e.value(reflect.ValueOf(content), depth+1)
	}
	e.bytes('(')
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			return fmt.Errorf("a %s has unexported fields and no content", v.Type())
		}
		if v.Field(i).IsZero() {
			continue
		}
		e.text(f.Name)
		if err := e.value(v.Field(i), depth+1); err != nil {
			return err
		}
	}
	e.bytes(')')
	return nil
}

func (e *encoder) secret(s crypto.Secret) {
	switch {
	case s.IsZero():
		e.bytes('z')
	case s.IsMasked():
		e.bytes('m')
	default:
		e.bytes('s')
		plain := s.Reveal()
		e.number(uint64(len(plain)))
		e.bytes(plain...)
		clear(plain)
	}
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.grow(len(s))
	e.out = append(e.out, s...)
}

func (e *encoder) number(n uint64) {
	e.grow(8)
	e.out = binary.BigEndian.AppendUint64(e.out, n)
}

func (e *encoder) bytes(b ...byte) {
	e.grow(len(b))
	e.out = append(e.out, b...)
}

// grow makes room for n more bytes. If it moves to a larger array, it clears the old one, because a
// secret can be in there.
func (e *encoder) grow(n int) {
	if cap(e.out)-len(e.out) >= n {
		return
	}
	larger := make([]byte, len(e.out), max(512, 2*cap(e.out), len(e.out)+n))
	copy(larger, e.out)
	clear(e.out)
	e.out = larger
}
