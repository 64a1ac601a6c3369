package jsontree_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
)

func TestKinds(t *testing.T) {
	tests := []struct {
		in   string
		kind jsontree.Kind
		name string
		text string
	}{
		{`null`, jsontree.Null, "null", ""},
		{`true`, jsontree.Bool, "boolean", "true"},
		{`false`, jsontree.Bool, "boolean", "false"},
		{`1.50`, jsontree.Number, "number", "1.50"},
		{`"a\nb"`, jsontree.String, "string", "a\nb"},
		{`[1]`, jsontree.Array, "array", ""},
		{`{"a":1}`, jsontree.Object, "object", ""},
	}
	for _, tt := range tests {
		n := parse(t, tt.in)
		if n.Kind() != tt.kind || n.Kind().String() != tt.name || n.Text() != tt.text {
			t.Errorf("%s: got %v %q", tt.in, n.Kind(), n.Text())
		}
	}
	if got := jsontree.Kind(99).String(); got != "invalid" {
		t.Errorf("unknown kind: got %q", got)
	}
}

func TestNewString(t *testing.T) {
	n, err := jsontree.NewString("a\"b")
	if err != nil || text(n) != `"a\"b"` {
		t.Errorf("got %s, %v", text(n), err)
	}
	again, _ := jsontree.NewString("a\"b")
	if n == again {
		t.Error("two calls gave one node")
	}
	_, err = jsontree.NewString("ab\xffcd")
	if e, ok := errors.AsType[*jsontree.Error](err); !ok || e.Fault != jsontree.UTF8 ||
		e.Offset != 2 {
		t.Errorf("invalid UTF-8: got %v", err)
	}
}

func TestLookups(t *testing.T) {
	n := parse(t, `{"a":{"b/c":[10,11,12]},"":"empty","-":"dash","0":"zero"}`)
	tests := []struct{ pointer, want string }{
		{"", text(n)},
		{"/a/b~1c/0", "10"},
		{"/a/b~1c/2", "12"},
		{"/", `"empty"`},
		{"/-", `"dash"`},
		{"/0", `"zero"`},
		{"/a/b~1c/3", "<nil>"},
		{"/a/b~1c/-", "<nil>"},
		{"/a/b~1c/00", "<nil>"},
		{"/a/b~1c/01", "<nil>"},
		{"/a/b~1c/+1", "<nil>"},
		{"/a/b~1c/-1", "<nil>"},
		{"/a/b~1c/1 ", "<nil>"},
		{"/a/b~1c/", "<nil>"},
		{"/a/b~1c/18446744073709551616", "<nil>"},
		{"/A", "<nil>"},
		{"/a/b/c", "<nil>"},
		{"/0/0", "<nil>"},
	}
	for _, tt := range tests {
		tokens, err := jsontree.ParsePointer(tt.pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(n.At(tokens)); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.pointer, got, tt.want)
		}
	}
}

func TestNilHasNoChildren(t *testing.T) {
	var n *jsontree.Node
	for range n.Children() {
		t.Error("a child")
	}
	if n.Len() != 0 || n.Child("a") != nil || n.At([]string{"a", "b"}) != nil ||
		n.Lookup()("a") != nil {
		t.Error("nil has a child")
	}
	if n.IsContainer() || n.IsString("") {
		t.Error("nil is something")
	}
}

func TestChildren(t *testing.T) {
	var got []string
	n := parse(t, `{"b":[5,6],"a":{}}`)
	for name, child := range n.Children() {
		got = append(got, name)
		for index, elem := range child.Children() {
			got = append(got, index+"="+text(elem))
		}
	}
	if diff := cmp.Diff([]string{"b", "0=5", "1=6", "a"}, got); diff != "" {
		t.Error(diff)
	}
	for range n.Children() {
		break // must stop the iterator, which would panic otherwise
	}
}

func TestLookupOfManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x":"x"`)
	for i := range 100 {
		fmt.Fprintf(&b, `,"n%d":%d`, i, i)
	}
	b.WriteString("}")
	n := parse(t, b.String())
	member := n.Lookup()
	for i := range 100 {
		name := fmt.Sprintf("n%d", i)
		if member(name) == nil || member(name) != n.Child(name) {
			t.Fatalf("%s: got %v", name, member(name))
		}
	}
	if member("n100") != nil {
		t.Error("found a missing member")
	}
}

