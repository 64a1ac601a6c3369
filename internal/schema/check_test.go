package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

var checks = map[string]struct {
	schema, doc string
	want        []schema.Violation
}{
	"good": {schema: `{"type":"object","required":["a"],"properties":{"a":{"minimum":1}}}`,
		doc: `{"a":1.0}`},
	"type": {
		schema: `{"properties":{"a":{"type":["integer","null"]}}}`, doc: `{"a":"x"}`,
		want: []schema.Violation{{"/a", "type", "null or integer"}},
	},
	"all at once, in order": {
		schema: `{"required":["x","z"],"properties":{"a":{"maxLength":1},` +
			`"b":{"enum":[1]},"c~/":{"const":1}},"additionalProperties":false}`,
		doc: `{"b":2,"a":"xy","c~/":2,"y":1,"x":1}`,
		want: []schema.Violation{
			{"/a", "maxLength", ""}, {"/b", "enum", ""}, {"/c~0~1", "const", ""},
			{"/x", "additionalProperties", ""}, {"/y", "additionalProperties", ""},
			{"/z", "required", ""},
		},
	},
	"through references and allOf": {
		schema: `{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],` +
			`"$defs":{"a":{"items":{"pattern":"^a"}}}}`, doc: `["a","b"]`,
		want: []schema.Violation{{"/1", "pattern", ""}},
	},
	"alternatives are one": {
		schema: `{"oneOf":[{"type":"string"},{"type":"number"}],"anyOf":[{"const":1}],` +
			`"not":{"const":true}}`, doc: `true`,
		want: []schema.Violation{{"", "anyOf", ""}, {"", "not", ""}, {"", "oneOf", ""}},
	},
	"if, then, else": {
		schema: `{"if":{"required":["a"]},"then":{"required":["b"]},` +
			`"else":{"required":["c"]}}`, doc: `{"a":1}`,
		want: []schema.Violation{{"/b", "required", ""}},
	},
	"dependent": {
		schema: `{"dependentRequired":{"a":["b"]},` +
			`"dependentSchemas":{"a":{"required":["c"]}}}`, doc: `{"a":1}`,
		want: []schema.Violation{{"/b", "dependentRequired", ""}, {"/c", "required", ""}},
	},
	"dependencies of old": {
		schema: `{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"dependencies":{"a":["b"]}}`, doc: `{"a":1}`,
		want: []schema.Violation{{"/b", "dependencies", ""}},
	},
	"no such member": {schema: `{"properties":{"a":false}}`, doc: `{"a":1}`,
		want: []schema.Violation{{"/a", "false", ""}}},
	"names": {schema: `{"propertyNames":{"maxLength":1}}`,
		doc: `{"ab":1}`, want: []schema.Violation{{"", "propertyNames", ""}}},
	"names, further down": {
		schema: `{"additionalProperties":{"propertyNames":{"maxLength":1}}}`,
		doc:    `{"a":{"bc":1},"d":{}}`,
		want:   []schema.Violation{{"", "propertyNames", ""}}},
	"items": {
		schema: `{"uniqueItems":true,"minItems":3,"contains":{"const":2}}`, doc: `[1,1]`,
		want: []schema.Violation{{"", "contains", ""}, {"", "minItems", ""},
			{"", "uniqueItems", ""}}},
	"formats are checked": {schema: `{"format":"uri"}`, doc: `"no uri"`,
		want: []schema.Violation{{"", "format", ""}}},
	"unknown formats are not": {schema: `{"format":"password"}`, doc: `"x"`},
	"numbers keep all digits": {schema: `{"const":9007199254740993}`,
		doc: `9007199254740992`, want: []schema.Violation{{"", "const", ""}}},
	"true": {schema: `true`, doc: `{"a":1}`},
	"false": {schema: `false`, doc: `{"a":1}`,
		want: []schema.Violation{{"", "false", ""}}},
	"exponent": {schema: `{"properties":{"a":{"minimum":0}}}`,
		doc: `{"a":{"b":[1e1001]}}`, want: []schema.Violation{{"/a/b/0", "", ""}}},
	"negative exponent": {schema: `{"minimum":0}`, doc: `1E-0012345`,
		want: []schema.Violation{{"", "", ""}}},
	"highest exponent":      {schema: `{"minimum":0}`, doc: `1e+1000`},
	"zeros in the exponent": {schema: `{"minimum":0}`, doc: `1e-0000000999`},
	"digits": {schema: `{}`, doc: strings.Repeat("1", 1001),
		want: []schema.Violation{{"", "", ""}}},
	"most digits": {schema: `{}`, doc: strings.Repeat("1", 1000)},
}

