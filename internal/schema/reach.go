package schema

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// closure returns the given schemas and all that next leads to.
func closure(
	from []*jsonschema.Schema, next func(*jsonschema.Schema) []*jsonschema.Schema,
) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := make(map[*jsonschema.Schema]bool)
	add := func(some []*jsonschema.Schema) {
		for _, sch := range some {
			if sch != nil && !seen[sch] {
				seen[sch] = true
				all = append(all, sch)
			}
		}
	}
	add(from)
	for i := 0; i < len(all); i++ {
		add(next(all[i]))
	}
	return all
}

// reachable returns the given schemas and all schemas that they contain or refer to.
func (s *Schema) reachable(from ...*jsonschema.Schema) []*jsonschema.Schema {
	return closure(from, func(sch *jsonschema.Schema) []*jsonschema.Schema {
		return append(s.applying(sch), sch.Not, sch.PropertyNames, noteOf(sch).content)
	})
}

// applying returns the schemas that can apply to a place where sch applies, or below it.
func (s *Schema) applying(sch *jsonschema.Schema) []*jsonschema.Schema {
	return slices.Concat(s.constant(sch), sch.AnyOf, sch.OneOf, conditions(sch),
		[]*jsonschema.Schema{sch.Contains, sch.UnevaluatedProperties, sch.UnevaluatedItems})
}

// constant returns the schemas that apply, whatever the document, to a place where sch applies, or
// below it.
func (s *Schema) constant(sch *jsonschema.Schema) []*jsonschema.Schema {
	list, _ := sch.Items.([]*jsonschema.Schema)
	all := slices.Concat(always(s, sch), sch.PrefixItems, list, []*jsonschema.Schema{
		asSchema(sch.AdditionalProperties), sch.Items2020, asSchema(sch.Items),
		asSchema(sch.AdditionalItems),
	})
	all = slices.AppendSeq(all, maps.Values(sch.Properties))
	return slices.AppendSeq(all, maps.Values(sch.PatternProperties))
}

// placed returns the pointers of the schema objects that can apply to a place, and of those in
// their contentSchema, whose marks count for the place.
func (s *Schema) placed() map[string]bool {
	all := closure([]*jsonschema.Schema{s.root}, s.applying)
	var content []*jsonschema.Schema
	for _, sch := range all {
		content = append(content, noteOf(sch).content)
	}
	found := make(map[string]bool)
	for _, sch := range slices.Concat(all, s.reachable(content...)) {
		if pointer, ok := pointerOf(sch); ok {
			found[pointer] = true
		}
	}
	return found
}

// pointerOf returns the pointer of a schema in the text. It returns false for one of the schemas
// that the library brings along.
func pointerOf(sch *jsonschema.Schema) (string, bool) {
	text, fragment, _ := strings.Cut(sch.Location, "#")
	pointer, err := url.PathUnescape(fragment)
	return pointer, err == nil && text == location
}

// markContent marks each schema whose contentSchema leads to a mark.
func markContent(all []*jsonschema.Schema, s *Schema) {
	from := make(map[*jsonschema.Schema][]*jsonschema.Schema) // who leads to a schema
	var marked []*jsonschema.Schema
	for _, sch := range all {
		n := noteOf(sch)
		if n.sensitive {
			marked = append(marked, sch)
		}
		for _, next := range append(s.applying(sch), sch.Not, sch.PropertyNames, n.content) {
			if next != nil {
				from[next] = append(from[next], sch)
			}
		}
	}
	leads := make(map[*jsonschema.Schema]bool)
	for _, sch := range closure(marked, func(sch *jsonschema.Schema) []*jsonschema.Schema {
		return from[sch]
	}) {
		leads[sch] = true
	}
	for _, sch := range all {
		if n := noteOf(sch); n.content != nil && leads[n.content] {
			n.sensitive, n.unmarked = true, false
		}
	}
}
