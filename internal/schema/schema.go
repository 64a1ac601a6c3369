// Package schema reads the JSON Schemas (2020-12 and earlier drafts) of configurations. It
// tells whether a document satisfies a schema ([Schema.Check]) and what the schema declares
// about a place, whatever the document ([Place]).
//
// The authors of extensions write the schemas, so this package treats them as hostile. It
// bounds size, depth and cost, and rejects a reference to another text. A schema that cannot be
// understood is an error, never a schema without declarations. The underlying library quotes
// values and schemas in its messages; this package never returns them.
package schema

import (
	"errors"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Limits of a schema.
const (
	MaxBytes   = 256 << 10 // of its text
	MaxDepth   = 128       // nested arrays and objects
	MaxObjects = 5000      // compiling takes quadratic time
)

// Fault is the reason why a schema is unusable. The values are stable. The faults of its text
// are those of [jsontree.Fault].
type Fault string

// Faults of a schema.
const (
	// Keyword is a keyword with an invalid value, such as a pattern that Go rejects or a number
	// too long to compare.
	Keyword Fault = "keyword"
	// Reference is a $ref or $schema to a missing place or another text.
	Reference Fault = "reference"
	// Complex is a schema with too many parts or too large patterns, or too much work for a
	// document.
	Complex Fault = "too-complex"
)

// Error is the error for an unusable schema.
type Error struct {
	Fault   Fault
	Pointer string // to the keyword, if known
}

// Error returns the fault. It quotes only names of keywords and members.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return "schema: " + string(e.Fault)
	}
	return "schema: " + e.Pointer + ": " + string(e.Fault)
}

// Schema is a compiled schema. It is safe for use by many goroutines.
type Schema struct {
	root *jsonschema.Schema
	// anchors are the possible targets of a $dynamicRef by name, and of a $recursiveRef under "".
	anchors     map[string][]*jsonschema.Schema
	meter       *meter
	lock        chan struct{} // full while the meter is in use
	sessionRoot *Place        // of a session
}

const (
	// location is the base of the schema's references. It has a path, so a relative reference to
	// another text differs from it.
	location   = "schema://configuration/schema"
	vocabulary = "schema://configuration/vocabulary"
)

// Compile compiles the text of a schema. It reads no file and no network. The error is an [*Error].
func Compile(text []byte) (s *Schema, err error) {
	limits := jsontree.Limits{Bytes: MaxBytes, Depth: MaxDepth, Pointer: MaxBytes}
	tree, err := jsontree.Parse(text, limits)
	if err != nil {
		return nil, textError(err)
	}
	if tree.Kind() != jsontree.Object && tree.Kind() != jsontree.Bool {
		return nil, &Error{Fault: Keyword}
	}
	if countObjects(tree) > MaxObjects {
		return nil, &Error{Fault: Complex}
	}
	if at, found := firstIncomparable(tree, nil); found {
		return nil, &Error{Fault: Keyword, Pointer: at}
	}
	defer func() {
		if recover() != nil { // the panic value may quote the schema
			s, err = nil, &Error{Fault: Keyword}
		}
	}()
	s = &Schema{
		meter:   new(meter),
		anchors: make(map[string][]*jsonschema.Schema),
		lock:    make(chan struct{}, 1),
	}
	engine := &patterns{meter: s.meter, known: make(map[string]*pattern)}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing: no reference leaves the text
	c.AssertFormat()
	c.AssertVocabs()
	c.UseRegexpEngine(engine.compile)
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: vocabulary, Compile: s.compileNote})
	if err := c.AddResource(location, toAny(tree)); err != nil {
		return nil, &Error{Fault: Reference}
	}
	s.root, err = c.Compile(location)
	switch {
	case engine.tooLarge:
		return nil, &Error{Fault: Complex}
	case err != nil:
		return nil, compileError(err)
	}
	engine.compiled = true
	s.link()
	return s, nil
}

