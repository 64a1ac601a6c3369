package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-installation/installation/validate"
)

// InQuery begins the path of each violation in the query of a request. The name of the parameter
// follows.
const InQuery = "?"

// Query reads parameters of a query by their names and collects every violation; see [Query.Err].
// Its methods return a value even for a bad parameter, so that the caller can go on. Parameters
// that the caller does not read are ignored.
type Query struct {
	values url.Values
	list   validate.List
}

// ReadQuery parses the query of a request.
func ReadQuery(r *http.Request) *Query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &Query{values: values}
	if err != nil {
		q.list.Add(InQuery, validate.RuleFormat, "is no query") // err quotes the query
	}
	return q
}

// Err returns an error with all violations of the query and of the parameters that were read. It
// returns nil for a valid query.
func (q *Query) Err() error { return q.list.Err() }

// Text returns a parameter that has the form of an ID, or "" if the parameter is absent.
func (q *Query) Text(name string) string {
	given := q.values[name]
	switch {
	case len(given) == 0:
		return ""
	case len(given) > 1:
		q.list.Add(InQuery+name, validate.RuleTooMany, "must be given once")
		return ""
	}
	q.list.OptionalID(InQuery+name, given[0])
	return given[0]
}

// Required is [Query.Text] for a parameter that has to be given and not empty.
func (q *Query) Required(name string) string {
	text := q.Text(name)
	q.list.Required(InQuery+name, text != "" || len(q.values[name]) > 1)
	return text
}

// Flag returns a parameter that is "true" or "false". It returns false if the parameter is absent.
func (q *Query) Flag(name string) bool { return q.OneOf(name, "true", "false") == "true" }

// OneOf returns a parameter that is one of the allowed values, or "" if the parameter is absent.
func (q *Query) OneOf(name string, allowed ...string) string {
	value := q.Text(name)
	if len(q.values[name]) == 1 && !slices.Contains(allowed, value) {
		q.list.Add(InQuery+name, validate.RuleUnknown, "must be one of the known values")
		return ""
	}
	return value
}

// Number returns a parameter that is a whole number from low to high, or fallback if the parameter
// is absent.
func (q *Query) Number(name string, low, high, fallback int) int {
	if len(q.values[name]) == 0 {
		return fallback
	}
	n, err := strconv.Atoi(q.Text(name))
	if err != nil {
		q.list.Add(InQuery+name, validate.RuleFormat, "must be a number")
		return fallback
	}
	q.list.Range(InQuery+name, int64(n), int64(low), int64(high))
	return n
}
