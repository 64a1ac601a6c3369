package canonical

import (
	"reflect"

	"github.com/go-installation/installation/crypto"
)

// HasPlainSecret reports whether v contains a plain [crypto.Secret] where encoding/json
// writes it, as a mask. It follows exported and embedded fields, pointers, slices and maps.
// Content stands for a struct as in [Encode].
//
// It is no second use of the walk of Encode. That one visits the types of requests, in an
// order that is part of a format. This one visits any value of a caller: it follows the
// rules of JSON, skips fields, and ends on pointers that lead back to themselves. (JSON
// refuses slices and maps that contain themselves; encode v first.)
func HasPlainSecret(v any, content Content) bool {
	f := finder{content: content, seen: make(map[visit]bool)}
	return f.find(reflect.ValueOf(v))
}

type finder struct {
	content Content
	seen    map[visit]bool // so that each pointer is followed once
}

// visit is a pointer with its type: a struct and its first field have the same address.
type visit struct {
	pointer uintptr
	of      reflect.Type
}

func (f *finder) find(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		here := visit{v.Pointer(), v.Type()}
		if f.seen[here] {
			return false
		}
		f.seen[here] = true
		return f.find(v.Elem())
	case reflect.Interface:
		return f.find(v.Elem())
	case reflect.Struct:
		return f.structure(v)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() <= reflect.Complex128 {
			return false // bytes and numbers, which may be many
		}
		for i := range v.Len() {
			if f.find(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for _, entry := range v.Seq2() {
			if f.find(entry) {
				return true
			}
		}
	}
	return false
}

func (f *finder) structure(v reflect.Value) bool {
	if v.CanInterface() {
		x := v.Interface()
		if secret, ok := x.(crypto.Secret); ok {
			return !secret.IsZero() && !secret.IsMasked()
		}
		if content, ok := f.content(x); ok {
			return f.find(reflect.ValueOf(content))
		}
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		written := (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-"
		if written && f.find(v.Field(i)) {
			return true
		}
	}
	return false
}
