package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// placeAt returns the place at a pointer in a document.
func placeAt(tb testing.TB, s *schema.Schema, doc, pointer string) *schema.Place {
	tb.Helper()
	tokens, err := jsontree.ParsePointer(pointer)
	if err != nil {
		tb.Fatal(err)
	}
	p, n := s.Root(), parse(tb, doc)
	for _, token := range tokens {
		p, n = p.Child(token, n.Kind() == jsontree.Array), n.Child(token)
		if n == nil {
			tb.Fatalf("no %s in %s", pointer, doc)
		}
	}
	return p
}

// TestElementsShareDeclarations proves that elements with the same declarations share them, and
// nothing else.
func TestElementsShareDeclarations(t *testing.T) {
	s := compile(t,
		`{"prefixItems":[{"writeOnly":true}],"items":{"x-exposes":["0/x"],`+
			`"properties":{"x":{"writeOnly":true}}}}`)
	root := s.Root()
	for _, i := range []string{"1", "2", "1", "0"} {
		p := root.Child(i, true)
		want := schema.Unsaid
		if i == "0" {
			want = schema.Secret
		}
		if p.Verdict() != want || p.Child("x", false).Verdict() != schema.Secret {
			t.Errorf("element %s has verdict %v", i, p.Verdict())
		}
		if i == "0" {
			continue
		}
		places, _ := p.Exposes()
		if diff := cmp.Diff([][]string{{i, "x"}}, places); diff != "" {
			t.Errorf("element %s: %s", i, diff)
		}
	}
}

