package masked

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
//
// A write under a SchemaRule also uses the schema to identify elements of arrays (x-key), to find
// destinations by format and x-exposes, and to add defaults to a changed document.
type SchemaRule struct {
	Name   string // of schema and revision
	Schema *schema.Schema
}

// ID returns "schema/1:" and the name.
func (r SchemaRule) ID() string { return "schema/1:" + r.Name }

// Sensitive returns the pointers of the values that are sensitive.
func (r SchemaRule) Sensitive(doc *jsontree.Node) []string {
	var found []string
	collectDeclared(doc, spot{place: r.Schema.Root()}, plain, &found)
	return found
}

func collectDeclared(n *jsontree.Node, s spot, covered degree, found *[]string) {
	switch s.place.Verdict() {
	case schema.Open: // and everything below, except for marks
	case schema.Secret:
		if n.Kind() != jsontree.Null && (!n.IsContainer() || len(s.at) > 0 && !anyOpen(n, s)) {
			*found = append(*found, s.at.pointer())
			return
		}
	default:
		if !n.IsContainer() {
			collect(n, s.at.pointer(), covered, found)
			return
		}
	}
	degreeOf := judge(n, covered, !s.place.AnyNames())
	for token, child := range n.Children() {
		collectDeclared(child, s.child(n, token), degreeOf(token, child), found)
	}
}

// anyOpen reports whether a place below n is unmarked.
func anyOpen(n *jsontree.Node, s spot) bool {
	for token, child := range n.Children() {
		below := s.child(n, token)
		if below.isOpen() || anyOpen(child, below) {
			return true
		}
	}
	return false
}

// HideAll is the rule for a document whose schema is unusable: every value is sensitive. It is only
// for reading.
type HideAll struct{}

// ID returns "all/1".
func (HideAll) ID() string { return "all/1" }

// Sensitive returns the pointers of all strings, numbers and booleans.
func (HideAll) Sensitive(doc *jsontree.Node) []string {
	var found []string
	newWalk(nil, nil).transform(doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if !n.IsContainer() && n.Kind() != jsontree.Null {
			found = append(found, w.at.pointer())
		}
		return nil, false
	})
	return found
}
