package httpapi

import (
	"iter"
	"regexp"
	"time"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/validate"
)

// Object reads members of a JSON object by their exact names. For each bad member, it adds a
// violation to a [validate.List], with the path of the member in the request. Its methods return
// the zero value for a bad member, so that the caller can go on and report all violations at once.
// Members that the caller does not read are ignored.
type Object struct {
	node  *jsontree.Node
	path  string
	list  *validate.List
	nulls bool // null members count as absent
}

// ReadObject returns an [Object] that reads the members of n and adds violations to l. The path is
// the path of n in the request, or "" if n is the whole body. If n is nil or not a JSON object,
// ReadObject adds a violation.
func ReadObject(n *jsontree.Node, path string, l *validate.List) Object {
	o := Object{node: n, path: path, list: l}
	if n == nil || n.Kind() != jsontree.Object {
		o.node = nil
		l.Add(path, validate.RuleFormat, "must be an object")
	}
	return o
}

// Violations returns the list to which o adds violations.
func (o Object) Violations() *validate.List { return o.list }

// Path returns the path of a member in the request, for a violation. It cuts a name that looks like
// a secret.
func (o Object) Path(name string) string {
	name = redact.Name(name)
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// NullAsAbsent returns an [Object] that reads the same members, but treats a member with the value
// null as absent. It does so in nested objects too.
func (o Object) NullAsAbsent() Object {
	o.nulls = true
	return o
}

// Node returns the value of a member, or nil if the member is absent.
func (o Object) Node(name string) *jsontree.Node {
	n := o.node.Child(name)
	if n != nil && o.nulls && n.Kind() == jsontree.Null {
		return nil
	}
	return n
}

// Has reports whether a member exists. A null member exists, except after [Object.NullAsAbsent].
func (o Object) Has(name string) bool { return o.Node(name) != nil }

// Require adds a violation for each absent member. It does not check the types of members.
func (o Object) Require(names ...string) {
	if o.node == nil {
		return // the object itself is absent, or was a violation
	}
	for _, name := range names {
		o.list.Required(o.Path(name), o.Has(name))
	}
}

// String returns the text of a string member, or "" if the member is absent.
func (o Object) String(name string) string {
	n := o.member(name, jsontree.String, "must be a string")
	if n == nil {
		return ""
	}
	return n.Text()
}

// Bool returns the value of a boolean member, or nil if the member is absent.
func (o Object) Bool(name string) *bool {
	n := o.member(name, jsontree.Bool, "must be true or false")
	if n == nil {
		return nil
	}
	b := n.Text() == "true"
	return &b
}

// Object returns an [Object] for a member that is an object. If the member is absent, the result
// has no members.
func (o Object) Object(name string) Object {
	n := o.member(name, jsontree.Object, "must be an object")
	return Object{node: n, path: o.Path(name), list: o.list, nulls: o.nulls}
}

// Strings returns the strings of an array member, or nil if the member is absent.
func (o Object) Strings(name string) []string {
	n := o.member(name, jsontree.Array, "must be an array")
	if n == nil {
		return nil
	}
	out := make([]string, 0, n.Len())
	for i, item := range n.Children() {
		if item.Kind() != jsontree.String {
			o.list.Add(o.Path(name)+"["+i+"]", validate.RuleFormat, "must be a string")
			continue
		}
		out = append(out, item.Text())
	}
	return out
}

// Members returns the names and values of all members, in the order of the JSON text.
func (o Object) Members() iter.Seq2[string, *jsontree.Node] { return o.node.Children() }

// rfc3339 matches a time in the form of RFC 3339. time.Parse alone is not enough: it also accepts a
// comma before the fraction, an hour with one digit, and a time zone offset of a day or more.
var rfc3339 = regexp.MustCompile(`^[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?` +
	`(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

const notTime = "must be a date and time such as 2024-02-28T10:00:00Z"

// Time returns the time in a string member, in the form of RFC 3339, or the zero time if the
// member is absent.
func (o Object) Time(name string) time.Time {
	n := o.member(name, jsontree.String, notTime)
	if n == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, n.Text())
	if err != nil || !rfc3339.MatchString(n.Text()) {
		o.list.Add(o.Path(name), validate.RuleFormat, notTime)
		return time.Time{}
	}
	return t
}

// member returns the value of a member if the value is of a kind. A value of another kind is a
// violation. For a violation and for an absent member, member returns nil.
func (o Object) member(name string, kind jsontree.Kind, violation string) *jsontree.Node {
	n := o.Node(name)
	if n != nil && n.Kind() != kind {
		o.list.Add(o.Path(name), validate.RuleFormat, violation)
		return nil
	}
	return n
}
