package canonical

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/go-installation/installation/crypto"
)

// HasPlainSecret reports whether v contains a plain [crypto.Secret] in a place that encoding/json
// writes. JSON would have a mask there instead of the secret. HasPlainSecret follows exported and
// embedded fields, pointers, slices and maps. content has the same meaning as in [Encode].
//
// Before the call, write v with encoding/json, which rejects slices and maps that contain
// themselves. HasPlainSecret would follow them forever, because it notices only cycles of pointers.
//
// HasPlainSecret shares no code with Encode. Encode visits the types of requests, in an order that
// is part of a format. HasPlainSecret visits any value of a caller: it follows the rules of JSON,
// skips fields that JSON leaves out, and has to end on cyclic pointers.
func HasPlainSecret(v any, content Content) bool {
	f := finder{content: content, seen: make(map[visit]bool)}
	return f.find(reflect.ValueOf(v))
}

// HasString reports whether v has a Go string or bytes that are text, in a place that encoding/json
// can decode into. A type that decodes itself can put text into any of its fields. HasString does
// not look for text in values that encoding/json made for an interface type, whose reader does not
// know what they are.
func HasString(v any, text string) bool {
	f := finder{text: text, seen: make(map[visit]bool)}
	return f.find(reflect.ValueOf(v))
}

// ContainsText reports whether v has a Go string or bytes that contain text, in a place that
// encoding/json can decode into. Unlike HasString, it also looks in values that encoding/json made
// for an interface type, and in raw JSON.
func ContainsText(v any, text string) bool {
	f := finder{text: text, inside: true, seen: make(map[visit]bool)}
	return f.find(reflect.ValueOf(v))
}

// finder looks for secrets, or for text if it is not "".
type finder struct {
	text    string
	inside  bool           // text may be a part of a string, and anywhere
	content Content        // nil if text is given
	seen    map[visit]bool // so that each pointer is followed once
}

// visit is a pointer and its type. The type matters, because a struct and its first field have the
// same address.
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
	case reflect.Interface: // encoding/json decodes through a pointer in it
		follow := f.text == "" || f.inside || v.Elem().Kind() == reflect.Pointer
		return follow && f.find(v.Elem())
	case reflect.String:
		return f.text != "" && f.isText(v.String())
	case reflect.Struct:
		return f.structure(v)
	case reflect.Slice, reflect.Array:
		if f.text != "" && v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Kind() == reflect.Slice && f.isText(string(v.Bytes()))
		}
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

func (f *finder) isText(s string) bool {
	return s == f.text || f.inside && strings.Contains(s, f.text)
}

func (f *finder) structure(v reflect.Value) bool {
	if f.text == "" && v.CanInterface() {
		x := v.Interface()
		if secret, ok := x.(crypto.Secret); ok {
			return !secret.IsZero() && !secret.IsMasked()
		}
		if content, ok := f.content(x); ok {
			return f.find(reflect.ValueOf(content))
		}
	}
	all := f.text != "" && decodesItself(v.Type())
	for i := range v.NumField() {
		field := v.Type().Field(i)
		written := (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-"
		if (all || written) && f.find(v.Field(i)) {
			return true
		}
	}
	return false
}

// decodesItself reports whether a type has a method that decodes it. A [crypto.Secret] hides what
// it decodes, so it counts as one that does not.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t != reflect.TypeFor[crypto.Secret]() &&
		(p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
			p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()))
}
