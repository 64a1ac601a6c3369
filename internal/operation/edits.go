package operation

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// Edits returns the operations on the document target in the form that package masked applies. path
// is that of the document in violations.
func Edits(ops []Operation, target Target, path string) ([]masked.Op, error) {
	ops = Of(ops, target)
	var l validate.List
	l.Count(path, len(ops), validate.MaxEdits)
	if err := l.Err(); err != nil {
		return nil, err
	}
	edits := make([]masked.Op, len(ops))
	for i, o := range ops {
		value, err := parseValue(&l, path, o)
		if err := l.Merge(err); err != nil {
			return nil, err
		}
		edits[i] = masked.Op{Kind: o.Kind(), Pointer: o.Pointer(), Value: value, Array: o.Array()}
	}
	return edits, l.Err()
}

// Of returns the operations on target, in their order.
func Of(ops []Operation, target Target) []Operation {
	var of []Operation
	for _, o := range ops {
		if o.target == target {
			of = append(of, o)
		}
	}
	return of
}

// parseValue returns the value of an operation, or nil if the operation has none. document is the
// path of the document.
func parseValue(l *validate.List, document string, o Operation) (*jsontree.Node, error) {
	path, secret := document+o.Pointer(), o.Kind() == masked.SetSecret
	switch {
	case o.Kind() == "":
		detail := "an operation is empty: make it with package patch"
		l.Add(document, validate.RuleRequired, detail)
	case o.Kind() == masked.Remove:
	case o.Value().IsZero():
		l.Add(path, validate.RuleRequired, "the operation needs a value")
	case !secret:
		text := o.Value().Reveal()
		defer clear(text)
		return masked.Parse(path, text)
	case o.Value().IsMasked():
		l.Add(path, validate.RuleMaskWithoutStoredValue, "a mask is not a secret")
	case CheckSecret(l, path, o.Value()):
		text := SecretText(o.Value())
		defer clear(text)
		return masked.Parse(path, text)
	}
	return nil, nil
}

// maxSecret is the maximum length of a secret string in bytes.
const maxSecret = 64 << 10

// CheckSecret reports whether a secret string may be stored.
func CheckSecret(l *validate.List, path string, secret crypto.Secret) bool {
	b := secret.Reveal()
	defer clear(b)
	switch {
	case len(b) > maxSecret:
		l.Add(path, validate.RuleTooLarge, fmt.Sprintf("must have at most %d bytes", maxSecret))
	case !utf8.Valid(b):
		l.Add(path, validate.RuleUTF8, "must be valid UTF-8")
	default:
		return true
	}
	return false
}

// SecretText returns a secret string as JSON text. The caller clears it.
func SecretText(s crypto.Secret) []byte {
	text, _ := json.Marshal(s.RevealString()) // a string always marshals
	return text
}
