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
		"names as text":               {`{"x-names":"false"}`, schema.Keyword},
		"names as null":               {`{"x-names":null}`, schema.Keyword},
		"exposes as text":             {`{"x-exposes":"/a"}`, schema.Keyword},
		"exposes a number":            {`{"x-exposes":[1]}`, schema.Keyword},
		"exposes no pointer":          {`{"x-exposes":["a"]}`, schema.Keyword},
		"exposes a bad level":         {`{"x-exposes":["01/a"]}`, schema.Keyword},
		"exposes too many levels":     {`{"x-exposes":["99999999999999999999/a"]}`, schema.Keyword},
		"high exponent":               {`{"allOf":[{"minimum":1e999999}]}`, schema.Keyword},
		"low exponent":                {`{"items":{"multipleOf":7e-999999}}`, schema.Keyword},
		"many digits":                 {`{"const":` + strings.Repeat("1", 1001) + `}`, schema.Keyword},
		"number in an example":        {`{"examples":[1e1001]}`, schema.Keyword},
		"large pattern":               {`{"pattern":"^(?:` + strings.Repeat("a?", 900) + `){900}b$"}`, schema.Complex},
		"large pattern of names":      {`{"patternProperties":{"(?:` + strings.Repeat("a?", 900) + `){900}":{}}}`, schema.Complex},
		"many patterns":               {`{"allOf":[` + manyPatterns(51) + `]}`, schema.Complex},
		"content with a bad keyword":  {`{"contentSchema":{"x-secret":""}}`, schema.Keyword},
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

