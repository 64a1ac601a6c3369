package canonical

import (
	"reflect"

	"github.com/go-installation/installation/crypto"
)

// HasPlainSecret reports whether a value contains a secret with a text, where encoding/json would
// write a mask.
func HasPlainSecret(v any, content Content) bool {
	f := finder{content: content, seen: make(map[uintptr]bool)}
	return f.in(reflect.ValueOf(v))
}

// finder looks for plain secrets.
type finder struct {
	content Content
	seen    map[uintptr]bool // pointers on the way, so that a cycle is walked once
}

func (f *finder) in(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	if v.CanInterface() {
		x := v.Interface()
		if s, ok := x.(crypto.Secret); ok {
			return !s.IsZero() && !s.IsMasked()
		}
		if inner, ok := f.content(x); ok {
			return f.in(reflect.ValueOf(inner))
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if f.seen[v.Pointer()] {
			return false
		}
		f.seen[v.Pointer()] = true
		return f.in(v.Elem())
	case reflect.Interface:
		return f.in(v.Elem())
	case reflect.Struct:
		return f.inFields(v)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() <= reflect.Complex128 {
			return false // numbers, of which there may be many
		}
		for i := range v.Len() {
			if f.in(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for _, e := range v.Seq2() {
			if f.in(e) {
				return true
			}
		}
	}
	return false
}

func (f *finder) inFields(v reflect.Value) bool {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		written := (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-"
		if written && f.in(v.Field(i)) {
			return true
		}
	}
	return false
}
