package softwareone

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// selection says which fields an answer has. It starts with the default fields. Each term adds a
// field or removes one. If several terms concern one field, the last of them counts.
type selection struct {
	terms []rql.Term
	audit bool // audit is a default field
}

// topLevel are the fields of an installation, in the order of Installation.
var topLevel = []string{
	"id", "name", "revision", "status", "extension", "account", "modules", "configuration",
	"invitation", "terms", "audit",
}

func newSelection(terms []rql.Term, audit bool) (*selection, error) {
	var l validate.List
	for _, t := range terms {
		if _, known := fields[t.Path]; !known && t.Path != "*" && t.Path != "configuration" {
			l.Add(t.Path, validate.RuleUnknown, unknownField)
		}
	}
	return &selection{terms: terms, audit: audit}, l.Err()
}

// has reports whether an answer has a field, in whole or in part.
func (s *selection) has(path string) bool {
	in := s.audit || path != "audit" && !strings.HasPrefix(path, "audit.")
	for _, t := range s.terms {
		switch {
		case t.Path == "*", t.Path == path, strings.HasPrefix(path, t.Path+"."):
			in = !t.Less
		case !t.Less && strings.HasPrefix(t.Path, path+"."):
			in = true // at least in part
		}
	}
	return in
}

// omitted returns the fields that an answer does not have, for $meta.
func (s *selection) omitted() []string {
	return slices.DeleteFunc(slices.Clone(topLevel), s.has)
}

// of returns an installation with the selected fields.
func (s *selection) of(w *Installation) any {
	if len(s.terms) == 0 {
		if s.audit {
			return w
		}
		bare := *w
		bare.Audit = nil
		return &bare
	}
	b, err := json.Marshal(w)
	if err != nil {
		return w // the API encodes w again, and reports the error
	}
	// A configuration can be as deep as the default limit, and is nested in the installation.
	tree, err := jsontree.Parse(b, jsontree.Limits{
		Bytes: len(b), Depth: 2 * jsontree.DefaultDepth, Pointer: 2 * jsontree.DefaultPointer,
		Values: len(b),
	})
	if err != nil {
		return w
	}
	return json.RawMessage(s.prune(tree, "").Append(nil))
}

// prune removes the fields that are not selected from an object, or from each object in an array.
// It does not look into the configuration.
func (s *selection) prune(n *jsontree.Node, path string) *jsontree.Node {
	return n.Rewrite(func(name string, child *jsontree.Node) *jsontree.Node {
		below := path
		if n.Kind() == jsontree.Object {
			below = strings.TrimPrefix(path+"."+name, ".")
			if !s.has(below) {
				return nil
			}
		}
		if below == "configuration" {
			return child
		}
		return s.prune(child, below)
	})
}
