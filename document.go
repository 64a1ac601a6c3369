package installation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// Document is a JSON document that may hold secrets. One that a caller makes is plain and shows nothing of itself: every
// verb, encoder and logger prints a mask. One that the service returns has "***" in place of each secret and shows itself as
// JSON. Either may be sent: a masked document sent back keeps the secrets behind its masks, and is refused where its masks stand for
// nothing, as in another installation.
//
// The zero value is no document. A Document never changes and may be shared.
type Document struct {
	plain  crypto.Secret // of the caller
	masked string        // of the service; never empty for a document
}

// JSON returns the document with the text b, which it copies. Whether b is good JSON is checked by the service, which reports it
// with a path; see package validate for the limits.
func JSON[T ~string | ~[]byte](b T) Document {
	if len(b) == 0 {
		return Document{}
	}
	return Document{plain: crypto.SecretFromBytes([]byte(b))}
}

// DocumentOf returns v as a document, by [json.Marshal]. The error says nothing of v. It refuses a value with a plain [crypto.Secret] or
// [Document] in it, which would be written as its mask: put that in with [SetSecret], or reveal it first.
func DocumentOf(v any) (Document, error) {
	b, err := json.Marshal(v) // first, since it refuses what contains itself
	if err != nil {
		return Document{}, errors.New("installation: value cannot be written as JSON")
	}
	find := plainFinder{seen: make(map[uintptr]bool)}
	if find.in(reflect.ValueOf(v)) {
		return Document{}, errors.New("installation: value holds a secret that JSON would mask: reveal it first, or set it with SetSecret")
	}
	return JSON(b), nil
}

// plainFinder looks for what JSON would write as a mask though it is not masked.
type plainFinder struct {
	seen map[uintptr]bool // pointers on the way, so that a value that contains itself is walked once
}