// manyPatterns is a list of schemas, each with another pattern of about a thousand instructions.
func manyPatterns(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"pattern":"%d[a-z]{1000}"}`, i))
	}
	return strings.Join(list, ",")
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
	if schema.MaxBytes != 262144 || schema.MaxDepth != 128 || schema.MaxObjects != 5000 || schema.MaxPatterns != 50_000 {
		t.Error("a limit changed: it is documented")
	}
	compile(t, `{"title":"`+strings.Repeat("x", schema.MaxBytes-len(`{"title":""}`))+`"}`)
	compile(t, strings.Repeat(`{"not":`, schema.MaxDepth)+"true"+strings.Repeat("}", schema.MaxDepth))
	objects := strings.TrimSuffix(strings.Repeat(`{},`, schema.MaxObjects-1), ",")
	compile(t, `{"$comment":"`+strings.Repeat("x", 10)+`","examples":[`+objects+`]}`)
	compile(t, `{"allOf":[`+manyPatterns(24)+`]}`)
	compile(t, `{"allOf":[`+strings.TrimSuffix(strings.Repeat(`{"pattern":"^[a-z]{1000}$"},`, 200), ",")+`]}`)
	compile(t, `{"minimum":-1e1000,"maximum":1e+1000,"const":`+strings.Repeat("1", 1000)+`}`)
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
			got, err := compile(t, c.schema).Check(t.Context(), schema.Subject{Doc: parse(t, c.doc)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whether a secret equals another value never shows, not even in a branch or by its absence.
func TestUniqueItemsLooksAtNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		schema, doc string
		secrets     []string
		want        []schema.Violation
	}{
		"a hit":                  {`{"uniqueItems":true}`, `["4711","4711"]`, []string{"/0"}, nil},
		"two secrets":            {`{"uniqueItems":true}`, `["4711","4711"]`, []string{"/0", "/1"}, nil},
		"further down":           {`{"items":{"properties":{"l":{"uniqueItems":true}}}}`, `[{"l":[{"a":1},{"a":1}]}]`, []string{"/0/l/1/a"}, nil},
		"by its absence":         {`{"not":{"uniqueItems":true}}`, `["4711","4711"]`, []string{"/0"}, []schema.Violation{{"", "not", ""}}},
		"by its absence, a miss": {`{"not":{"uniqueItems":true}}`, `["4711","4712"]`, []string{"/0"}, []schema.Violation{{"", "not", ""}}},
		"others":                 {`{"uniqueItems":true}`, `["4711","x","x"]`, []string{"/0"}, []schema.Violation{{"", "uniqueItems", ""}}},
		"secrets elsewhere":      {`{"properties":{"l":{"uniqueItems":true}}}`, `{"l":[1,1.0],"li":1}`, []string{"/li"}, []schema.Violation{{"/l", "uniqueItems", ""}}},
		"within one secret":      {`{"uniqueItems":true}`, `[1,1]`, []string{""}, []schema.Violation{{"", "uniqueItems", ""}}},
		"ten secrets and more":   {`{"uniqueItems":true}`, `[0,1,2,3,4,5,6,7,8,9,1]`, []string{"/1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(t.Context(), schema.Subject{Doc: parse(t, c.doc), Secrets: c.secrets})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// A number that was there before, from a time without a schema, is not held against who writes something else.
func TestStoredNumbersArePassed(t *testing.T) {
	long := "-0.00" + strings.Repeat("12", 3000) + "e-3"
	for name, c := range map[string]struct {
		schema, doc, stored string
		want                []schema.Violation
	}{
		"stored":            {`{"items":{"type":"number"}}`, `[1e2000,1]`, `{"a":1e2000}`, nil},
		"given":             {`{}`, `[1e2000,1]`, `{"a":1e2001}`, []schema.Violation{{"/0", "", ""}}},
		"one of them given": {`{}`, `[1e2000,1e2001]`, `[1e2000]`, []schema.Violation{{"/1", "", ""}}},
		"compared":          {`{"items":{"maximum":1e1000,"minimum":0}}`, `[1e2000,-1e2000,1e-2000]`, `[1e2000,-1e2000,1e-2000]`, []schema.Violation{{"/0", "maximum", ""}, {"/1", "minimum", ""}}},
		"long":              {`{"exclusiveMaximum":-0.000001212121,"minimum":-0.000001212122}`, long, long, nil},
		"beyond reading":    {`{"maximum":0}`, `1e99999999999999999999`, `1e99999999999999999999`, []schema.Violation{{"", "maximum", ""}}},
		"near zero":         {`{"maximum":0,"type":"number"}`, `-1e-99999999999999999999`, `-1e-99999999999999999999`, nil},
		"zero":              {`{"const":0}`, `0e5000`, `0e5000`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, c.schema).Check(t.Context(), schema.Subject{Doc: parse(t, c.doc), Stored: []*jsontree.Node{parse(t, c.stored)}})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// const, enum and type are judged here, and as the library would: numbers by value, integers by it too, objects in any order.
func TestValuesAreCompared(t *testing.T) {
	for text, c := range map[string]struct{ good, bad []string }{
		`{"const":1.0}`:                                               {[]string{`1`, `10e-1`}, []string{`1.1`, `"1"`, `true`, `null`}},
		`{"const":null}`:                                              {[]string{`null`}, []string{`"null"`, `0`, `false`}},
		`{"const":{"a":[1,{}],"b":null}}`:                             {[]string{`{"b":null,"a":[1.0,{}]}`}, []string{`{"a":[1,{}]}`, `{"a":[1,[]],"b":null}`, `{"a":[1,{}],"c":null}`, `[]`}},
		`{"enum":["a",true,{"x":1},[1,2]]}`:                           {[]string{`"a"`, `true`, `{"x":1e0}`, `[1,2]`}, []string{`"true"`, `false`, `[2,1]`, `[1]`, `{"x":2}`, `1`}},
		`{"type":"integer"}`:                                          {[]string{`1`, `1.0`, `1e3`, `-0`}, []string{`1.5`, `1e-1`, `"1"`}},
		`{"type":["number","null"]}`:                                  {[]string{`1`, `1.5`, `null`}, []string{`"1"`, `{}`, `[]`, `true`}},
		`{"type":["object","boolean"]}`:                               {[]string{`{}`, `true`}, []string{`[]`, `null`}},
		`{"type":["array","string"]}`:                                 {[]string{`[]`, `""`}, []string{`{}`, `1`}},
		`{"not":{"enum":[1,2]}}`:                                      {[]string{`3`}, []string{`1`, `2.0`}},
		`{"const":1,"$ref":"#/$defs/a","$defs":{"a":{"enum":[1,2]}}}`: {[]string{`1`}, []string{`2`}},
	} {
		s := compile(t, text)
		for _, doc := range c.good {
			if found, err := s.Check(t.Context(), schema.Subject{Doc: parse(t, doc)}); err != nil || found != nil {
				t.Errorf("%s refuses %s: %v, %v", text, doc, found, err)
			}
		}
		for _, doc := range c.bad {
			if found, err := s.Check(t.Context(), schema.Subject{Doc: parse(t, doc)}); err != nil || len(found) == 0 {
				t.Errorf("%s accepts %s: %v", text, doc, err)
			}
		}
	}
}

// A session works out each place once, however often it is asked.
func TestSession(t *testing.T) {
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
				if found, err := s.Check(t.Context(), schema.Subject{Doc: doc}); err != nil || len(found) != want {
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
			found, err := compile(t, whole).Check(t.Context(), schema.Subject{Doc: parse(t, doc)})
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