// link completes the notes once all schema objects exist.
func (s *Schema) link() {
	from := []*jsonschema.Schema{s.root}
	for _, targets := range s.anchors {
		from = append(from, targets...)
	}
	all := reachable(from...)
	for _, sch := range all {
		n := noteOf(sch)
		if n.content != nil && slices.ContainsFunc(reachable(n.content), isMarked) {
			n.sensitive, n.unmarked = true, false
		}
	}
	for _, sch := range all {
		if sch.Bool == nil {
			noteOf(sch).unique, sch.UniqueItems = sch.UniqueItems, false
			s.meter.install(sch)
		}
	}
}

func isMarked(sch *jsonschema.Schema) bool { return noteOf(sch).sensitive }

// reachable returns the given schemas and all schemas that they lead to.
func reachable(from ...*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := make(map[*jsonschema.Schema]bool)
	add := func(some ...*jsonschema.Schema) {
		for _, sch := range some {
			if sch != nil && !seen[sch] {
				seen[sch] = true
				all = append(all, sch)
			}
		}
	}
	add(from...)
	for i := 0; i < len(all); i++ {
		sch := all[i]
		add(sch.Ref, sch.RecursiveRef, sch.Not, sch.If, sch.Then, sch.Else, sch.Contains,
			sch.PropertyNames, asSchema(sch.AdditionalProperties), sch.UnevaluatedProperties,
			sch.Items2020, asSchema(sch.Items), asSchema(sch.AdditionalItems),
			sch.UnevaluatedItems, noteOf(sch).content)
		if sch.DynamicRef != nil {
			add(sch.DynamicRef.Ref)
		}
		list, _ := sch.Items.([]*jsonschema.Schema)
		add(slices.Concat(sch.AllOf, sch.AnyOf, sch.OneOf, sch.PrefixItems, list)...)
		add(slices.Collect(maps.Values(sch.Properties))...)
		add(slices.Collect(maps.Values(sch.PatternProperties))...)
		add(slices.Collect(maps.Values(sch.DependentSchemas))...)
		for _, s := range sch.Dependencies {
			add(asSchema(s))
		}
	}
	return all
}

func textError(err error) error {
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		return &Error{Fault: Fault(fault.Fault), Pointer: fault.Pointer}
	}
	return &Error{Fault: Keyword}
}

// compileError translates an error of the library.
func compileError(err error) error {
	if bad, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		e := &Error{Fault: Keyword}
		if found, ok := errors.AsType[*jsonschema.ValidationError](bad.Err); ok {
			e.Pointer = deepest(found)
		}
		return e
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if is[*jsonschema.LoadURLError](err) || is[*jsonschema.AnchorNotFoundError](err) ||
		is[*jsonschema.JSONPointerNotFoundError](err) ||
		is[*jsonschema.UnsupportedDraftError](err) || is[*jsonschema.ParseURLError](err) {
		return &Error{Fault: Reference}
	}
	return &Error{Fault: Keyword}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// deepest returns the pointer of the innermost first cause.
func deepest(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return jsontree.JoinPointer(e.InstanceLocation...)
}

func countObjects(n *jsontree.Node) int {
	count := 0
	if n.Kind() == jsontree.Object {
		count = 1
	}
	for _, c := range n.Children() {
		count += countObjects(c)
	}
	return count
}

// toAny converts a tree for the library.
func toAny(n *jsontree.Node) any {
	switch n.Kind() {
	case jsontree.Bool:
		return n.Text() == "true"
	case jsontree.Number:
		if !canCompare(n.Text()) {
			return approximate(n.Text())
		}
		return number(n.Text())
	case jsontree.String:
		return n.Text()
	case jsontree.Array:
		list := make([]any, 0, n.Len())
		for _, c := range n.Children() {
			list = append(list, toAny(c))
		}
		return list
	case jsontree.Object:
		members := make(map[string]any, n.Len())
		for name, c := range n.Children() {
			members[name] = toAny(c)
		}
		return members
	default:
		return nil
	}
}

// asSchema returns the schema in a field of several types, or nil.
func asSchema(field any) *jsonschema.Schema {
	sch, _ := field.(*jsonschema.Schema)
	return sch
}
