package softwareone

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/internal/httpapi"
	"github.com/go-installation/installation/validate"
)

// unknownField is what the platform says about a field that it does not have.
const unknownField = "Unknown expression group."

// readQuery reads the query string.
func readQuery(raw string) (*rql.Query, error) {
	q, err := rql.Parse(raw)
	if fault, ok := errors.AsType[*rql.Error](err); ok {
		return nil, httpapi.Invalid("query", validate.RuleSyntax, fault.Error())
	}
	return q, err
}

// match says whether an installation is one that was asked for.
type match func(w *wireInstallation) bool

// compiler makes matches of conditions, and notes all that is wrong with them.
type compiler struct {
	list  validate.List
	audit bool // selected, so that it may be filtered and ordered by
}

// field returns a field by its name.
func (c *compiler) field(name string) (field, bool) {
	f, known := fields[name]
	switch {
	case !known || name == "audit":
		c.list.Add(name, validate.RuleUnknown, unknownField)
		return f, false
	case !c.audit && strings.HasPrefix(name, "audit."):
		c.list.Add(name, validate.RuleRequired, "needs select=audit")
		return f, false
	}
	return f, true
}

// compile returns the match of a condition.
func (c *compiler) compile(e *rql.Expr) match {
	switch e.Op {
	case rql.And, rql.Or, rql.Not:
		args := make([]match, len(e.Args))
		for i, a := range e.Args {
			args[i] = c.compile(a)
		}
		return logical(e.Op, args)
	}
	f, ok := c.field(e.Field)
	if !ok {
		return nil
	}
	return c.comparison(e, f)
}

// logical returns the match that an operator makes of others.
func logical(op rql.Op, args []match) match {
	return func(w *wireInstallation) bool {
		for _, a := range args {
			if a(w) == (op != rql.And) { // for not: what holds for its one argument
				return op == rql.Or
			}
		}
		return op != rql.Or
	}
}

// comparison returns the match of a field with values. A field with several values compares well if one of them does; ne and out are the contrary
// of eq and in, so they hold for what is absent.
func (c *compiler) comparison(e *rql.Expr, f field) match {
	if special := e.Values[0].Kind; special != rql.Text || f.typ == object {
		switch {
		case special == rql.Text:
			c.list.Add(e.Field, validate.RuleFormat, "can be compared with null() and empty() alone")
		case e.Op == rql.Eq:
			return f.absent
		case e.Op == rql.Ne:
			return func(w *wireInstallation) bool { return !f.absent(w) }
		default:
			c.list.Add(e.Field, validate.RuleFormat, "null() and empty() are for eq and ne")
		}
		return nil
	}
	keys := make([]string, len(e.Values))
	for i, v := range e.Values {
		if v.Kind != rql.Text {
			c.list.Add(e.Field, validate.RuleFormat, "null() and empty() are for eq and ne")
		}
		if e.Op != rql.Like && e.Op != rql.Ilike {
			keys[i] = f.key(e.Field, v.Text, &c.list)
		}
	}
	switch e.Op {
	case rql.Eq, rql.In:
		return f.any(func(have string) bool { return slices.Contains(keys, have) })
	case rql.Ne, rql.Out:
		in := f.any(func(have string) bool { return slices.Contains(keys, have) })
		return func(w *wireInstallation) bool { return !in(w) }
	case rql.Gt:
		return f.any(func(have string) bool { return have > keys[0] })
	case rql.Ge:
		return f.any(func(have string) bool { return have >= keys[0] })
	case rql.Lt:
		return f.any(func(have string) bool { return have < keys[0] })
	case rql.Le:
		return f.any(func(have string) bool { return have <= keys[0] })
	}
	if f.typ != text && f.typ != word {
		c.list.Add(e.Field, validate.RuleFormat, "is no text to compare with a pattern")
	}
	return f.any(rql.NewPattern(e.Values[0].Text, e.Op == rql.Ilike || f.typ == word).Match)
}

// absent matches what does not have the field; what is empty is not there on the wire.
func (f field) absent(w *wireInstallation) bool { return len(f.get(w)) == 0 }

func (f field) any(holds func(string) bool) match {
	return func(w *wireInstallation) bool { return slices.ContainsFunc(f.get(w), holds) }
}

// order returns how two installations compare, nil if no order was asked for. What does not have a field comes before what does.
func (c *compiler) order(terms []rql.Term) func(a, b *wireInstallation) int {
	type key struct {
		field
		sign int
	}
	var by []key
	for _, t := range terms {
		f, ok := c.field(t.Path)
		if ok && f.typ == object {
			c.list.Add(t.Path, validate.RuleFormat, "cannot be ordered by")
		}
		k := key{f, 1}
		if t.Less {
			k.sign = -1
		}
		by = append(by, k)
	}
	if len(by) == 0 {
		return nil
	}
	return func(a, b *wireInstallation) int {
		for _, k := range by {
			if d := slices.Compare(k.get(a), k.get(b)); d != 0 {
				return k.sign * d
			}
		}
		return 0
	}
}
