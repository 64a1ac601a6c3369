package installation

import (
	"errors"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

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
