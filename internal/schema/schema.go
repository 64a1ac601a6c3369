// Package schema reads the JSON Schemas (2020-12, and the drafts before it) that describe configurations. It answers two
// questions: which documents a schema accepts, see [Schema.Check], and what it declares of a place whatever stands there,
// see [Place].
//
// Schemas come from whoever wrote the extension, so they are read as hostile: size, depth and cost are bounded, a reference
// that leads outside is refused instead of followed, and what cannot be understood is an error and never a schema that
// says nothing. The library beneath quotes values and schemas in its messages; none of them leaves this package.
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
	MaxDepth   = 128       // arrays and objects inside each other
	MaxObjects = 5000      // in it: compiling takes quadratic time
)

// Fault says why a schema cannot be used. The values are stable, beside those of [jsontree.Fault] for its text.
type Fault string

// Faults of a schema.
const (
	Keyword   Fault = "keyword"     // a keyword has a value that it cannot have, such as a pattern that is not one of Go's, or a number too long to compare
	Reference Fault = "reference"   // a $ref or $schema leads nowhere, or out of the text
	Complex   Fault = "too-complex" // too many parts, too large a pattern, or too much work for the document at hand
)

// Error is a schema that cannot be used.
type Error struct {
	Fault   Fault
	Pointer string // to the keyword, as far as it is known
}

// Error says what is wrong. Nothing of the schema is in it but names of keywords and members.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return "schema: " + string(e.Fault)
	}
	return "schema: " + e.Pointer + ": " + string(e.Fault)
}

// Schema is a schema that can be used. It is safe for use by many goroutines.
type Schema struct {
	root    *jsonschema.Schema
	anchors map[string][]*jsonschema.Schema // that a $dynamicRef may lead to, by name; a $recursiveRef to those of no name
	meter   *meter
	turn    chan struct{} // full while the meter is in use
	top     *Place        // of a session
}

// location is the base of the schema's references. It has a path, so that a relative reference to another text differs from
// it.
const location = "schema://configuration/schema"

// Compile reads the text of a schema. It reads nothing else: no file, no network. The error is an [*Error].
func Compile(text []byte) (s *Schema, err error) {
	tree, err := jsontree.Parse(text, jsontree.Limits{Bytes: MaxBytes, Depth: MaxDepth, Pointer: MaxBytes})
	if err != nil {
		return nil, textError(err)
	}
	if tree.Kind() != jsontree.Object && tree.Kind() != jsontree.Bool {
		return nil, &Error{Fault: Keyword}
	}
	if countObjects(tree) > MaxObjects {
		return nil, &Error{Fault: Complex}
	}
	if at, found := beyond(tree, "", nil); found {
		return nil, &Error{Fault: Keyword, Pointer: at}
	}
	defer func() {
		if recover() != nil { // what it says may quote the schema
			s, err = nil, &Error{Fault: Keyword}
		}
	}()
	s = &Schema{meter: new(meter), anchors: make(map[string][]*jsonschema.Schema), turn: make(chan struct{}, 1)}
	engine := &patterns{meter: s.meter, known: make(map[string]*pattern)}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	c.AssertVocabs()
	c.UseRegexpEngine(engine.compile)
	c.RegisterVocabulary(s.vocabulary())
	if err := c.AddResource(location, toAny(tree)); err != nil {
		return nil, &Error{Fault: Reference}
	}
	s.root, err = c.Compile(location)
	switch {
	case engine.over:
		return nil, &Error{Fault: Complex}
	case err != nil:
		return nil, compileError(err)
	}
	engine.closed = true
	s.finish()
	return s, nil
}

// finish does what has to wait until all schema objects are there.
func (s *Schema) finish() {
	all := reachable(slices.Concat([]*jsonschema.Schema{s.root}, slices.Concat(slices.Collect(maps.Values(s.anchors))...)))
	for _, sch := range all {
		if n := noteOf(sch); n.content != nil && slices.ContainsFunc(reachable([]*jsonschema.Schema{n.content}), isMarked) {
			n.sensitive, n.plain = true, false
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

// reachable returns the schemas that there are, and those that they lead to.
func reachable(from []*jsonschema.Schema) []*jsonschema.Schema {
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
		add(sch.Ref, sch.RecursiveRef, sch.Not, sch.If, sch.Then, sch.Else, sch.PropertyNames, sch.UnevaluatedProperties, sch.Contains, sch.Items2020,
			sch.UnevaluatedItems, asSchema(sch.AdditionalProperties), asSchema(sch.Items), asSchema(sch.AdditionalItems), noteOf(sch).content)
		if sch.DynamicRef != nil {
			add(sch.DynamicRef.Ref)
		}
		list, _ := sch.Items.([]*jsonschema.Schema)
		for _, some := range [][]*jsonschema.Schema{sch.AllOf, sch.AnyOf, sch.OneOf, sch.PrefixItems, list} {
			add(some...)
		}
		for _, s := range sch.Properties {
			add(s)
		}
		for _, s := range sch.PatternProperties {
			add(s)
		}
		for _, s := range sch.DependentSchemas {
			add(s)
		}
		for _, s := range sch.Dependencies {
			add(asSchema(s))
		}
	}
	return all
}

// noLoader refuses to load anything that is not in the text.
type noLoader struct{}

var errOutside = errors.New("schema: reference leads out of the text")

func (noLoader) Load(string) (any, error) { return nil, errOutside }

func textError(err error) error {
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		return &Error{Fault: Fault(fault.Fault), Pointer: fault.Pointer}
	}
	return &Error{Fault: Keyword}
}

// compileError puts an error of the library into our own words.
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
	for _, lost := range []bool{is[*jsonschema.LoadURLError](err), is[*jsonschema.AnchorNotFoundError](err), is[*jsonschema.JSONPointerNotFoundError](err),
		is[*jsonschema.UnsupportedDraftError](err), is[*jsonschema.ParseURLError](err)} {
		if lost {
			return &Error{Fault: Reference}
		}
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

// toAny returns a tree as the library takes it.
func toAny(n *jsontree.Node) any {
	switch n.Kind() {
	case jsontree.Bool:
		return n.Text() == "true"
	case jsontree.Number:
		if !canCompare(n.Text()) {
			return near(n.Text())
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

// asSchema returns the schema in a field that may hold something else.
func asSchema(field any) *jsonschema.Schema {
	sch, _ := field.(*jsonschema.Schema)
	return sch
}
