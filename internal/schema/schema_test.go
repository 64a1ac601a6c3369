package schema_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

func compile(tb testing.TB, text string) *schema.Schema {
	tb.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		tb.Fatalf("Compile(%.200s): %v", text, err)
	}
	return s
}

func parse(tb testing.TB, text string) *jsontree.Node {
	tb.Helper()
	n, err := jsontree.Parse([]byte(text), jsontree.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// A schema that cannot be understood is refused, never taken for one that says nothing.
func TestCompileRefuses(t *testing.T) {
	deep := strings.Repeat(`{"not":`, schema.MaxDepth+1) + "true" + strings.Repeat("}", schema.MaxDepth+1)
	many := `{"anyOf":[` + strings.TrimSuffix(strings.Repeat("{},", schema.MaxObjects), ",") + `]}`
	for name, c := range map[string]struct {
		text  string
		fault schema.Fault
	}{
		"no JSON":                     {`{"type":`, schema.Fault(jsontree.Syntax)},
		"a member twice":              {`{"x-sensitive":true,"x-sensitive":false}`, schema.Fault(jsontree.DuplicateKey)},
		"not UTF-8":                   {"{\"title\":\"\xff\"}", schema.Fault(jsontree.UTF8)},
		"too large":                   {`{"title":"` + strings.Repeat("x", schema.MaxBytes) + `"}`, schema.Fault(jsontree.TooLarge)},
		"too deep":                    {deep, schema.Fault(jsontree.TooDeep)},
		"too many parts":              {many, schema.Complex},
		"an array":                    {`[]`, schema.Keyword},
		"null":                        {`null`, schema.Keyword},
		"unknown type":                {`{"properties":{"a":{"type":"strnig"}}}`, schema.Keyword},
		"flag as text":                {`{"properties":{"a":{"x-sensitive":"true"}}}`, schema.Keyword},
		"flag as number":              {`{"x-secret":1}`, schema.Keyword},
		"flag of Airbyte as text":     {`{"airbyte_secret":"yes"}`, schema.Keyword},
		"writeOnly as text":           {`{"writeOnly":"true"}`, schema.Keyword},
		"flag in a branch":            {`{"anyOf":[{},{"x-sensitive":[]}]}`, schema.Keyword},
		"flag in an old draft":        {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"x-sensitive":0}}}`, schema.Keyword},
		"key as list":                 {`{"x-key":["id"]}`, schema.Keyword},
		"exposes as text":             {`{"x-exposes":"/a"}`, schema.Keyword},
		"exposes a number":            {`{"x-exposes":[1]}`, schema.Keyword},
		"exposes no pointer":          {`{"x-exposes":["a"]}`, schema.Keyword},
		"exposes a bad level":         {`{"x-exposes":["01/a"]}`, schema.Keyword},
		"exposes too many levels":     {`{"x-exposes":["99999999999999999999/a"]}`, schema.Keyword},
		"pattern":                     {`{"pattern":"("}`, schema.Keyword},
		"look-ahead":                  {`{"patternProperties":{"(?=a)":{}}}`, schema.Keyword},
		"reference to nothing":        {`{"$ref":"#/$defs/a"}`, schema.Reference},
		"anchor to nothing":           {`{"$ref":"#a"}`, schema.Reference},
		"reference beside":            {`{"$ref":"other.json"}`, schema.Reference},
		"reference to the network":    {`{"$ref":"https://schemas.example/a"}`, schema.Reference},
		"reference to a file":         {`{"$ref":"file:///etc/passwd"}`, schema.Reference},
		"reference that is no URL":    {`{"$ref":"%zz"}`, schema.Keyword},
		"one anchor twice":            {`{"allOf":[{"$anchor":"a"},{"$anchor":"a"}]}`, schema.Keyword},
		"unknown draft":               {`{"$schema":"https://schemas.example/draft"}`, schema.Reference},
		"reference in a deep place":   {`{"properties":{"a":{"items":{"$ref":"http://127.0.0.1:1/a"}}}}`, schema.Reference},
		"dynamic reference, outside":  {`{"$dynamicRef":"https://schemas.example/a#b"}`, schema.Reference},
		"base elsewhere, relative to": {`{"$id":"https://schemas.example/a","$ref":"b"}`, schema.Reference},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := schema.Compile([]byte(c.text))
			got, ok := errors.AsType[*schema.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if got.Fault != c.fault {
				t.Errorf("got %q, want %q", got.Fault, c.fault)
			}
		})
	}
}

// An error says where, as far as that is known.
func TestErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"properties":{"a":{"type":1}}}`:      "schema: /properties/a/type: keyword",
		`{"allOf":[{},{"pattern":"("}]}`:       "schema: /allOf/1/pattern: keyword",
		`{"properties":{"a":{"x-key":1}}}`:     "schema: /x-key: keyword",
		`{"properties":{"a":{"x-secret":""}}}`: "schema: /x-secret: keyword",
		`{"x-exposes":{}}`:                     "schema: /x-exposes: keyword",
		`{"$ref":"#/a"}`:                       "schema: reference",
		`1`:                                    "schema: keyword",
		`{"a":{"b":[1,}`:                       "schema: /a/b/1: syntax",
	} {
		if _, err := schema.Compile([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// What fits the limits exactly is taken.
func TestLimitsOfSchemas(t *testing.T) {
	if schema.MaxBytes != 262144 || schema.MaxDepth != 128 || schema.MaxObjects != 5000 {
		t.Error("a limit changed: it is documented")
	}
	compile(t, `{"title":"`+strings.Repeat("x", schema.MaxBytes-len(`{"title":""}`))+`"}`)
	compile(t, strings.Repeat(`{"not":`, schema.MaxDepth)+"true"+strings.Repeat("}", schema.MaxDepth))
	objects := strings.TrimSuffix(strings.Repeat(`{},`, schema.MaxObjects-1), ",")
	compile(t, `{"$comment":"`+strings.Repeat("x", 10)+`","examples":[`+objects+`]}`)
	if _, err := schema.Compile([]byte(`{"examples":[{},` + objects + `]}`)); err == nil {
		t.Error("one object too many was taken")
	}
}

// Compiling reads the text alone: no file and no server.
func TestCompileLoadsNothing(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, `true`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(`true`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{server.URL, "file://" + filepath.ToSlash(file), file} {
		for _, text := range []string{`{"$ref":%q}`, `{"$schema":%q}`, `{"$id":%q,"$ref":"a"}`, `{"$dynamicRef":%q}`, `{"allOf":[{"$ref":%q}]}`} {
			if _, err := schema.Compile(fmt.Appendf(nil, text, address)); err == nil {
				t.Errorf(text+" was accepted", address)
			}
		}
	}
	if asked > 0 {
		t.Errorf("the server was asked %d times", asked)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		schema, doc string
		want        []schema.Violation
	}{
		"good": {schema: `{"type":"object","required":["a"],"properties":{"a":{"minimum":1}}}`, doc: `{"a":1.0}`},
		"type": {
			schema: `{"properties":{"a":{"type":["integer","null"]}}}`, doc: `{"a":"x"}`,
			want: []schema.Violation{{"/a", "type", "null or integer"}},
		},
		"all at once, in order": {
			schema: `{"required":["x","z"],"properties":{"a":{"maxLength":1},"b":{"enum":[1]},"c~/":{"const":1}},"additionalProperties":false}`,
			doc:    `{"b":2,"a":"xy","c~/":2,"y":1,"x":1}`,
			want: []schema.Violation{
				{"/a", "maxLength", ""}, {"/b", "enum", ""}, {"/c~0~1", "const", ""}, {"/x", "additionalProperties", ""}, {"/y", "additionalProperties", ""},
				{"/z", "required", ""},
			},
		},
		"through references and allOf": {
			schema: `{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"items":{"pattern":"^a"}}}}`, doc: `["a","b"]`,
			want: []schema.Violation{{"/1", "pattern", ""}},
		},
		"alternatives are one": {
			schema: `{"oneOf":[{"type":"string"},{"type":"number"}],"anyOf":[{"const":1}],"not":{"const":true}}`, doc: `true`,
			want: []schema.Violation{{"", "anyOf", ""}, {"", "not", ""}, {"", "oneOf", ""}},
		},
		"if, then, else": {
			schema: `{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, doc: `{"a":1}`,
			want: []schema.Violation{{"/b", "required", ""}},
		},
		"dependent": {
			schema: `{"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{"required":["c"]}}}`, doc: `{"a":1}`,
			want: []schema.Violation{{"/b", "dependentRequired", ""}, {"/c", "required", ""}},
		},
		"dependencies of old": {
			schema: `{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"]}}`, doc: `{"a":1}`,
			want: []schema.Violation{{"/b", "dependencies", ""}},
		},
		"no such member":          {schema: `{"properties":{"a":false}}`, doc: `{"a":1}`, want: []schema.Violation{{"/a", "false", ""}}},
		"names":                   {schema: `{"propertyNames":{"maxLength":1}}`, doc: `{"ab":1}`, want: []schema.Violation{{"", "propertyNames", ""}}},
		"names, further down":     {schema: `{"additionalProperties":{"propertyNames":{"maxLength":1}}}`, doc: `{"a":{"bc":1},"d":{}}`, want: []schema.Violation{{"", "propertyNames", ""}}},
		"items":                   {schema: `{"uniqueItems":true,"minItems":3,"contains":{"const":2}}`, doc: `[1,1]`, want: []schema.Violation{{"", "contains", ""}, {"", "minItems", ""}, {"", "uniqueItems", ""}}},
		"formats are checked":     {schema: `{"format":"uri"}`, doc: `"no uri"`, want: []schema.Violation{{"", "format", ""}}},
		"unknown formats are not": {schema: `{"format":"password"}`, doc: `"x"`},
		"numbers keep all digits": {schema: `{"const":9007199254740993}`, doc: `9007199254740992`, want: []schema.Violation{{"", "const", ""}}},
		"true":                    {schema: `true`, doc: `{"a":1}`},
		"false":                   {schema: `false`, doc: `{"a":1}`, want: []schema.Violation{{"", "false", ""}}},
		"exponent":                {schema: `{"properties":{"a":{"minimum":0}}}`, doc: `{"a":{"b":[1e1001]}}`, want: []schema.Violation{{"/a/b/0", "", ""}}},
		"negative exponent":       {schema: `{"minimum":0}`, doc: `1E-0012345`, want: []schema.Violation{{"", "", ""}}},
		"highest exponent":        {schema: `{"minimum":0}`, doc: `1e+1000`},
		"zeros in the exponent":   {schema: `{"minimum":0}`, doc: `1e-0000000999`},
		"digits":                  {schema: `{}`, doc: strings.Repeat("1", 1001), want: []schema.Violation{{"", "", ""}}},
		"most digits":             {schema: `{}`, doc: strings.Repeat("1", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(parse(t, c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A schema can be written that takes time exponential in its size, and one that refers to itself for ever.
func TestCheckIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, `"s%d":{"anyOf":[{"allOf":[{"$ref":"#/$defs/s%d"},{"$ref":"#/$defs/s%d"}]},{"$ref":"#/$defs/s%d"}]},`, i, i+1, i+1, i+1)
	}
	bomb := compile(t, `{"$ref":"#/$defs/s0","$defs":{`+b.String()+`"s60":{"type":"null"}}}`)
	_, err := bomb.Check(parse(t, `{"a":1}`))
	if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Complex {
		t.Errorf("bomb: got %v", err)
	}
	if found, err := bomb.Check(parse(t, `null`)); err == nil || found != nil {
		t.Errorf("bomb that holds: got %v, %v", found, err)
	}
	if got := bomb.Root().Verdict(); got != schema.Unsaid && got != schema.Secret {
		t.Errorf("verdict %v", got)
	}
	_, err = compile(t, `{"$ref":"#"}`).Check(parse(t, `{}`))
	if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Reference {
		t.Errorf("endless: got %v", err)
	}
}

// What is too much to work out is taken for secret.
func TestPlacesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, `{"properties":{"a%d":{}},"additionalProperties":{"$ref":"#"}},`, i)
	}
	p := compile(t, `{"x-sensitive":false,"anyOf":[`+strings.TrimSuffix(b.String(), ",")+`]}`).Root()
	if p.Verdict() != schema.Open {
		t.Fatalf("verdict %v of the root", p.Verdict())
	}
	for range 60 {
		p = p.Child("x", false)
	}
	if got := p.Verdict(); got != schema.Secret {
		t.Errorf("verdict %v, want secret", got)
	}
	if _, said := p.Exposes(); said || !p.Address() {
		t.Error("it does not count as an address of everything")
	}
}

func TestConcurrentUse(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"maxLength":2}}}`)
	var wg sync.WaitGroup
	for i := range 8 {
		doc, want := parse(t, fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", i))), 0
		if i > 2 {
			want = 1
		}
		wg.Go(func() {
			for range 50 {
				if found, err := s.Check(doc); err != nil || len(found) != want {
					t.Errorf("%d: %v, %v", i, found, err)
				}
				s.Root().Child("a", false).Verdict()
			}
		})
	}
	wg.Wait()
}

// No error of this package, and nothing it returns, has a value of the document or the schema in it.
func TestNothingOfTheInputIsQuoted(t *testing.T) {
	const canary = "hunter2canary"
	quoted := fmt.Sprintf("%q", canary)
	var seen []string
	for _, text := range []string{
		`{"pattern":"(` + canary + `"}`, `{"$ref":"https://u:` + canary + `@schemas.example/a"}`, `{"$schema":"https://` + canary + `.example/a"}`,
		`{"type":` + quoted + `}`, `{"x-sensitive":` + quoted + `}`, `{"$ref":"#` + canary + `"}`, `{"$id":"%zz` + canary + `"}`, `{"title":"` + canary,
		`{"x-exposes":[` + quoted + `]}`, `{"enum":` + quoted + `}`, `{"default":` + quoted + `,"minLength":-1}`, `{"$anchor":"` + canary + ` "}`,
		`{"allOf":[{"$anchor":"a` + canary + `"},{"$anchor":"a` + canary + `"}]}`, `{"patternProperties":{"(?=` + canary + `)":{}}}`,
	} {
		_, err := schema.Compile([]byte(text))
		if err == nil {
			t.Errorf("%s was accepted", text)
		}
		seen = append(seen, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)))
	}
	for _, text := range []string{
		`{"type":"number"}`, `{"const":1}`, `{"enum":[1]}`, `{"pattern":"^x$"}`, `{"maxLength":1}`, `{"minLength":99}`, `{"not":{}}`, `{"anyOf":[{"const":1}]}`,
		`{"oneOf":[{},{}]}`, `{"format":"uri"}`, `{"format":"email"}`, `{"format":"date"}`, `{"format":"ipv4"}`, `{"format":"json-pointer"}`, `{"format":"regex","type":"null"}`,
		`{"format":"uuid"}`, `{"format":"duration"}`, `{"format":"hostname","maxLength":1}`, `{"allOf":[{"type":"null"}]}`, `false`,
	} {
		for _, doc := range []string{quoted, `{"a":` + quoted + `}`} {
			whole := text
			if doc != quoted {
				whole = `{"properties":{"a":` + text + `}}`
			}
			found, err := compile(t, whole).Check(parse(t, doc))
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