func TestKey(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"x-key":"id"}`: "id", `{"x-key":""}`: "",
		`{"allOf":[{"x-key":"id"},{}]}`:               "id",
		`{"anyOf":[{"x-key":"id"},{"x-key":"id"}]}`:   "id",
		`{"anyOf":[{"x-key":"id"},{"x-key":"name"}]}`: "",
	} {
		if got := compile(t, text).Root().Key(); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

var exposures = map[string]struct {
	schema, at string
	want       [][]string
	said       bool
	address    bool
}{
	"nothing": {schema: `{}`, at: "/a"},
	"from the root": {schema: `{"properties":{"a":{"x-exposes":["/x/y~1z",""]}}}`,
		at: "/a", want: [][]string{{"x", "y/z"}, nil}, said: true},
	"none": {schema: `{"properties":{"a":{"x-exposes":[]}}}`, at: "/a",
		said: true},
	"inherited": {schema: `{"properties":{"a":{"x-exposes":["/x"]}}}`, at: "/a/b/c",
		want: [][]string{{"x"}}, said: true},
	"narrowed": {
		schema: `{"x-exposes":["/x"],"properties":{"a":{"x-exposes":[]}}}`, at: "/a/b",
		said: true},
	"next to": {
		schema: `{"properties":{"l":{"items":{"properties":{"u":{"x-exposes":["1/t"]}}}}}}`,
		at:     "/l/0/u", want: [][]string{{"l", "0", "t"}}, said: true},
	"far up": {schema: `{"properties":{"a":{"x-exposes":["9/t"]}}}`, at: "/a",
		want: [][]string{{"t"}}, said: true},
	"itself": {schema: `{"properties":{"a":{"x-exposes":["0"]}}}`, at: "/a",
		want: [][]string{{"a"}}, said: true},
	"in two schemas": {
		schema: `{"properties":{"a":{"allOf":[{"x-exposes":["/x"]},{"x-exposes":[]},` +
			`{"x-exposes":["/y"]}]}}}`, at: "/a", want: [][]string{{"x"}, {"y"}},
		said: true},
	"one branch": {
		schema: `{"oneOf":[{"properties":{"a":{"x-exposes":[]}}},` +
			`{"properties":{"a":{"format":"uri"}}}]}`, at: "/a", address: true},
	"all branches": {
		schema: `{"oneOf":[{"properties":{"a":{"x-exposes":["/x"]}}},` +
			`{"properties":{"a":{"x-exposes":[]}}}]}`, at: "/a", want: [][]string{{"x"}},
		said: true},
	"then": {
		schema: `{"properties":{"a":{"format":"uri"}},"if":{"required":["m"]},` +
			`"then":{"properties":{"a":{"x-exposes":[]}}}}`, at: "/a", address: true},
	"only then": {
		schema: `{"if":{"required":["m"]},"then":{"properties":{"a":{"x-exposes":[]}}}}`,
		at:     "/a"},
	"branch adds": {
		schema: `{"properties":{"a":{"x-exposes":["/x"]}},"then":{},` +
			`"if":{"properties":{"a":{"x-exposes":["/y"]}}}}`, at: "/a",
		want: [][]string{{"x"}, {"y"}}, said: true},
	"branch below adds": {
		schema: `{"properties":{"a":{"x-exposes":["/x"],` +
			`"anyOf":[{"properties":{"b":{"x-exposes":["/y"]}}},` +
			`{"properties":{"b":{}}}]}}}`, at: "/a/b", want: [][]string{{"y"}, {"x"}},
		said: true},
	"branch below": {
		schema: `{"properties":{"a":{"x-exposes":["/x"],` +
			`"anyOf":[{"properties":{"b":{"x-exposes":[]}}},{"properties":{"b":{}}}]}}}`,
		at: "/a/b", want: [][]string{{"x"}}, said: true},
	"capitals": {schema: `{"properties":{"a":{"format":"URI"}}}`, at: "/a", address: true},
	"uri":      {schema: `{"properties":{"a":{"format":"uri"}}}`, at: "/a", address: true},
	"hostname": {schema: `{"properties":{"a":{"anyOf":[{"format":"hostname"}]}}}`, at: "/a",
		address: true},
	"e-mail": {schema: `{"properties":{"a":{"format":"email"}}}`, at: "/a"},
}

func TestExposes(t *testing.T) {
	const doc = `{"a":{"b":{"c":1}},"l":[{"u":1}]}`
	for name, c := range exposures {
		t.Run(name, func(t *testing.T) {
			p := placeAt(t, compile(t, c.schema), doc, c.at)
			got, said := p.Exposes()
			if len(got) != len(c.want) || said != c.said || p.Address() != c.address {
				t.Fatalf("got %v, %v, %v", got, said, p.Address())
			}
			for i := range got {
				if diff := cmp.Diff(append([]string{}, c.want[i]...),
					append([]string{}, got[i]...)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	for name, c := range map[string]struct{ schema, doc, want string }{
		"none": {`{}`, `{"a":1}`, `{"a":1}`},
		"added, by name": {
			`{"properties":{"b":{"default":2},"a":{"default":{"y":1.50,"x":[null]}}}}`,
			`{"z":0}`, `{"z":0,"a":{"x":[null],"y":1.50},"b":2}`},
		"there already": {`{"properties":{"a":{"default":1}}}`, `{"a":null}`, `{"a":null}`},
		"within": {
			`{"properties":{"a":{"items":{"properties":{"b":{"default":1}}}}}}`,
			`{"a":[{},{"b":2},3]}`, `{"a":[{"b":1},{"b":2},3]}`},
		"not in a default": {
			`{"$ref":"#/$defs/s","$defs":{"s":{"properties":{"a":{"default":{},` +
				`"$ref":"#/$defs/s"}}}}}`, `{}`, `{"a":{}}`},
		"by $ref, allOf": {
			`{"allOf":[{"properties":{"a":{"$ref":"#/$defs/s"}}}],"$defs":{"s":{"default":1}}}`,
			`{}`, `{"a":1}`},
		"not in a branch": {
			`{"anyOf":[{"properties":{"a":{"default":1}}}],` +
				`"properties":{"b":{"oneOf":[{"default":2}]}}}`, `{}`, `{}`},
		"of no object": {`{"default":{"a":1}}`, `[]`, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, c.doc)
			got := compile(t, c.schema).Defaults(doc)
			if text := string(got.Append(nil)); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
			if c.want == c.doc && got != doc {
				t.Error("an unchanged document is another one")
			}
		})
	}
}

// TestDefaultsAreBounded proves that defaults end once the document is too large.
func TestDefaultsAreBounded(t *testing.T) {
	s := compile(t, `{"items":{"properties":{`+manyNames(200, `"p%d":{"default":0}`)+`}}}`)
	n := len(s.Defaults(parse(t, "["+list("{}", 15_000)+"]")).Append(nil))
	if n < jsontree.DefaultBytes || n > 2*jsontree.DefaultBytes {
		t.Errorf("%d bytes", n)
	}
	large := compile(t, `{"items":{"properties":{"a":{"default":"`+strings.Repeat("x", 200_000)+
		`"}}}}`)
	n = len(large.Defaults(parse(t, "["+list("{}", 15_000)+"]")).Append(nil))
	if n < jsontree.DefaultBytes || n > 3*jsontree.DefaultBytes {
		t.Errorf("large ones: %d bytes", n)
	}
	wide := compile(t, `{"additionalProperties":{"properties":{`+manyNames(4900, `"p%d":{}`)+
		`}}}`).Session()
	wide.Defaults(parse(t, `{`+manyNames(15_000, `"k%d":{}`)+`}`))
	if !wide.Overran() {
		t.Error("looking for defaults in each of many members is not counted")
	}
}

// TestSessionCachesPlaces proves that a session computes each place once.
func TestSessionCachesPlaces(t *testing.T) {
	s := compile(t, `{"anyOf":[`+list(`{}`, 1000)+`],"properties":{"a":{"writeOnly":true}}}`)
	one := s.Session()
	for range 1000 {
		if one.Root().Child("a", false).Verdict() != schema.Secret {
			t.Fatal("not secret")
		}
	}
	top, fresh := one.Root(), s.Root()
	if one.Overran() || one.Root() != top || s.Root() == fresh || s.Overran() {
		t.Error("places are not kept, or in more than the session")
	}
}

// The branches of a schema are searched for declarations once, not for each element of an array.
// Otherwise an array of 60,000 numbers under 2,000 branches took two minutes.
func TestElementsReadDeclarationsOnce(t *testing.T) {
	allocs := func(branches int) float64 {
		list := strings.TrimSuffix(strings.Repeat(`{"minimum":1},`, branches), ",")
		root := compile(t, `{"items":{"anyOf":[`+list+`]}}`).Root()
		return testing.AllocsPerRun(100, func() {
			p := root.Child("7", true)
			_, _ = p.Exposes()
			_, _, _ = p.AnyNames(), p.Address(), p.Key()
		})
	}
	if few, many := allocs(1), allocs(1000); many > few {
		t.Errorf("%v allocations for one branch, %v for 1000", few, many)
	}
}

// Comparing arrays within arrays with a list counts as work.
func TestListsOfNestedArraysIsBounded(t *testing.T) {
	s := compile(t, `{"enum":[[1]],"items":{"$ref":"#"}}`).Session()
	n := parse(t, strings.Repeat("[", 60)+strings.Repeat("0,", 50_000)+"0"+strings.Repeat("]", 60))
	for p := s.Root(); n.Kind() == jsontree.Array; p, n = p.Child("0", true), n.Element(0) {
		p.Lists(n)
	}
	if !s.Overran() {
		t.Error("60 comparisons of 50,000 values cost nothing")
	}
}
