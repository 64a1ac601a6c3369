// Package canonical walks a value by reflection, to write it as bytes or to look for secrets in it.
package canonical

import (
	"encoding/binary"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

// Content returns what a value consists of, for types that keep it in unexported fields; false for
// every other type.
type Content func(v any) (content any, ok bool)

// Append appends a value as bytes, secrets included. Two values that say the same give the same
// bytes, two that differ in anything do not. Fields that are zero are left out, so a field that a
// later version adds changes nothing.
//
// The bytes are meant for a keyed hash. They must not be stored or shown.
func Append(b []byte, v any, content Content) []byte {
	return appendValue(b, reflect.ValueOf(v), content)
}

// AppendStrings appends strings so that no two lists of them give the same bytes.
func AppendStrings(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = appendBytes(b, []byte(p))
	}
	return b
}

func appendValue(b []byte, v reflect.Value, content Content) []byte {
	if !v.IsValid() {
		return append(b, 0)
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			return appendTime(append(b, 't'), x)
		case crypto.Secret:
			return appendSecret(b, x)
		default:
			if inner, ok := content(x); ok {
				return appendValue(append(b, 'c'), reflect.ValueOf(inner), content)
			}
		}
	}
	switch v.Kind() {
	case reflect.String:
		return appendBytes(append(b, '"'), []byte(v.String()))
	case reflect.Bool:
		if v.Bool() {
			return append(b, '+')
		}
		return append(b, '-')
	case reflect.Pointer, reflect.Interface:
		return appendValue(append(b, '*'), v.Elem(), content)
	case reflect.Slice, reflect.Array:
		b = binary.BigEndian.AppendUint64(append(b, '['), uint64(v.Len()))
		for i := range v.Len() {
			b = appendValue(b, v.Index(i), content)
		}
		return b
	case reflect.Map:
		return appendMap(b, v, content)
	case reflect.Struct:
		return appendStruct(b, v, content)
	default:
		return appendNumber(b, v)
	}
}

func appendNumber(b []byte, v reflect.Value) []byte {
	switch {
	case v.CanInt():
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v.Int()))
	case v.CanUint():
		return binary.BigEndian.AppendUint64(append(b, 'u'), v.Uint())
	case v.CanFloat():
		return binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v.Float()))
	default:
		panic("canonical: a value contains a " + v.Kind().String())
	}
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()/1000))
}

func appendSecret(b []byte, s crypto.Secret) []byte {
	if s.IsMasked() {
		return append(b, 'm')
	}
	text := s.Reveal()
	defer clear(text)
	return appendBytes(append(b, 's'), text)
}

func appendMap(b []byte, v reflect.Value, content Content) []byte {
	b = binary.BigEndian.AppendUint64(append(b, '{'), uint64(v.Len()))
	entries := make(map[string]reflect.Value, v.Len())
	for k, e := range v.Seq2() {
		entries[k.String()] = e
	}
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		b = appendValue(appendBytes(b, []byte(k)), entries[k], content)
	}
	return b
}

func appendStruct(b []byte, v reflect.Value, content Content) []byte {
	b = append(b, '(')
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
			b = appendValue(appendBytes(b, []byte(f.Name)), v.Field(i), content)
		}
	}
	return append(b, ')')
}

func appendBytes(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
