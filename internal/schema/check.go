package schema

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/go-installation/installation/internal/jsontree"
)

// Violation is a place in a document that violates the schema.
type Violation struct {
	Pointer string // RFC 6901; of a missing member, the place where it belongs
	Keyword string // the violated keyword; "" for a number out of bounds
	Want    string // the allowed types, if Keyword is "type"
}

// Detail describes the violation for people, without the value.
func (v Violation) Detail() string {
	switch v.Keyword {
	case "":
		return "has too many digits or too high an exponent: at most 1000"
	case "required":
		return "is required by the schema"
	case "type":
		return "must be of type " + v.Want
	case "additionalProperties", "false":
		return "is not known to the schema"
	default:
		return "violates the schema: " + v.Keyword
	}
}

// Subject is a document to check.
type Subject struct {
	Doc *jsontree.Node // with the plain text of its secrets
	// Secrets are the pointers of the secrets. uniqueItems treats an element with a secret as
	// different from all others. Otherwise a writer could guess a secret and learn whether the
	// guess is equal. No other keyword compares two places of a document.
	Secrets []string
	// Stored are values that the document had before the write. The writer is not responsible for
	// their numbers, so these can be out of bounds. Such a number is compared approximately.
	Stored []*jsontree.Node
}

// Check returns the violations in a document, sorted by pointer. It reports a violated keyword once
// for each place. A violation inside a secret has the pointer of the secret, because names in a
// secret are secret too. The error is an [*Error] if the schema turns out to be unusable or the
// document causes too much work. It is the error of ctx if ctx ended.
//
// A schema checks one document at a time. Concurrent calls wait, at most until their context ends.
func (s *Schema) Check(ctx context.Context, sub Subject) ([]Violation, error) {
	known := make(map[string]bool)
	for _, n := range sub.Stored {
		addIncomparable(n, known)
	}
	if at, found := firstIncomparable(sub.Doc, known); found {
		return []Violation{{Pointer: at}}, nil
	}
	var invalid *jsonschema.ValidationError
	err := s.metered(ctx, secretPaths(sub.Secrets), func() {
		invalid = validate(s.root, toAny(sub.Doc))
	})
	if err != nil || invalid == nil {
		return nil, err
	}
	var found []Violation
	if !readViolations(invalid, &found) {
		return nil, &Error{Fault: Reference}
	}
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Keyword, b.Keyword))
	})
	found = slices.Compact(found)
	secrets := make(map[string]bool, len(sub.Secrets))
	for _, pointer := range sub.Secrets {
		secrets[pointer] = true
	}
	for i := range found {
		found[i].Pointer = cutAtSecret(found[i].Pointer, secrets)
	}
	return found, nil
}

// cutAtSecret shortens a pointer into a secret to the pointer of the secret.
func cutAtSecret(pointer string, secrets map[string]bool) string {
	for end := range len(pointer) {
		if pointer[end] == '/' && secrets[pointer[:end]] {
			return pointer[:end]
		}
	}
	return pointer
}

// validate runs the library on a value.
func validate(sch *jsonschema.Schema, v any) *jsonschema.ValidationError {
	invalid, _ := errors.AsType[*jsonschema.ValidationError](sch.Validate(v))
	return invalid
}

// metered calls f, which runs the library. All schema objects share one meter, which limits the
// work.
func (s *Schema) metered(ctx context.Context, secrets map[string]bool, f func()) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.lock }()
	*s.meter = meter{left: steps, polled: steps, ctxErr: ctx.Err, secrets: secrets}
	defer func() {
		if p := recover(); p != nil { // the panic value may quote the document
			if err = errComplex; p == ctx.Err() {
				err = ctx.Err()
			}
		}
	}()
	f()
	return nil
}

// secretPaths returns the pointers of the secrets and of everything around them.
func secretPaths(secrets []string) map[string]bool {
	found := make(map[string]bool)
	for _, pointer := range secrets {
		for end := len(pointer); end > 0 && !found[pointer[:end]]; end-- {
			if end == len(pointer) || pointer[end] == '/' {
				found[pointer[:end]] = true
			}
		}
		found[""] = true
	}
	return found
}

// Validate implements [jsonschema.SchemaExt]. It validates uniqueItems, which link has removed from
// the schema object. The library calls it for each schema object whose gate accepted the value.
func (n *note) Validate(ctx *jsonschema.ValidatorContext, v any) {
	array, ok := v.([]any)
	if !ok || !n.unique {
		return
	}
	n.meter.spend(count(array))
	if at := jsontree.JoinPointer(ctx.ValueLocation()...); n.meter.secrets[at] {
		open := array[:0:0]
		for i, e := range array {
			if !n.meter.secrets[at+"/"+strconv.Itoa(i)] {
				open = append(open, e)
			}
		}
		array = open
	}
	if i, _, err := ctx.Duplicates(array); i >= 0 || err != nil {
		ctx.AddError(&kind.UniqueItems{})
	}
}

// readViolations translates an error of the library into violations. It returns false if the schema
// is at fault.
func readViolations(e *jsonschema.ValidationError, found *[]Violation) bool {
	at := jsontree.JoinPointer(e.InstanceLocation...)
	add := func(at, keyword, want string) {
		*found = append(*found, Violation{at, keyword, want})
	}
	each := func(keyword string, names []string) {
		for _, name := range names {
			add(jsontree.ChildPointer(at, name), keyword, "")
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, c := range e.Causes {
			if !readViolations(c, found) {
				return false
			}
		}
	case *kind.RefCycle, *kind.InvalidJsonValue:
		return false
	case *kind.Required:
		each("required", k.Missing)
	case *kind.DependentRequired:
		each("dependentRequired", k.Missing)
	case *kind.Dependency:
		each("dependencies", k.Missing)
	case *kind.AdditionalProperties:
		each("additionalProperties", k.Properties)
	case *kind.PropertyNames:
		if len(e.InstanceLocation) > 0 {
			at = "" // the slice is wrong: the library overwrites it later
		}
		add(at, "propertyNames", "")
	case *kind.Format:
		if m, ok := errors.AsType[*mismatch](k.Err); ok {
			add(at, m.keyword, m.want)
		} else {
			add(at, "format", "")
		}
	case *kind.Not:
		add(at, "not", "")
	case *kind.FalseSchema:
		add(at, "false", "")
	default:
		path := append(e.ErrorKind.KeywordPath(), "schema")
		add(at, path[0], "")
	}
	return true
}