func TestCheck(t *testing.T) {
	for name, c := range checks {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(t.Context(),
				schema.Subject{Doc: parse(t, c.doc)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestUniqueItemsIgnoresSecrets proves that a violation never depends on whether a secret
// equals another value, not even in a branch or under not.
func TestUniqueItemsIgnoresSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		schema, doc string
		secrets     []string
		want        []schema.Violation
	}{
		"a hit": {`{"uniqueItems":true}`, `["4711","4711"]`, []string{"/0"}, nil},
		"two secrets": {`{"uniqueItems":true}`, `["4711","4711"]`,
			[]string{"/0", "/1"}, nil},
		"further down": {`{"items":{"properties":{"l":{"uniqueItems":true}}}}`,
			`[{"l":[{"a":1},{"a":1}]}]`, []string{"/0/l/1/a"}, nil},
		"by its absence": {`{"not":{"uniqueItems":true}}`, `["4711","4711"]`,
			[]string{"/0"}, []schema.Violation{{"", "not", ""}}},
		"by its absence, a miss": {`{"not":{"uniqueItems":true}}`, `["4711","4712"]`,
			[]string{"/0"}, []schema.Violation{{"", "not", ""}}},
		"others": {`{"uniqueItems":true}`, `["4711","x","x"]`, []string{"/0"},
			[]schema.Violation{{"", "uniqueItems", ""}}},
		"secrets elsewhere": {`{"properties":{"l":{"uniqueItems":true}}}`,
			`{"l":[1,1.0],"li":1}`, []string{"/li"},
			[]schema.Violation{{"/l", "uniqueItems", ""}}},
		"within one secret": {`{"uniqueItems":true}`, `[1,1]`, []string{""},
			[]schema.Violation{{"", "uniqueItems", ""}}},
		"ten secrets and more": {`{"uniqueItems":true}`, `[0,1,2,3,4,5,6,7,8,9,1]`,
			[]string{"/1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(t.Context(),
				schema.Subject{Doc: parse(t, c.doc), Secrets: c.secrets})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// TestStoredNumbersMayBeOutOfBounds proves that a writer can keep a number that was stored
// before there was a schema.
func TestStoredNumbersMayBeOutOfBounds(t *testing.T) {
	long := "-0.00" + strings.Repeat("12", 3000) + "e-3"
	for name, c := range map[string]struct {
		schema, doc, stored string
		want                []schema.Violation
	}{
		"stored": {`{"items":{"type":"number"}}`, `[1e2000,1]`, `{"a":1e2000}`, nil},
		"given": {`{}`, `[1e2000,1]`, `{"a":1e2001}`,
			[]schema.Violation{{"/0", "", ""}}},
		"one of them given": {`{}`, `[1e2000,1e2001]`, `[1e2000]`,
			[]schema.Violation{{"/1", "", ""}}},
		"compared": {`{"items":{"maximum":1e1000,"minimum":0}}`,
			`[1e2000,-1e2000,1e-2000]`, `[1e2000,-1e2000,1e-2000]`,
			[]schema.Violation{{"/0", "maximum", ""}, {"/1", "minimum", ""}}},
		"long": {`{"exclusiveMaximum":-0.000001212121,"minimum":-0.000001212122}`,
			long, long, nil},
		"beyond reading": {`{"maximum":0}`, `1e99999999999999999999`, `1e99999999999999999999`,
			[]schema.Violation{{"", "maximum", ""}}},
		"near zero": {`{"maximum":0,"type":"number"}`, `-1e-99999999999999999999`,
			`-1e-99999999999999999999`, nil},
		"zero": {`{"const":0}`, `0e5000`, `0e5000`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(t.Context(),
				schema.Subject{Doc: parse(t, c.doc),
					Stored: []*jsontree.Node{parse(t, c.stored)}})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// TestValuesAreCompared proves that the gate compares const, enum and type as the library
// would: numbers by value, objects in any order.
func TestValuesAreCompared(t *testing.T) {
	for text, c := range map[string]struct{ good, bad []string }{
		`{"const":1.0}`: {[]string{`1`, `10e-1`},
			[]string{`1.1`, `"1"`, `true`, `null`}},
		`{"const":null}`: {[]string{`null`},
			[]string{`"null"`, `0`, `false`}},
		`{"const":{"a":[1,{}],"b":null}}`: {
			[]string{`{"b":null,"a":[1.0,{}]}`},
			[]string{`{"a":[1,{}]}`, `{"a":[1,[]],"b":null}`, `{"a":[1,{}],"c":null}`, `[]`}},
		`{"enum":["a",true,{"x":1},[1,2]]}`: {
			[]string{`"a"`, `true`, `{"x":1e0}`, `[1,2]`},
			[]string{`"true"`, `false`, `[2,1]`, `[1]`, `{"x":2}`, `1`}},
		`{"type":"integer"}`: {
			[]string{`1`, `1.0`, `1e3`, `-0`}, []string{`1.5`, `1e-1`, `"1"`}},
		`{"type":["number","null"]}`: {
			[]string{`1`, `1.5`, `null`}, []string{`"1"`, `{}`, `[]`, `true`}},
		`{"type":["object","boolean"]}`: {[]string{`{}`, `true`},
			[]string{`[]`, `null`}},
		`{"type":["array","string"]}`: {[]string{`[]`, `""`},
			[]string{`{}`, `1`}},
		`{"not":{"enum":[1,2]}}`: {[]string{`3`}, []string{`1`, `2.0`}},
		`{"const":1,"$ref":"#/$defs/a","$defs":{"a":{"enum":[1,2]}}}`: {[]string{`1`},
			[]string{`2`}},
	} {
		s := compile(t, text)
		for _, doc := range c.good {
			if found, err := s.Check(t.Context(),
				schema.Subject{Doc: parse(t, doc)}); err != nil || found != nil {
				t.Errorf("%s rejects %s: %v, %v", text, doc, found, err)
			}
		}
		for _, doc := range c.bad {
			if found, err := s.Check(t.Context(),
				schema.Subject{Doc: parse(t, doc)}); err != nil || len(found) == 0 {
				t.Errorf("%s accepts %s: %v", text, doc, err)
			}
		}
	}
}

func TestSchemaIsSafeForConcurrentUse(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"maxLength":2}}}`)
	var wg sync.WaitGroup
	for i := range 8 {
		doc, want := parse(t, fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", i))), 0
		if i > 2 {
			want = 1
		}
		wg.Go(func() {
			for range 50 {
				if found, err := s.Check(t.Context(), schema.Subject{Doc: doc}); err != nil ||
					len(found) != want {
					t.Errorf("%d: %v, %v", i, found, err)
				}
				s.Root().Child("a", false).Verdict()
			}
		})
	}
	wg.Wait()
}

// TestNoValueInErrorsOrViolations looks for values of the documents and schemas in everything
// that the package returns.
func TestNoValueInErrorsOrViolations(t *testing.T) {
	const canary = "hunter2canary"
	quoted := fmt.Sprintf("%q", canary)
	var seen []string
	for _, text := range []string{
		`{"pattern":"(` + canary + `"}`, `{"$ref":"https://u:` + canary +
			`@schemas.example/a"}`, `{"$schema":"https://` + canary + `.example/a"}`,
		`{"type":` + quoted + `}`, `{"x-sensitive":` + quoted + `}`,
		`{"$ref":"#` + canary + `"}`, `{"$id":"%zz` + canary + `"}`, `{"title":"` + canary,
		`{"x-exposes":[` + quoted + `]}`, `{"enum":` + quoted + `}`,
		`{"default":` + quoted + `,"minLength":-1}`, `{"$anchor":"` + canary + ` "}`,
		`{"allOf":[{"$anchor":"a` + canary + `"},{"$anchor":"a` + canary + `"}]}`,
		`{"patternProperties":{"(?=` + canary + `)":{}}}`,
	} {
		_, err := schema.Compile([]byte(text))
		if err == nil {
			t.Errorf("%s was accepted", text)
		}
		seen = append(seen, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)))
	}
	for _, text := range []string{
		`{"type":"number"}`, `{"const":1}`, `{"enum":[1]}`, `{"pattern":"^x$"}`,
		`{"maxLength":1}`, `{"minLength":99}`, `{"not":{}}`, `{"anyOf":[{"const":1}]}`,
		`{"oneOf":[{},{}]}`, `{"format":"uri"}`, `{"format":"email"}`, `{"format":"date"}`,
		`{"format":"ipv4"}`, `{"format":"json-pointer"}`, `{"format":"regex","type":"null"}`,
		`{"format":"uuid"}`, `{"format":"duration"}`, `{"format":"hostname","maxLength":1}`,
		`{"allOf":[{"type":"null"}]}`, `false`,
	} {
		for _, doc := range []string{quoted, `{"a":` + quoted + `}`} {
			whole := text
			if doc != quoted {
				whole = `{"properties":{"a":` + text + `}}`
			}
			found, err := compile(t, whole).Check(t.Context(),
				schema.Subject{Doc: parse(t, doc)})
			if err != nil || len(found) == 0 {
				t.Errorf("%s accepts it: %v", whole, err)
			}
			seen = append(seen, fmt.Sprintf("%v %+v", found, err))
		}
	}
	for _, s := range seen {
		if strings.Contains(s, canary) {
			t.Errorf("quoted: %s", s)
		}
	}
}

// TestViolationsInASecret proves that a violation inside a secret names the secret alone.
func TestViolationsInASecret(t *testing.T) {
	s := compile(t,
		`{"additionalProperties":{"properties":{"k":{"type":["string","null"]},"r":{}},`+
			`"additionalProperties":false,"required":["r"]}}`)
	got, err := s.Check(t.Context(), schema.Subject{
		Doc:     parse(t, `{"a":{"k":1,"x":2},"ab":{"k":1,"r":1},"c":{"d/e":1,"r":1}}`),
		Secrets: []string{"/a", "/c/d~1e"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Violation{
		{Pointer: "/a", Keyword: "type", Want: "null or string"},
		{Pointer: "/a", Keyword: "required"},
		{Pointer: "/a", Keyword: "additionalProperties"},
		{Pointer: "/ab/k", Keyword: "type", Want: "null or string"},
		{Pointer: "/c/d~1e", Keyword: "additionalProperties"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestViolationDetail(t *testing.T) {
	for _, c := range []struct {
		violation schema.Violation
		want      string
	}{
		{schema.Violation{}, "has too many digits or too high an exponent: at most 1000"},
		{schema.Violation{Keyword: "required"}, "is required by the schema"},
		{schema.Violation{Keyword: "type", Want: "null or string"},
			"must be of type null or string"},
		{schema.Violation{Keyword: "additionalProperties"}, "is not known to the schema"},
		{schema.Violation{Keyword: "maxLength"}, "violates the schema: maxLength"},
	} {
		if got := c.violation.Detail(); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.violation, got, c.want)
		}
	}
}
