package jsontree_test

import (
	"maps"
	"testing"

	"github.com/go-installation/installation/internal/jsontree"
)

func TestInsert(t *testing.T) {
	const doc = `{"a":[1,[2,3]],"b":4}`
	for name, c := range map[string]struct{ at, want string }{
		"first":         {"/a/0", `{"a":["x",1,[2,3]],"b":4}`},
		"between":       {"/a/1/1", `{"a":[1,[2,"x",3]],"b":4}`},
		"last by index": {"/a/2", `{"a":[1,[2,3],"x"],"b":4}`},
		"last by dash":  {"/a/-", `{"a":[1,[2,3],"x"],"b":4}`},
		"member":        {"/b", `{"a":[1,[2,3]],"b":"x"}`},
		"new member":    {"/c", `{"a":[1,[2,3]],"b":4,"c":"x"}`},
		"the whole":     {"", `"x"`},
		"behind":        {"/a/3", ""},
		"no such":       {"/c/d", ""},
		"in a number":   {"/b/0", ""},
		"in an element": {"/a/0/0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := jsontree.Parse([]byte(doc), jsontree.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			x, err := jsontree.NewString("x")
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := jsontree.ParsePointer(c.at)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := n.Insert(tokens, x)
			if ok != (c.want != "") || ok && string(got.Append(nil)) != c.want {
				t.Errorf("got %v, want %s", ok, c.want)
			}
			if string(n.Append(nil)) != doc {
				t.Error("the tree changed")
			}
		})
	}
}

func TestExtend(t *testing.T) {
	n, err := jsontree.Parse([]byte(`{"a":1}`), jsontree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n.Extend(maps.All(map[string]*jsontree.Node{})) != n {
		t.Error("nothing to add, and another object")
	}
	more := n.Extend(maps.All(map[string]*jsontree.Node{"b": jsontree.NewObject()}))
	if got := string(more.Append(nil)); got != `{"a":1,"b":{}}` {
		t.Errorf("got %s", got)
	}
	if got := string(n.Append(nil)); got != `{"a":1}` {
		t.Errorf("the first is now %s", got)
	}
}
