package jsontree_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
)

const document = `{"a":{"b":[1,2,3]},"c":"x"}`

func TestSet(t *testing.T) {
	tests := []struct{ name, pointer, want string }{ // "" = rejected
		{"whole document", "", `true`},
		{"member, in its position", "/a", `{"a":true,"c":"x"}`},
		{"new member, last", "/d", `{"a":{"b":[1,2,3]},"c":"x","d":true}`},
		{"new deep member", "/a/-", `{"a":{"b":[1,2,3],"-":true},"c":"x"}`},
		{"element", "/a/b/1", `{"a":{"b":[1,true,3]},"c":"x"}`},
		{"append", "/a/b/-", `{"a":{"b":[1,2,3,true]},"c":"x"}`},
		{"append by index", "/a/b/3", `{"a":{"b":[1,2,3,true]},"c":"x"}`},
		{"index beyond the end", "/a/b/4", ""},
		{"no index", "/a/b/x", ""},
		{"index with leading zero", "/a/b/01", ""},
		{"no parent", "/d/e", ""},
		{"no parent in an array", "/a/b/-/x", ""},
		{"below a scalar", "/c/x", ""},
		{"below a deep scalar", "/a/b/0/x", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := parse(t, document)
			got, ok := n.Set(tokens(t, tt.pointer), parse(t, `true`))
			if ok != (tt.want != "") || ok && text(got) != tt.want {
				t.Errorf("got %s, %t, want %s", text(got), ok, tt.want)
			}
			if text(n) != document {
				t.Errorf("the node changed: %s", text(n))
			}
		})
	}
}

func TestSetDoesNotShareCapacity(t *testing.T) {
	n := jsontree.NewObject()
	for _, name := range []string{"a", "b", "c"} {
		n, _ = n.Set([]string{name}, parse(t, `0`))
	}
	x, _ := n.Set([]string{"x"}, parse(t, `1`))
	y, _ := n.Set([]string{"y"}, parse(t, `2`))
	if text(x) != `{"a":0,"b":0,"c":0,"x":1}` || text(y) != `{"a":0,"b":0,"c":0,"y":2}` {
		t.Errorf("got %s and %s", text(x), text(y))
	}
}

func TestRemove(t *testing.T) {
	tests := []struct{ name, pointer, want string }{ // "" = rejected
		{"whole document", "", `<nil>`},
		{"member", "/a", `{"c":"x"}`},
		{"element", "/a/b/0", `{"a":{"b":[2,3]},"c":"x"}`},
		{"last element", "/a/b/2", `{"a":{"b":[1,2]},"c":"x"}`},
		{"missing member", "/d", ""},
		{"missing element", "/a/b/3", ""},
		{"behind the last", "/a/b/-", ""},
		{"below a scalar", "/c/x", ""},
		{"missing deep", "/a/x/y", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := parse(t, document)
			got, ok := n.Remove(tokens(t, tt.pointer))
			if ok != (tt.want != "") || ok && text(got) != tt.want {
				t.Errorf("got %s, %t, want %s", text(got), ok, tt.want)
			}
			if text(n) != document {
				t.Errorf("the node changed: %s", text(n))
			}
		})
	}
	if _, ok := (*jsontree.Node)(nil).Remove(nil); ok {
		t.Error("removed nothing")
	}
}

func TestRewrite(t *testing.T) {
	n := parse(t, `{"a":1,"b":[2,3],"c":4}`)
	var seen []string
	same := n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		seen = append(seen, token+"="+text(child))
		return child
	})
	if same != n {
		t.Error("a rewrite without a change is another node")
	}
	if diff := cmp.Diff([]string{"a=1", "b=[2,3]", "c=4"}, seen); diff != "" {
		t.Error(diff)
	}
	got := n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		switch token {
		case "a":
			return nil
		case "c":
			return parse(t, `"four"`)
		}
		return child
	})
	if text(got) != `{"b":[2,3],"c":"four"}` || text(n) != `{"a":1,"b":[2,3],"c":4}` {
		t.Errorf("got %s from %s", text(got), text(n))
	}
	if got.Child("b") != n.Child("b") {
		t.Error("what did not change is not shared")
	}
	if s := parse(t, `"x"`); s.Rewrite(nil) != s {
		t.Error("a scalar was rewritten")
	}
	if got := (*jsontree.Node)(nil).Rewrite(nil); got != nil {
		t.Errorf("nil became %v", got)
	}
}

func TestCheckRejectsEditsBeyondTheLimits(t *testing.T) {
	lim := jsontree.Limits{Bytes: 60, Depth: 3, Pointer: 10}
	tests := []struct {
		name, pointer, value string
		fault                jsontree.Fault
		at                   string
	}{
		{"depth", "/a/b/0", `{"x":{}}`, jsontree.TooDeep, "/a/b/0"},
		{"pointer", "/a/b/0", `"x"`, "", ""},
		{"longer pointer", "/a/bcdefghi", `1`, jsontree.TooLong, "/a"},
		{"bytes", "/c", `"` + strings.Repeat("x", 60) + `"`, jsontree.TooLarge, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, ok := parse(t, document).Set(tokens(t, tt.pointer), parse(t, tt.value))
			if !ok {
				t.Fatal("not set")
			}
			err := n.Check(lim)
			if tt.fault == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*jsontree.Error](err)
			if !ok || e.Fault != tt.fault || e.Pointer != tt.at {
				t.Errorf("got %v, want %s at %q", err, tt.fault, tt.at)
			}
		})
	}
}

func tokens(tb testing.TB, pointer string) []string {
	tb.Helper()
	got, err := jsontree.ParsePointer(pointer)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func TestParsePointer(t *testing.T) {
	// The examples of RFC 6901 section 5, and edge cases.
	tests := []struct {
		pointer string
		want    []string
	}{
		{"", nil},
		{"/foo", []string{"foo"}},
		{"/foo/0", []string{"foo", "0"}},
		{"/", []string{""}},
		{"//", []string{"", ""}},
		{"/a~1b", []string{"a/b"}},
		{"/m~0n", []string{"m~n"}},
		{"/~01", []string{"~1"}},
		{"/~10~00", []string{"/0~0"}},
		{"/ ", []string{" "}},
		{`/i\j`, []string{`i\j`}},
		{"/%41", []string{"%41"}},
		{"/é\x00", []string{"é\x00"}},
	}
	for _, tt := range tests {
		got, err := jsontree.ParsePointer(tt.pointer)
		if err != nil {
			t.Errorf("%q: %v", tt.pointer, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: %s", tt.pointer, diff)
		}
		if back := jsontree.JoinPointer(got...); back != tt.pointer {
			t.Errorf("%q came back as %q", tt.pointer, back)
		}
	}
	for _, bad := range []string{"foo", "0", "#/foo", " /foo", "/a~", "/a~2b", "/~~0", "/a\xff",
		"~1a"} {
		got, err := jsontree.ParsePointer(bad)
		if err == nil || err.Error() != "not a JSON Pointer" || got != nil {
			t.Errorf("%q: got %q, %v", bad, got, err)
		}
	}
}

func TestChildPointer(t *testing.T) {
	got, want := jsontree.ChildPointer("/a", "b/c~d"), jsontree.JoinPointer("a", "b/c~d")
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
