package classify

import (
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// SchemaRule decides by the declarations of a schema. Where the schema declares nothing, it decides
// as [NameRule] does:
//
//   - A place that the schema marks as secret is sealed as one value of any kind except null. If a
//     place below is unmarked (x-sensitive: false), or the whole document is marked, the members
//     are sealed one by one.
//   - Everything at and below an unmarked place is plain whatever its name and value, except for
//     marked places below.
//   - If the schema declares that the names of an object's members do not count (x-names: false),
//     the values inside are judged by the names further below and by their form.
//   - A value that the schema lists in an enum or const for its place is plain whatever its name,
//     even below a mark, so that a form can choose a branch. Another value at the place is judged
//     as if it had no list. If a place is marked and a value in it is listed, the members are
//     sealed one by one.
//   - An empty string is no secret.
//
// A write under a SchemaRule also uses the schema to identify elements of arrays (x-key), to find
// destinations by format and x-exposes, and to add defaults to a changed document.
type SchemaRule struct {
	Name   string // of schema and revision
	Schema *schema.Schema
	names  *Names
}

// With returns the rule with a memory of names. The result is for one goroutine.
func (r SchemaRule) With(m *Names) SchemaRule { return SchemaRule{r.Name, r.Schema, m} }

// ID returns "schema/2:" and the name.
func (r SchemaRule) ID() string { return "schema/2:" + r.Name }

// Sensitive returns the pointers of the values that are sensitive.
func (r SchemaRule) Sensitive(doc *jsontree.Node) []string {
	f := finder{names: r.names, nested: maxNested}
	f.declared(doc, jsontree.NewTrail(), r.Schema.Root(), plain)
	return f.found
}

// declared appends the sensitive values at and below n. It reports whether the schema says that a
// value at or below n is no secret, because then nothing around it is sealed as a whole.
func (f *finder) declared(
	n *jsontree.Node, at jsontree.Trail, place *schema.Place, covered degree,
) (open bool) {
	before, verdict := len(f.found), place.Verdict()
	open = verdict == schema.Open
	if n.IsString("") {
		return open
	}
	marked := verdict == schema.Secret && n.Kind() != jsontree.Null &&
		(!n.IsContainer() || len(at) > 0)
	if verdict == schema.Unsaid && !n.IsContainer() {
		f.walk(n, at, covered)
	}
	if (marked || covered > plain || len(f.found) > before) && place.Lists(n) {
		f.found = f.found[:before]
		return true
	}
	degreeOf := f.judge(n, covered, !place.AnyNames())
	inside := false
	for token, child := range n.Children() {
		below := place.Child(token, n.Kind() == jsontree.Array)
		inside = f.declared(child, at.Child(token), below, degreeOf(token, child)) || inside
	}
	switch {
	case inside:
		return true
	case marked:
		f.found = append(f.found[:before], at.Pointer())
	}
	return open
}

// HideAll is the rule for a document whose schema is unusable: every value is sensitive. It is only
// for reading.
type HideAll struct{}

// ID returns "all/1".
func (HideAll) ID() string { return "all/1" }

// Sensitive returns the pointers of all strings, numbers and booleans.
func (HideAll) Sensitive(doc *jsontree.Node) (found []string) {
	var walk func(n *jsontree.Node, at jsontree.Trail)
	walk = func(n *jsontree.Node, at jsontree.Trail) {
		if !n.IsContainer() && n.Kind() != jsontree.Null {
			found = append(found, at.Pointer())
		}
		for token, child := range n.Children() {
			walk(child, at.Child(token))
		}
	}
	walk(doc, jsontree.NewTrail())
	return found
}