// rotatedMembers returns an object with the members n0 to n39, beginning with the given one.
func rotatedMembers(first int) string {
	var parts []string
	for i := range 40 {
		parts = append(parts, fmt.Sprintf(`"n%d":%d`, (i+first)%40, (i+first)%40))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestEqual(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"order of members", `{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{"order of many members", rotatedMembers(0), rotatedMembers(17), true},
		{"order of elements", `[1,2]`, `[2,1]`, false},
		{"spelling of text", `"\u0061"`, `"a"`, true},
		{"letter case", `"a"`, `"A"`, false},
		{"composed and decomposed", `"é"`, `"e\u0301"`, false},
		{"type", `"1"`, `1`, false},
		{"null and false", `null`, `false`, false},
		{"null and missing", `{"a":null}`, `{"b":null}`, false},
		{"fewer members", `{"a":1}`, `{"a":1,"b":2}`, false},
		{"fewer elements", `[1]`, `[1,1]`, false},
		{"other name", `{"a":1}`, `{"b":1}`, false},
		{"empty object and array", `{}`, `[]`, false},
		{"booleans", `[true,false]`, `[true,false]`, true},
		{"deep difference", `{"a":[{"b":1}]}`, `{"a":[{"b":2}]}`, false},

		{"number forms", `[1,1.0,10e-1,0.1E+1,100e-2]`, `[1.00,1,1,1,1]`, true},
		{"beyond a float", `9007199254740993`, `9007199254740992`, false},
		{"small fractions", `0.1`, `0.10000000000000000001`, false},
		{"leading zeros of a fraction", `0.00120`, `12e-4`, true},
		{"zeros", `[0,-0,0.00,0e99999999999999999999]`, `[-0.0,0,0e5,0]`, true},
		{"sign", `1`, `-1`, false},
		{"large exponents", `1e400`, `10e399`, true},
		{"larger exponents", `1e400`, `1e401`, false},
		{"exponent out of bounds, same text", `1e99999999999999999999`,
			`1e99999999999999999999`, true},
		{"exponent out of bounds, other text", `1e99999999999999999999`,
			`10e99999999999999999998`, false},
		{"exponent at the edge", `1e9223372036854775807`, `10e9223372036854775806`, false},
		{"negative exponent at the edge", `1e-9223372036854775807`, `0.1e-9223372036854775806`,
			false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := parse(t, tt.a), parse(t, tt.b)
			if got := a.Equal(b); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
			if got := b.Equal(a); got != tt.want {
				t.Errorf("the other way round: got %t, want %t", got, tt.want)
			}
			if got := bytes.Equal(a.AppendCanonical(nil),
				b.AppendCanonical(nil)); got != tt.want {
				t.Errorf("canonical: got %t, want %t", got, tt.want)
			}
		})
	}
	var none *jsontree.Node
	if !none.Equal(nil) || none.Equal(parse(t, `null`)) || parse(t, `null`).Equal(nil) {
		t.Error("nil equals only nil")
	}
}

func TestNodePrintsItsKindAlone(t *testing.T) {
	n := parse(t, `{"hunter2name":"hunter2canary"}`)
	type holder struct {
		Node *jsontree.Node
		node *jsontree.Node
	}
	var prints []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		prints = append(prints, fmt.Sprintf(verb, n), fmt.Sprintf(verb, holder{n, n}),
			fmt.Sprintf(verb, []any{n, n.Child("hunter2name")}))
	}
	encoded, err := json.Marshal(holder{n, n})
	if err != nil {
		t.Fatal(err)
	}
	prints = append(prints, string(encoded))
	for i, s := range prints {
		if strings.Contains(s, "hunter2") {
			t.Errorf("print %d is %s", i, s)
		}
	}
	if got := fmt.Sprint(n); got != "json(object)" {
		t.Errorf("got %q", got)
	}
	if got := fmt.Sprint((*jsontree.Node)(nil)); got != "json(nil)" {
		t.Errorf("nil: got %q", got)
	}
}
