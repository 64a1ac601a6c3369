package masked

import (
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// SchemaRule goes by what a schema declares, and by names as [NameRule] does where it declares nothing:
//
//   - a place that is marked is sealed as one value, whatever its kind, but for null; if a place below is un-marked, or the
//     whole document is marked, then its members are sealed one by one;
//   - a place that is un-marked, and what is below, is plain whatever its name and value, but for what is marked there;
//   - where the names of members are not to be judged, what is in these is judged by the names there and by value.
//
// With a schema a write does more than find secrets: elements of arrays are told apart by the member that it names, fields that
// it declares to be addresses are watched, and members that it has a default for are added to a document that changes.
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
	case schema.Open: // and so is everything below, but for what is marked
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

// anyOpen reports whether a place below n is un-marked.
func anyOpen(n *jsontree.Node, s spot) bool {
	for token, child := range n.Children() {
		below := s.child(n, token)
		if below.isOpen() || anyOpen(child, below) {
			return true
		}
	}
	return false
}

// HideAll is the rule for a document whose schema cannot be used: every value is sensitive. It is for reading only.
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
