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

// Violation is a place in a document that the schema does not accept.
type Violation struct {
	Pointer string // RFC 6901; for a member that is missing, where it should be
	Keyword string // that is not satisfied; "" for a number beyond what can be compared
	Want    string // the types that are allowed, for the keyword type, else ""
}

// Subject is a document to be held against a schema.
type Subject struct {
	Doc *jsontree.Node // plain: it has the secrets in it
	// Secrets are the pointers of the secrets. A writer who can see whether one equals a value of his own can guess it, so uniqueItems
	// takes an element with a secret in it for unlike every other. No other keyword compares two places of a document.
	Secrets []string
	// Stored are values that were there before. A number in them that is beyond what can be compared is not held against the writer; it
	// is compared as one near it.
	Stored []*jsontree.Node
}

// Check returns where the schema does not accept a document, in the order of the pointers, each place and keyword once. The
// error is an [*Error], for a schema that turns out not to be usable or too much work, or that of the context.
//
// One schema checks one document at a time; others wait, as long as their context lets them.
func (s *Schema) Check(ctx context.Context, sub Subject) ([]Violation, error) {
	known := make(map[string]bool)
	for _, n := range sub.Stored {
		collectBeyond(n, known)
	}
	if at, found := beyond(sub.Doc, "", known); found {
		return []Violation{{Pointer: at}}, nil
	}
	invalid, err := s.validate(ctx, toAny(sub.Doc), holders(sub.Secrets))
	if err != nil || invalid == nil {
		return nil, err
	}
	var found []Violation
	if !read(invalid, &found) {
		return nil, &Error{Fault: Reference}
	}
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Keyword, b.Keyword))
	})
	return slices.Compact(found), nil
}

// validate has the library look at a document, with the one meter that its schema objects know.
func (s *Schema) validate(ctx context.Context, doc any, secrets map[string]bool) (invalid *jsonschema.ValidationError, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turn }()
	*s.meter = meter{left: steps, asked: steps, ended: ctx.Err, secrets: secrets}
	defer func() {
		if p := recover(); p != nil { // what it says may quote the document
			if invalid, err = nil, errComplex; p == ctx.Err() {
				err = ctx.Err()
			}
		}
	}()
	invalid, _ = errors.AsType[*jsonschema.ValidationError](s.root.Validate(doc))
	return invalid, nil
}

// holders returns the pointers of the secrets and of all that is around them.
func holders(secrets []string) map[string]bool {
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

// Validate is called by the library for each schema object that it applies, but where the gate refused already.
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

// read turns an error of the library into violations. It reports false for what is the fault of the schema.
func read(e *jsonschema.ValidationError, found *[]Violation) bool {
	at := jsontree.JoinPointer(e.InstanceLocation...)
	add := func(at, keyword, want string) { *found = append(*found, Violation{at, keyword, want}) }
	each := func(keyword string, names []string) {
		for _, name := range names {
			add(jsontree.ChildPointer(at, name), keyword, "")
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, c := range e.Causes {
			if !read(c, found) {
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
			at = "" // the library keeps a slice here that it writes to later
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
