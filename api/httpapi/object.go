package httpapi

import (
	"iter"
	"regexp"
	"time"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Object reads members of a JSON object by their exact names. Violations go to a
// [validate.List], under the path of the member on the wire. Methods return zero values for bad
// members, so that a caller can go on and report everything at once. Unknown members are
// ignored.
type Object struct {
	node  *jsontree.Node
	path  string
	list  *validate.List
	nulls bool // null members count as absent
}

// ReadObject returns a reader of the object n at a path, "" for the whole body. Anything but an
// object is a violation, and so is nil.
func ReadObject(n *jsontree.Node, path string, l *validate.List) Object {
	o := Object{node: n, path: path, list: l}
	if n == nil || n.Kind() != jsontree.Object {
		o.node = nil
		l.Add(path, validate.RuleFormat, "must be an object")
	}
	return o
}

// Violations returns the list that violations go to.
func (o Object) Violations() *validate.List { return o.list }

// Path returns the path of a member.
func (o Object) Path(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// NullAsAbsent returns a reader of the same object and of the objects in it that ignores members
// with the value null.
func (o Object) NullAsAbsent() Object {
	o.nulls = true
	return o
}

// Node returns a member, or nil.
func (o Object) Node(name string) *jsontree.Node {
	n := o.node.Child(name)
	if n != nil && o.nulls && n.Kind() == jsontree.Null {
		return nil
	}
	return n
}

// Has reports whether a member exists, even if it is null.
func (o Object) Has(name string) bool { return o.Node(name) != nil }

// Require reports missing members, whatever type they should have.
func (o Object) Require(names ...string) {
	if o.node == nil {
		return // absent, or already reported
	}
	for _, name := range names {
		o.list.Required(o.Path(name), o.Has(name))
	}
}

// String returns a string; "" if the member is absent.
func (o Object) String(name string) string {
	n := o.member(name, jsontree.String, "must be a string")
	if n == nil {
		return ""
	}
	return n.Text()
}

// Bool returns a boolean; nil if the member is absent.
func (o Object) Bool(name string) *bool {
	n := o.member(name, jsontree.Bool, "must be true or false")
	if n == nil {
		return nil
	}
	b := n.Text() == "true"
	return &b
}

// Object returns a reader of an object; it has no members if the member is absent.
func (o Object) Object(name string) Object {
	n := o.member(name, jsontree.Object, "must be an object")
	return Object{node: n, path: o.Path(name), list: o.list, nulls: o.nulls}
}

// Strings returns the strings of an array; nil if the member is absent.
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

// Members returns the names and values of the object in order.
func (o Object) Members() iter.Seq2[string, *jsontree.Node] { return o.node.Children() }

// rfc3339 is the form of a time. time.Parse also takes a comma, an hour with one digit and zones
// of more than a day.
var rfc3339 = regexp.MustCompile(`^[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?` +
	`(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

const notTime = "must be a date and time such as 2024-02-28T10:00:00Z"

// Time returns a time in the form of RFC 3339; the zero time if the member is absent.
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

// member returns a member if it is of a kind, and reports it otherwise. It returns nil for an
// absent member.
func (o Object) member(name string, kind jsontree.Kind, violation string) *jsontree.Node {
	n := o.Node(name)
	if n != nil && n.Kind() != kind {
		o.list.Add(o.Path(name), validate.RuleFormat, violation)
		return nil
	}
	return n
}
