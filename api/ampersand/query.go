package ampersand

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/go-installation/installation/validate"
)

// query reads parameters of the query and collects what is wrong with them. Parameters that nobody asks for do not matter.
type query struct {
	values url.Values
	list   validate.List
}

// query returns a reader of the request's query.
func (c *call) query() *query {
	values, err := url.ParseQuery(c.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.list.Add(inQuery, validate.RuleFormat, "is no query") // the error quotes it
	}
	return q
}

// text returns a parameter; "" if it is absent.
func (q *query) text(name string) string {
	given := q.values[name]
	switch {
	case len(given) == 0:
		return ""
	case len(given) > 1:
		q.list.Add(inQuery+name, validate.RuleTooMany, "must be given once")
		return ""
	}
	q.list.OptionalID(inQuery+name, given[0])
	return given[0]
}

// flag returns a parameter that is true or false; false if it is absent.
func (q *query) flag(name string) bool { return q.oneOf(name, "true", "false") == "true" }

// oneOf returns a parameter that has one of these values; "" if it is absent.
func (q *query) oneOf(name string, allowed ...string) string {
	value := q.text(name)
	if len(q.values[name]) == 1 && !slices.Contains(allowed, value) {
		q.list.Add(inQuery+name, validate.RuleUnknown, "must be one of the known values")
		return ""
	}
	return value
}

// number returns a parameter within bounds; otherwise if it is absent.
func (q *query) number(name string, low, high, otherwise int) int {
	if len(q.values[name]) == 0 {
		return otherwise
	}
	n, err := strconv.Atoi(q.text(name))
	if err != nil {
		q.list.Add(inQuery+name, validate.RuleFormat, "must be a number")
		return otherwise
	}
	q.list.Range(inQuery+name, int64(n), int64(low), int64(high))
	return n
}
