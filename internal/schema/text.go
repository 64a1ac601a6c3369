package schema

import (
	"net/url"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// Limits of the text that keep compiling fast. The library stores the pointer of each schema
// object, and for some keywords it visits all objects again, see outline.visits.
const (
	maxPointers = 2 << 20   // bytes of the pointers to all objects
	maxVisits   = 5_000_000 // number of such keywords, multiplied by the number of objects
)

// outline is what Compile has to know about a text before the library compiles it.
type outline struct {
	old      bool // a draft before 2019-09
	objects  int  // objects, and booleans that may be schemas
	pointers int  // bytes of the pointers to them
	marks    []mark
	// visits counts the names of schemas, for which the library visits all objects. It does so
	// too for a $ref to a place where it expects no schema.
	visits  int
	known   map[string]bool // pointers of the places where the library expects schemas
	targets map[string]bool // pointers that a $ref names
}

// mark is a keyword that marks a secret.
type mark struct {
	schema     string // pointer of the schema object with the keyword
	keyword    string
	definition string // pointer of the innermost definition around it, or ""
}

// role is what a value in the text of a schema is for.
type role int

const (
	schemaRole role = iota
	namesRole       // an object of schemas by name
	dataRole        // a value for documents
)

// roles are the roles of the values of keywords. All others may be schemas, or lists of schemas,
// also those of unknown keywords.
var roles = map[string]role{
	"properties": namesRole, "patternProperties": namesRole, "dependentSchemas": namesRole,
	"dependencies": namesRole, "$defs": namesRole, "definitions": namesRole,
	"const": dataRole, "enum": dataRole, "default": dataRole, "examples": dataRole,
	"example": dataRole,
}

// subschemas are the keywords with subschemas: true if the drafts before 2019-09 have them too.
var subschemas = map[string]bool{
	"properties": true, "patternProperties": true, "additionalProperties": true, "items": true,
	"additionalItems": true, "allOf": true, "anyOf": true, "oneOf": true, "not": true,
	"definitions": true, "dependencies": true, "propertyNames": true, "contains": true,
	"if": true, "then": true, "else": true, "$defs": false, "dependentSchemas": false,
	"prefixItems": false, "unevaluatedItems": false, "unevaluatedProperties": false,
	"contentSchema": false,
}

// place is a place in the text of a schema.
type place struct {
	at         string
	role       role
	known      bool // the library expects a schema here
	definition string
}

// readText converts the text of a schema for the library, and returns its outline.
func readText(n *jsontree.Node) (any, *outline) {
	o := &outline{known: make(map[string]bool), targets: make(map[string]bool)}
	if draft := n.Child("$schema"); draft != nil && n.Kind() == jsontree.Object {
		o.old = strings.Contains(draft.Text(), "/draft-0")
	}
	doc := o.read(n, place{known: true})
	for target := range o.targets {
		if !o.known[target] {
			o.visits++
		}
	}
	return doc, o
}

// fits reports whether compiling takes acceptable time and memory.
func (o *outline) fits() bool {
	return o.objects <= MaxObjects && o.pointers <= maxPointers && o.visits*o.objects <= maxVisits
}

func (o *outline) read(n *jsontree.Node, p place) any {
	switch n.Kind() {
	case jsontree.Array:
		list := make([]any, 0, n.Len())
		for token, c := range n.Children() {
			list = append(list, o.read(c, o.within(p, token, c)))
		}
		return list
	case jsontree.Object:
		o.objects++
		members := make(map[string]any, n.Len())
		for name, c := range n.Children() {
			members[name] = o.member(name, c, p)
		}
		return members
	}
	return toAny(n)
}

// within returns the place of a child with the same role. It computes pointers only where they can
// be needed and as long as the text can still fit.
func (o *outline) within(p place, token string, n *jsontree.Node) place {
	switch {
	case p.role == dataRole:
		return p
	case n.Kind() == jsontree.Bool:
		o.objects++
	case !n.IsContainer() || o.pointers > maxPointers:
		return p
	}
	p.at = jsontree.ChildPointer(p.at, token)
	o.pointers += len(p.at)
	if p.known {
		o.known[p.at] = true
	}
	return p
}

// member reads a member of the object at p.
func (o *outline) member(name string, n *jsontree.Node, p place) any {
	switch p.role {
	case dataRole:
		return o.read(n, p)
	case namesRole:
		p.role = schemaRole
		below := o.within(p, name, n)
		if p.definition == p.at {
			below.definition = below.at
		}
		return o.read(n, below)
	}
	o.keyword(name, n, p)
	if !n.IsContainer() {
		return toAny(n)
	}
	if name == "enum" && n.Kind() == jsontree.Array {
		n = distinct(n)
	}
	before, has := subschemas[name]
	p.role, p.known = roles[name], p.known && has && (before || !o.old)
	below := o.within(p, name, n)
	if name == "$defs" || name == "definitions" {
		below.definition = below.at // until the name of the definition is read
	}
	return o.read(n, below)
}

// keyword records a keyword of the schema at p.
func (o *outline) keyword(name string, n *jsontree.Node, p place) {
	text := n.Text()
	switch name {
	case "$id", "id", "$dynamicAnchor":
		o.visits++
	case "$ref", "$dynamicRef", "$recursiveRef":
		if _, fragment, _ := strings.Cut(text, "#"); strings.HasPrefix(fragment, "/") {
			if pointer, err := url.PathUnescape(fragment); err == nil {
				o.targets[pointer] = true
			}
		}
	}
	given := n.Kind() == jsontree.Null || n.Kind() == jsontree.Bool && text == "true"
	if secretFlags[name] && given ||
		name == "format" && n.Kind() == jsontree.String && strings.EqualFold(text, "password") {
		o.marks = append(o.marks, mark{p.at, name, p.definition})
	}
}

// distinct returns an enum without its repetitions, which the drafts advise against but allow. The
// library refuses them in drafts before 2019-09.
func distinct(enum *jsontree.Node) *jsontree.Node {
	seen := make(map[string]bool, enum.Len())
	return enum.Rewrite(func(_ string, v *jsontree.Node) *jsontree.Node {
		text := string(v.AppendCanonical(nil))
		if seen[text] {
			return nil
		}
		seen[text] = true
		return v
	})
}

// lostMark returns the pointer of the first mark that no place can reach, where placed tells which
// schema objects apply to a place. A mark in a definition that applies nowhere is not lost, because
// bundled texts have definitions to spare. But if no mark applies at all, then somebody forgot to
// refer to the definition.
func (o *outline) lostMark(placed map[string]bool) (pointer string, lost bool) {
	spare, applies := "", false
	for _, m := range o.marks {
		at := jsontree.ChildPointer(m.schema, m.keyword)
		switch {
		case placed[m.schema]:
			applies = true
		case m.definition == "" || placed[m.definition]:
			return at, true
		case spare == "":
			spare = at
		}
	}
	return spare, spare != "" && !applies
}