func (f *plainFinder) in(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case crypto.Secret:
			return !x.IsZero() && !x.IsMasked()
		case Document:
			return !x.plain.IsZero()
		case contenter:
			return f.in(reflect.ValueOf(x.content()))
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
		for i := range v.NumField() {
			field := v.Type().Field(i)
			written := (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-"
			if written && f.in(v.Field(i)) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() <= reflect.Complex128 {
			return false // bytes and numbers, of which there may be many
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

func maskedDocument(text []byte) Document { return Document{masked: string(text)} }

// IsZero reports whether there is no document.
func (d Document) IsZero() bool { return d.plain.IsZero() && d.masked == "" }

// Bytes returns the masked JSON text, or nil for a document that did not come from the service. The slice is the caller's.
func (d Document) Bytes() []byte {
	if d.masked == "" {
		return nil
	}
	return []byte(d.masked)
}

// Decode decodes the document into v, masks included, with the rules of [json.Unmarshal]. The error says nothing of the text.
func (d Document) Decode(v any) error {
	if err := json.Unmarshal(d.content(), v); err != nil {
		return errors.New("installation: document does not fit the value it is decoded into")
	}
	return nil
}

// content returns the text, plain or masked, for the service.
func (d Document) content() []byte {
	if d.masked != "" {
		return []byte(d.masked)
	}
	return d.plain.Reveal()
}

// Equal reports whether both are plain or both masked, and hold the same text. For plain ones it takes the same time wherever they differ.
func (d Document) Equal(other Document) bool {
	return d.plain.Equal(other.plain) && d.masked == other.masked
}

// String returns what the document shows of itself.
func (d Document) String() string {
	switch {
	case d.masked != "":
		return d.masked
	case d.plain.IsZero():
		return ""
	default:
		return crypto.Mask
	}
}

// GoString implements [fmt.GoStringer] with the same text as String.
func (d Document) GoString() string { return d.String() }

// Format implements [fmt.Formatter]: every verb prints the same text as String.
func (d Document) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue implements [slog.LogValuer].
func (d Document) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText writes the same text as String.
func (d Document) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalJSON writes a masked document as it is, a plain one as the mask, none as null.
func (d Document) MarshalJSON() ([]byte, error) {
	switch {
	case d.masked != "":
		return d.Bytes(), nil
	case d.plain.IsZero():
		return []byte("null"), nil
	default:
		return json.Marshal(crypto.Mask)
	}
}

// UnmarshalJSON reads a plain document; null is none.
func (d *Document) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*d = Document{}
		return nil
	}
	*d = JSON(b)
	return nil
}

// GobEncode refuses: gob would write the document where nothing masks it.
func (d Document) GobEncode() ([]byte, error) {
	return nil, errors.New("installation: a document is not for gob")
}

// Operation changes one place of a configuration, or holds it against a value. Make one with [Set], [SetSecret], [Unset] or [Test], or read
// them from a patch with [JSONPatch], [MergePatch] or [UpdateMask].
type Operation struct {
	kind    masked.OpKind
	pointer string // RFC 6901
	array   string // of an update mask: pointer of the array in which an element is named, "" = none
	value   Document
	secret  crypto.Secret
}

// Set puts a JSON value at a pointer, in place of what is there. What it is to stand in must be there; "-" appends to an array. "***" in it
// keeps the secret that is stored there. In a new value for an element of an array it does so only if it is sure that the element is the
// one that is meant: if it has the same x-key, see Options.Schema, or else is just as it was.
func Set(pointer string, value Document) Operation {
	return Operation{kind: masked.Set, pointer: pointer, value: value}
}

// SetSecret puts a string at a pointer, sealed whatever its name. It is the one way to store a literal "***".
func SetSecret(pointer string, value crypto.Secret) Operation {
	return Operation{kind: masked.SetSecret, pointer: pointer, secret: value}
}

// Unset removes what is at a pointer. At a secret, so does a null that is set.
func Unset(pointer string) Operation { return Operation{kind: masked.Remove, pointer: pointer} }

// Test refuses the whole write with [ErrInvalid] unless a JSON value stands at a pointer. At, above and below a secret it always refuses,
// as the answer would confirm a guess.
func Test(pointer string, value Document) Operation {
	return Operation{kind: masked.Test, pointer: pointer, value: value}
}

// MarshalJSON refuses: an operation may hold a secret, and would come back without it.
func (o Operation) MarshalJSON() ([]byte, error) {
	return nil, errors.New("installation: an operation is not for JSON")
}

// content returns the operation for the request's fingerprint.
func (o Operation) content() any {
	return struct {
		Kind, Pointer, Array string
		Value                Document
		Secret               crypto.Secret
	}{string(o.kind), o.pointer, o.array, o.value, o.secret}
}

// edits are operations in the form that package masked applies.
func edits(ops []Operation) ([]masked.Op, error) {
	var l validate.List
	l.Count("configuration", len(ops), validate.MaxEdits)
	if err := l.Err(); err != nil {
		return nil, err
	}
	out := make([]masked.Op, len(ops))
	for i, o := range ops {
		value, err := o.json(&l)
		if err := l.Merge(err); err != nil {
			return nil, err
		}
		out[i] = masked.Op{Kind: o.kind, Pointer: o.pointer, Value: value, Array: o.array}
	}
	return out, l.Err()
}

// json returns the value of the operation, nil for one that has none.
func (o Operation) json(l *validate.List) (*jsontree.Node, error) {
	path := "configuration" + o.pointer
	switch {
	case o.kind == "":
		l.Add("configuration", validate.RuleRequired, "an operation is empty: make it with Set, SetSecret, Unset, Test or from a patch")
	case o.kind == masked.Remove:
	case o.kind != masked.SetSecret && o.value.IsZero():
		l.Add(path, validate.RuleRequired, "the operation needs a value")
	case o.kind != masked.SetSecret:
		return masked.Parse(path, o.value.content())
	case o.secret.IsZero():
		l.Add(path, validate.RuleRequired, "the operation needs a secret")
	case o.secret.IsMasked():
		l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask is no secret")
	case checkSecret(l, path, o.secret):
		text := jsonString(o.secret)
		defer clear(text)
		return masked.Parse(path, text)
	}
	return nil, nil
}
