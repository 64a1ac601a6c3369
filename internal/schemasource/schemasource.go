// Package schemasource finds the schema of an extension's configurations from what the host says
// about it, and validates documents with that schema.
package schemasource

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// MaxCached bounds the bytes that the compiled schemas of a service keep on the heap. One schema
// at all limits of package schema fits.
const MaxCached = 64 << 20

// Source is what the host says about the schema of one extension. It compiles the schema at most
// once. The zero Source has no schema. A Source is for one goroutine.
type Source struct {
	Revision string // "" = the extension has no schema
	Err      error  // why the source cannot be used

	load     func(ctx context.Context) ([]byte, error)
	compiled bool // schema and fault are set
	schema   *schema.Schema
	fault    error
}

// New returns the source that the host gave, or one with Err if the host failed or gave a source
// that cannot be used.
func New(given validate.SchemaSource, err error) Source {
	switch {
	case err != nil:
		return Source{Err: unreachable("", err)}
	case len(given.Revision) > validate.MaxSchemaRevision || !utf8.ValidString(given.Revision):
		return Source{Err: &validate.SchemaError{Fault: validate.SchemaRevision}}
	case given.Revision != "" && given.Load == nil:
		return Source{Err: unreachable(given.Revision, nil)}
	}
	return Source{Revision: given.Revision, load: given.Load}
}

// unreachable is the error for a schema source that failed. The text of the cause could quote
// anything, so the error keeps only whether a context ended.
func unreachable(revision string, cause error) error {
	e := &validate.SchemaError{Revision: revision, Fault: validate.SchemaUnreachable}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(cause, ended) {
			e.Ended = ended
		}
	}
	return e
}

// Schema returns the schema of an extension in a tenant; nil if the extension has none. It takes
// the schema from the cache, or loads and compiles it. A failed load is not cached.
func (s *Source) Schema(
	ctx context.Context, cache *schema.Cache, tenant, extension string,
) (*schema.Schema, error) {
	switch {
	case s.Err != nil || s.Revision == "":
		return nil, s.Err
	case s.compiled:
		return s.schema, s.fault
	}
	key := schema.Key{Tenant: tenant, Extension: extension, Revision: s.Revision}
	load := func() ([]byte, error) {
		text, err := s.load(ctx)
		if err != nil {
			return nil, unreachable(s.Revision, err)
		}
		return text, nil
	}
	compiled, err := cache.Compile(key, load)
	s.compiled, s.schema, s.fault = true, compiled, unusable(s.Revision, err)
	return s.schema, s.fault
}

// unusable is the error for a schema with a fault.
func unusable(revision string, err error) error {
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		return &validate.SchemaError{
			Revision: revision, Fault: validate.SchemaFault(fault.Fault), Pointer: fault.Pointer,
		}
	}
	return err
}

// RuleIDs names the rules that decided which values of a record's documents are secret: one rule
// for all documents, and another for the configuration if the extension has a schema. The record
// stores the IDs. While they are the IDs of today's rules, a read returns the documents as they are
// stored. Otherwise the read needs the schema itself.
type RuleIDs struct {
	All    string
	Config string // "" = the same as for all
}

// String returns both IDs in one string, as a record stores them.
func (r RuleIDs) String() string {
	if r.Config == "" {
		return r.All
	}
	return r.All + " " + r.Config
}

// ParseRuleIDs reads what String returned.
func ParseRuleIDs(text string) RuleIDs {
	all, config, _ := strings.Cut(text, " ")
	return RuleIDs{all, config}
}

// Complexity replaces err if the document was too complex for its schema. The schema was then not
// applied to the whole document, so err does not describe the problem.
func Complexity(sch *schema.Schema, path string, err error) error {
	if sch != nil && sch.Overran() {
		return tooComplex(path)
	}
	return err
}

func tooComplex(path string) error {
	var l validate.List
	l.Add(path, validate.RuleTooComplex,
		"is too complex for its schema: it needs fewer values, or a schema with fewer branches")
	return l.Err()
}

// Check validates a changed document against its schema; nil is no schema. It calls open for each
// kept secret, by its stored pointer. A violation inside a secret is reported at the secret itself.
func Check(
	ctx context.Context, path string, sch *schema.Schema, stored *jsontree.Node, r masked.Result,
	open func(pointer string) (*jsontree.Node, error),
) error {
	if err := Complexity(sch, path, nil); err != nil {
		return err
	}
	if sch == nil || len(r.Changed) == 0 {
		return nil
	}
	var subject schema.Subject
	if stored != nil {
		subject.Stored = append(subject.Stored, stored)
	}
	values := make(map[string]*jsontree.Node, len(r.Keep)+len(r.Seal))
	for _, p := range r.Seal {
		values[p.Pointer] = p.Value
	}
	for _, m := range r.Keep {
		value, err := open(m.From)
		if err != nil {
			return err
		}
		values[m.To] = value
		subject.Stored = append(subject.Stored, value)
	}
	subject.Doc = masked.Fill(r.Doc, values)
	subject.Secrets = slices.Collect(maps.Keys(values))
	found, err := sch.Check(ctx, subject)
	fault, ok := errors.AsType[*schema.Error](err)
	switch {
	case ok && fault.Fault == schema.Complex:
		return tooComplex(path)
	case err != nil:
		return unusable("", err)
	}
	var l validate.List
	for _, v := range found {
		rule := validate.RuleSchema
		if v.Keyword == "" {
			rule = validate.RuleRange
		}
		l.AddViolation(validate.Violation{
			Path: path + v.Pointer, Rule: rule, Keyword: v.Keyword, Detail: v.Detail(),
		})
	}
	return l.Err()
}
