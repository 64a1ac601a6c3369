package installation

import (
	"encoding/binary"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

// canonical writes a request as bytes, secrets included, for its fingerprint: two requests that say the same give the same bytes, two
// that differ in anything do not. Fields that are zero are left out, so that a field added to a later version changes no fingerprint.
// The bytes are for a keyed hash only and must never be stored or shown.
func canonical(method string, request any) []byte {
	return appendCanonical(appendBytes(nil, []byte(method)), reflect.ValueOf(request))
}

// contenter is a type whose content is not in exported fields.
type contenter interface{ content() any }

func appendCanonical(b []byte, v reflect.Value) []byte {
	if !v.IsValid() {
		return append(b, 0)
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			return binary.BigEndian.AppendUint64(append(b, 't'), uint64(stampOf(x)))
		case crypto.Secret:
			if x.IsMasked() {
				return append(b, 'm')
			}
			return appendBytes(append(b, 's'), x.Reveal())
		case Document:
			return appendBytes(append(b, 'd'), x.content())
		case contenter:
			return appendCanonical(append(b, 'c'), reflect.ValueOf(x.content()))
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
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.BigEndian.AppendUint64(append(b, 'u'), v.Uint())
	case reflect.Float32, reflect.Float64:
		return binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v.Float()))
	case reflect.Pointer, reflect.Interface:
		return appendCanonical(append(b, '*'), v.Elem())
	case reflect.Slice, reflect.Array:
		b = binary.BigEndian.AppendUint64(append(b, '['), uint64(v.Len()))
		for i := range v.Len() {
			b = appendCanonical(b, v.Index(i))
		}
		return b
	case reflect.Map:
		b = binary.BigEndian.AppendUint64(append(b, '{'), uint64(v.Len()))
		entries := make(map[string]reflect.Value, v.Len())
		for k, e := range v.Seq2() {
			entries[k.String()] = e
		}
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			b = appendCanonical(appendBytes(b, []byte(k)), entries[k])
		}
		return b
	case reflect.Struct:
		b = append(b, '(')
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				b = appendCanonical(appendBytes(b, []byte(f.Name)), v.Field(i))
			}
		}
		return append(b, ')')
	default:
		panic("installation: a request holds a " + v.Kind().String())
	}
}

func appendBytes(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
