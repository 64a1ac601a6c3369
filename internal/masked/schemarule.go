package masked

import (
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// SchemaRule uses the declarations of a schema, and names as [NameRule] does if there are none:
//
//   - A marked place is sealed as one value of any kind except null. If a place below is
//     unmarked, or the whole document is marked, its members are sealed one by one.
//   - An unmarked place and everything below is plain whatever its name and value, except for
//     marks below.
//   - If the names of members do not count, the values inside are judged by the names there and
//     by value.
//
// A write under a schema also identifies elements of arrays by the member that it names,
// watches the fields that it declares as addresses, and adds its defaults to a changed
// document.
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
		if n.Kind() != jsontree.Null && (!n.IsContainer() || s.at != "" && !anyOpen(n, s)) {
			*found = append(*found, s.at)
			return
		}
	default:
		if !n.IsContainer() {
			collect(n, s.at, covered, found)
			return
		}
	}
	judged := n.Kind() == jsontree.Object && !s.place.AnyNames()
	for token, child := range n.Children() {
		below := covered
		if judged {
			below = max(covered, sensitiveName(token))
		}
		collectDeclared(child, s.child(n, token), below, found)
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

// HideAll is the rule for a document with an unusable schema: every value is sensitive. It is
// for reading only.
type HideAll struct{}

// ID returns "all/1".
func (HideAll) ID() string { return "all/1" }

// Sensitive returns the pointers of all strings, numbers and booleans.
func (HideAll) Sensitive(doc *jsontree.Node) []string {
	var found []string
	transform(doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if !n.IsContainer() && n.Kind() != jsontree.Null {
			found = append(found, at)
		}
		return nil, false
	})
	return found
}
