package softwareone

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
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
type match func(r *row) bool

// row is an installation that a list looks at.
type row struct {
	*wireInstallation
	lower map[string][]string // values of fields in lower case, by the name of the field
	keys  [][]string          // what it is sorted by
	work  *meter
}

// folded returns the values of a field in lower case, which are made once.
func (r *row) folded(name string, values []string) []string {
	if have, ok := r.lower[name]; ok {
		return have
	}
	lower := make([]string, len(values))
	for i, v := range values {
		r.work.spend(foldCost * len(v))
		lower[i] = strings.ToLower(v)
	}
	if r.lower == nil {
		r.lower = make(map[string][]string)
	}
	r.lower[name] = lower
	return lower
}

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
	return func(r *row) bool {
		for _, a := range args {
			if a(r) == (op != rql.And) { // for not: what holds for its one argument
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
			return func(r *row) bool { return !f.absent(r) }
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
	cost := keyCost * len(keys)
	switch e.Op {
	case rql.Eq, rql.In:
		return f.any(cost, func(have string) bool { return slices.Contains(keys, have) })
	case rql.Ne, rql.Out:
		in := f.any(cost, func(have string) bool { return slices.Contains(keys, have) })
		return func(r *row) bool { return !in(r) }
	case rql.Gt:
		return f.any(cost, func(have string) bool { return have > keys[0] })
	case rql.Ge:
		return f.any(cost, func(have string) bool { return have >= keys[0] })
	case rql.Lt:
		return f.any(cost, func(have string) bool { return have < keys[0] })
	case rql.Le:
		return f.any(cost, func(have string) bool { return have <= keys[0] })
	}
	if f.typ != text && f.typ != word {
		c.list.Add(e.Field, validate.RuleFormat, "is no text to compare with a pattern")
	}
	wanted := e.Values[0].Text
	p := rql.NewPattern(wanted, e.Op == rql.Ilike || f.typ == word)
	if e.Op == rql.Like || f.typ == word { // words are in lower case as they are
		return f.any(len(wanted), p.Match)
	}
	return func(r *row) bool { return r.any(r.folded(e.Field, f.get(r.wireInstallation)), len(wanted), p.Match) }
}

// absent matches what does not have the field; what is empty is not there on the wire.
func (f field) absent(r *row) bool { return len(f.get(r.wireInstallation)) == 0 }

// any matches what has the field with a value for which holds is true, at a cost beside the length of each value.
func (f field) any(cost int, holds func(string) bool) match {
	return func(r *row) bool { return r.any(f.get(r.wireInstallation), cost, holds) }
}

func (r *row) any(values []string, cost int, holds func(string) bool) bool {
	return slices.ContainsFunc(values, func(v string) bool { return r.work.spend(cost+len(v)) && holds(v) })
}
