// Package schema reads the JSON Schemas (2020-12 and earlier drafts) of configurations. It
// validates documents against a schema, see [Schema.Check]. It also finds out what a schema
// declares about a place such as /api/key, for example that a secret is stored there, see [Place].
//
// The authors of extensions write the schemas, so this package treats them as hostile. It limits
// size, depth and work, and rejects a reference to another text. A schema that cannot be understood
// is an error, never a schema without declarations. The underlying library quotes values and
// schemas in its error messages, so this package never returns these messages.
package schema

import (
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Limits of a schema.
const (
	MaxBytes   = 1 << 20 // size of the text
	MaxDepth   = 128     // nested arrays and objects in the text
	MaxPointer = 4096    // bytes of the JSON Pointer to any value in the text
	MaxObjects = 10_000  // objects in the text; compiling takes quadratic time
)

// Fault is the reason why a schema is unusable. The values are stable. A fault of the text has the
// value of a [jsontree.Fault].
type Fault string

// Faults of a schema.
const (
	// Keyword means that a keyword has an invalid value, such as a pattern that Go rejects or a
	// number too long to compare.
	Keyword Fault = "keyword"
	// Reference means that a $ref or $schema leads to a missing place or to another text.
	Reference Fault = "reference"
	// Complex means that the schema has too many parts or too large patterns, or that it causes too
	// much work for a document.
	Complex Fault = "too-complex"
	// Mark means that a keyword marks a secret where no value of a document can be.
	Mark Fault = "lost-mark"
	// Default means that a default violates the schema that it stands in.
	Default Fault = "default"
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
	// anchors are the possible targets of a $dynamicRef by anchor name. Under the name "" they are
	// the possible targets of a $recursiveRef.
	anchors     map[string][]*jsonschema.Schema
	meter       *meter
	lock        chan struct{} // holds a value while a check uses the meter
	weight      int           // an upper bound of the bytes on the heap, see Cache
	sessionRoot *Place        // set in the copy that Session returns

	// Exposes reports whether an x-exposes anywhere in the schema names a secret.
	Exposes bool
}

const (
	// location is the URL of the schema, to which its references are relative. The URL has a path,
	// so a relative reference to another text gives a different URL.
	location   = "schema://configuration/schema"
	vocabulary = "schema://configuration/vocabulary"
)

// Compile compiles the text of a schema. It never accesses files or the network. The error is an
// [*Error].
func Compile(text []byte) (*Schema, error) {
	limits := jsontree.Limits{
		Bytes: MaxBytes, Depth: MaxDepth, Pointer: MaxPointer, Values: MaxBytes,
	}
	tree, err := jsontree.Parse(text, limits)
	if err != nil {
		return nil, textError(err)
	}
	if tree.Kind() != jsontree.Object && tree.Kind() != jsontree.Bool {
		return nil, &Error{Fault: Keyword}
	}
	if at, found := firstIncomparable(tree, nil); found {
		return nil, &Error{Fault: Keyword, Pointer: at}
	}
	doc, outline := readText(tree)
	if !outline.fits() {
		return nil, errComplex
	}
	s, err := compile(doc)
	if err != nil {
		return nil, err
	}
	if at, lost := outline.lostMark(s.placed()); lost {
		return nil, &Error{Fault: Mark, Pointer: at}
	}
	s.weight += weightOfText*len(text) + weightOfObject*outline.objects +
		weightOfPointer*outline.pointers
	if err := s.checkDefaults(); err != nil {
		return nil, err
	}
	return s, nil
}

// compile runs the library on the text of a schema.
func compile(doc any) (s *Schema, err error) {
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
	if err := c.AddResource(location, doc); err != nil {
		return nil, &Error{Fault: Reference}
	}
	s.root, err = c.Compile(location)
	switch {
	case engine.tooLarge:
		return nil, errComplex
	case err != nil:
		return nil, compileError(err)
	}
	engine.compiled = true
	s.weight = weightOfInstruction * engine.size
	s.link()
	return s, nil
}

// link completes the notes (see note) after the library has compiled all schema objects. It marks a
// place as secret if anything under its contentSchema is marked, and adds the gates that count
// work.
func (s *Schema) link() {
	from := []*jsonschema.Schema{s.root}
	for _, targets := range s.anchors {
		from = append(from, targets...)
	}
	all := s.reachable(from...)
	markContent(all, s)
	for _, sch := range all {
		s.Exposes = s.Exposes || len(noteOf(sch).exposes) > 0
		if sch.Bool == nil {
			n := noteOf(sch)
			n.unique, sch.UniqueItems = sch.UniqueItems, false
			if sch.Ref != nil && sch.DraftVersion < 2019 {
				// These drafts ignore what stands next to a $ref.
				n.unmarked, n.anyNames, n.saysExposes = false, false, false
			}
			n.gate = s.meter.install(sch)
			sch.Default, sch.Examples = nil, nil // not needed, and large
		}
	}
}

func textError(err error) error {
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		return &Error{Fault: Fault(fault.Fault), Pointer: fault.Pointer}
	}
	return &Error{Fault: Keyword}
}

// compileError translates an error of the library into an [*Error].
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

// deepest returns the pointer of the innermost error, going from each error to its first cause.
func deepest(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return jsontree.JoinPointer(e.InstanceLocation...)
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

// asSchema returns the schema in a library field that can have several types. It returns nil if the
// field has another type.
func asSchema(field any) *jsonschema.Schema {
	sch, _ := field.(*jsonschema.Schema)
	return sch
}
