package softwareone

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/softwareone/internal/rql"
	"github.com/go-installation/installation/validate"
)

// unknownField is the platform's text for an unknown field.
const unknownField = "Unknown expression group."

// readQuery parses the query string of a request. audit says whether the answer has the field audit
// if the query does not select it.
func readQuery(r *http.Request, audit bool) (*rql.Query, *selection, error) {
	q, err := rql.Parse(r.URL.RawQuery)
	if fault, ok := errors.AsType[*rql.Error](err); ok {
		return nil, nil, httpapi.Invalid("query", validate.RuleSyntax, fault.Error())
	}
	selected, err := newSelection(q.Select, audit)
	return q, selected, err
}

// match reports whether a row meets a condition.
type match func(r *row) bool

// row is an installation that a list tests against its conditions.
type row struct {
	*Installation
	lower map[string][]string // values of fields in lower case, by name of the field
	work  *meter              // limits the work of the whole list
}

// lowerValues returns the values of a field in lower case. It caches them.
func (r *row) lowerValues(f field) []string {
	if cached, ok := r.lower[f.name]; ok {
		return cached
	}
	values := f.values(r.Installation)
	for i, v := range values {
		r.work.spend(foldCost * len(v))
		values[i] = strings.ToLower(v)
	}
	if r.lower == nil {
		r.lower = make(map[string][]string)
	}
	r.lower[f.name] = values
	return values
}

// any reports whether test is true for at least one of the values. Each test costs the length of
// the value plus cost; see [meter].
func (r *row) any(values []string, cost int, test func(string) bool) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		return r.work.spend(cost+len(v)) && test(v)
	})
}

// compiler turns conditions into matches. It collects all violations.
type compiler struct {
	list  validate.List
	audit bool   // audit is selected, so filters and orders can use it
	below string // the collection and a dot, in a condition of any and all
}

// field returns a field by its name. If the query cannot use the field, it adds a violation and
// returns false.
func (c *compiler) field(name string) (field, bool) {
	name = c.below + name
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

// compile returns the match of a condition. If it adds violations, its result cannot be used.
// null() and empty() are the same, since the wire form leaves out empty values.
func (c *compiler) compile(e *rql.Expr) match {
	switch e.Op {
	case rql.And, rql.Or, rql.Not:
		args := make([]match, len(e.Args))
		for i, a := range e.Args {
			args[i] = c.compile(a)
		}
		return logical(e.Op, args)
	case rql.Any, rql.All:
		return c.items(e)
	}
	f, ok := c.field(e.Field)
	null := slices.ContainsFunc(e.Values, func(v rql.Value) bool { return v.Kind != rql.Text })
	switch {
	case !ok:
	case null && e.Op != rql.Eq && e.Op != rql.Ne:
		c.list.Add(f.name, validate.RuleFormat, "null() and empty() are for eq and ne")
	case null:
		return func(r *row) bool { return (len(f.values(r.Installation)) > 0) == (e.Op == rql.Ne) }
	case f.typ == objectField:
		c.list.Add(f.name, validate.RuleFormat, "can be compared with null() and empty() alone")
	case e.Op == rql.Like, e.Op == rql.Ilike:
		return c.pattern(e, f)
	default:
		return c.comparison(e, f)
	}
	return nil
}

// logical combines the matches of the arguments of And, Or or Not. The first false argument decides
// an And. The first true argument decides an Or, and also a Not, which has just one argument.
func logical(op rql.Op, args []match) match {
	return func(r *row) bool {
		for _, a := range args {
			if a(r) == (op != rql.And) {
				return op == rql.Or
			}
		}
		return op != rql.Or
	}
}

// collections are the fields that any and all can name.
var collections = map[string]func(*Installation) *[]Reference{
	"modules": func(w *Installation) *[]Reference { return &w.Modules },
	"terms":   func(w *Installation) *[]Reference { return &w.Terms },
}

// items returns the match of any and all. It tests the condition on a copy of the row that has one
// item of the collection at a time. As on the platform, all matches a row without items.
func (c *compiler) items(e *rql.Expr) match {
	f, ok := c.field(e.Field)
	of := collections[f.name]
	if of == nil {
		if ok {
			c.list.Add(f.name, validate.RuleFormat, "is no collection")
		}
		return nil
	}
	test := func(*row) bool { return true }
	if len(e.Args) > 0 {
		c.below = e.Field + "."
		test = c.compile(e.Args[0])
		c.below = ""
	}
	decisive := e.Op == rql.Any
	return func(r *row) bool {
		one := *r.Installation
		for i, items := 0, *of(&one); i < len(items); i++ {
			*of(&one) = items[i : i+1]
			if !r.work.spend(itemCost) || test(&row{Installation: &one, work: r.work}) == decisive {
				return decisive
			}
		}
		return !decisive
	}
}

// comparison returns the match that compares a field with values. If a field has several values,
// one that passes the comparison is enough. ne and out are the opposite of eq and in, so they match
// rows without the field.
func (c *compiler) comparison(e *rql.Expr, f field) match {
	keys := make([]string, len(e.Values))
	for i, v := range e.Values {
		keys[i] = f.key(v.Text, &c.list)
	}
	test := func(have string) bool { return slices.Contains(keys, have) }
	switch e.Op {
	case rql.Gt:
		test = func(have string) bool { return have > keys[0] }
	case rql.Ge:
		test = func(have string) bool { return have >= keys[0] }
	case rql.Lt:
		test = func(have string) bool { return have < keys[0] }
	case rql.Le:
		test = func(have string) bool { return have <= keys[0] }
	}
	opposite := e.Op == rql.Ne || e.Op == rql.Out
	return func(r *row) bool {
		return r.any(f.values(r.Installation), keyCost*len(keys), test) != opposite
	}
}

// pattern returns the match of like and ilike. The values of a wordField are in lower case already.
func (c *compiler) pattern(e *rql.Expr, f field) match {
	if f.typ != textField && f.typ != wordField {
		c.list.Add(f.name, validate.RuleFormat, "is no text to compare with a pattern")
	}
	text := e.Values[0].Text
	p := rql.NewPattern(text, e.Op == rql.Ilike || f.typ == wordField)
	if e.Op == rql.Ilike && f.typ == textField {
		return func(r *row) bool { return r.any(r.lowerValues(f), len(text), p.Match) }
	}
	return func(r *row) bool { return r.any(f.values(r.Installation), len(text), p.Match) }
}
