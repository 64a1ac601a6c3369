package httpapi

import (
	"iter"
	"regexp"
	"time"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Object reads members of a JSON object by their exact names. What is wrong goes to a [validate.List], under the path of the member on the
// wire; the methods then return zero values, so that a caller reads on and reports everything at once. Members that nobody asks for do not matter.
type Object struct {
	node  *jsontree.Node
	path  string
	list  *validate.List
	nulls bool // count as absent
}

// ReadObject returns a reader of the object n at a path, "" for the whole body. Anything but an object, nil included, is a violation.
func ReadObject(n *jsontree.Node, path string, l *validate.List) Object {
	o := Object{node: n, path: path, list: l}
	if n == nil || n.Kind() != jsontree.Object {
		o.node = nil
		l.Add(path, validate.RuleFormat, "must be an object")
	}
	return o
}

// Path returns the path of a member.
func (o Object) Path(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// NullAsAbsent returns a reader of the same object, and of those in it, that takes a member which is null for one that is not there.
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

// Has reports whether the member is there; null is.
func (o Object) Has(name string) bool { return o.Node(name) != nil }

// Null reports whether the member is there and null.
func (o Object) Null(name string) bool { return o.Has(name) && o.Node(name).Kind() == jsontree.Null }

// Require demands that members are there, whatever they hold.
func (o Object) Require(names ...string) {
	if o.node == nil {
		return // said already
	}
	for _, name := range names {
		o.list.Required(o.Path(name), o.Has(name))
	}
}

// String returns a string; "" if the member is absent.
func (o Object) String(name string) string {
	n := o.of(name, jsontree.String, "must be a string")
	if n == nil {
		return ""
	}
	return n.Text()
}

// Bool returns a boolean; nil if the member is absent.
func (o Object) Bool(name string) *bool {
	n := o.of(name, jsontree.Bool, "must be true or false")
	if n == nil {
		return nil
	}
	b := n.Text() == "true"
	return &b
}

// Object returns a reader of the object in a member; of one without members if it is absent.
func (o Object) Object(name string) Object {
	return Object{node: o.of(name, jsontree.Object, "must be an object"), path: o.Path(name), list: o.list, nulls: o.nulls}
}

// Strings returns the strings of an array; nil if the member is absent.
func (o Object) Strings(name string) []string {
	n := o.of(name, jsontree.Array, "must be an array")
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

// rfc3339 is the form of a time. time.Parse takes a comma, one digit for an hour and zones of more than a day as well.
var rfc3339 = regexp.MustCompile(`^[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// Time returns the time in a member, in the form of RFC 3339; zero if the member is absent.
func (o Object) Time(name string) time.Time {
	n := o.of(name, jsontree.String, "must be a date and time such as 2024-02-28T10:00:00Z")
	if n == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, n.Text())
	if err != nil || !rfc3339.MatchString(n.Text()) {
		o.list.Add(o.Path(name), validate.RuleFormat, "must be a date and time such as 2024-02-28T10:00:00Z")
		return time.Time{}
	}
	return t
}

// of returns the member if it is of a kind.
func (o Object) of(name string, kind jsontree.Kind, otherwise string) *jsontree.Node {
	n := o.Node(name)
	if n == nil {
		return nil
	}
	if n.Kind() != kind {
		o.list.Add(o.Path(name), validate.RuleFormat, otherwise)
		return nil
	}
	return n
}
