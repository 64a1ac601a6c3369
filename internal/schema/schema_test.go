package schema_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	// The bounds of schemas hold for documents with more values than a service accepts, too.
	n, err := jsontree.Parse([]byte(text), jsontree.Limits{Values: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

var rejectedSchemas = map[string]struct {
	text  string
	fault schema.Fault
}{
	"no JSON": {`{"type":`, schema.Fault(jsontree.Syntax)},
	"a member twice": {`{"x-sensitive":true,"x-sensitive":false}`,
		schema.Fault(jsontree.DuplicateKey)},
	"not UTF-8": {"{\"title\":\"\xff\"}", schema.Fault(jsontree.UTF8)},
	"too large": {`{"title":"` + strings.Repeat("x", schema.MaxBytes) +
		`"}`, schema.Fault(jsontree.TooLarge)},
	"too deep": {strings.Repeat(`{"not":`, schema.MaxDepth+1) + "true" +
		strings.Repeat("}", schema.MaxDepth+1), schema.Fault(jsontree.TooDeep)},
	"too many parts": {`{"anyOf":[` + list("{}", schema.MaxObjects) + `]}`,
		schema.Complex},
	"an array":                {`[]`, schema.Keyword},
	"null":                    {`null`, schema.Keyword},
	"unknown type":            {`{"properties":{"a":{"type":"strnig"}}}`, schema.Keyword},
	"flag as text":            {`{"properties":{"a":{"x-sensitive":"true"}}}`, schema.Keyword},
	"flag as number":          {`{"x-secret":1}`, schema.Keyword},
	"flag of Airbyte as text": {`{"airbyte_secret":"yes"}`, schema.Keyword},
	"writeOnly as text":       {`{"writeOnly":"true"}`, schema.Keyword},
	"flag in a branch":        {`{"anyOf":[{},{"x-sensitive":[]}]}`, schema.Keyword},
	"flag in an old draft": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"a":{"x-sensitive":0}}}`, schema.Keyword},
	"key as list":         {`{"x-key":["id"]}`, schema.Keyword},
	"names as text":       {`{"x-names":"false"}`, schema.Keyword},
	"names as null":       {`{"x-names":null}`, schema.Keyword},
	"exposes as text":     {`{"x-exposes":"/a"}`, schema.Keyword},
	"exposes a number":    {`{"x-exposes":[1]}`, schema.Keyword},
	"exposes no pointer":  {`{"x-exposes":["a"]}`, schema.Keyword},
	"exposes a bad level": {`{"x-exposes":["01/a"]}`, schema.Keyword},
	"exposes too many levels": {`{"x-exposes":["99999999999999999999/a"]}`,
		schema.Keyword},
	"high exponent":        {`{"allOf":[{"minimum":1e999999}]}`, schema.Keyword},
	"low exponent":         {`{"items":{"multipleOf":7e-999999}}`, schema.Keyword},
	"many digits":          {`{"const":` + strings.Repeat("1", 1001) + `}`, schema.Keyword},
	"number in an example": {`{"examples":[1e1001]}`, schema.Keyword},
	"large pattern": {`{"pattern":"^(?:` + strings.Repeat("a?", 900) +
		`){900}b$"}`, schema.Complex},
	"large pattern of names": {`{"patternProperties":{"(?:` +
		strings.Repeat("a?", 900) + `){900}":{}}}`, schema.Complex},
	"many patterns":              {`{"allOf":[` + manyPatterns(51) + `]}`, schema.Complex},
	"content with a bad keyword": {`{"contentSchema":{"x-secret":""}}`, schema.Keyword},
	"pattern":                    {`{"pattern":"("}`, schema.Keyword},
	"look-ahead":                 {`{"patternProperties":{"(?=a)":{}}}`, schema.Keyword},
	"reference to nothing":       {`{"$ref":"#/$defs/a"}`, schema.Reference},
	"anchor to nothing":          {`{"$ref":"#a"}`, schema.Reference},
	"reference next to":          {`{"$ref":"other.json"}`, schema.Reference},
	"reference to the network": {`{"$ref":"https://schemas.example/a"}`,
		schema.Reference},
	"reference to a file":      {`{"$ref":"file:///etc/passwd"}`, schema.Reference},
	"reference that is no URL": {`{"$ref":"%zz"}`, schema.Keyword},
	"one anchor twice": {`{"allOf":[{"$anchor":"a"},{"$anchor":"a"}]}`,
		schema.Keyword},
	"unknown draft": {`{"$schema":"https://schemas.example/draft"}`,
		schema.Reference},
	"reference in a deep place": {
		`{"properties":{"a":{"items":{"$ref":"http://127.0.0.1:1/a"}}}}`, schema.Reference},
	"dynamic reference, outside": {`{"$dynamicRef":"https://schemas.example/a#b"}`,
		schema.Reference},
	"base elsewhere, relative to": {`{"$id":"https://schemas.example/a","$ref":"b"}`,
		schema.Reference},
}

// TestCompileRejects proves that a schema that cannot be understood is rejected and never taken
// for one without declarations.
func TestCompileRejects(t *testing.T) {
	for name, c := range rejectedSchemas {
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

// manyPatterns is a list of schemas, each with another pattern of about a thousand
// instructions.
func manyPatterns(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"pattern":"%d[a-z]{1000}"}`, i))
	}
	return strings.Join(list, ",")
}

// TestErrorPointer proves that an error names the place in the schema if it is known.
func TestErrorPointer(t *testing.T) {
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

// TestLimitsAreInclusive proves that a schema that exactly meets the limits compiles.
func TestLimitsAreInclusive(t *testing.T) {
	if schema.MaxBytes != 1<<20 || schema.MaxDepth != 128 || schema.MaxObjects != 10_000 ||
		schema.MaxPointer != 4096 || schema.MaxPatterns != 50_000 {
		t.Error("a limit changed: it is documented")
	}
	compile(t, `{"title":"`+strings.Repeat("x", schema.MaxBytes-len(`{"title":""}`))+`"}`)
	compile(t, strings.Repeat(`{"not":`, schema.MaxDepth)+"true"+
		strings.Repeat("}", schema.MaxDepth))
	objects := strings.TrimSuffix(strings.Repeat(`{},`, schema.MaxObjects-1), ",")
	compile(t, `{"$comment":"`+strings.Repeat("x", 10)+`","examples":[`+objects+`]}`)
	compile(t, `{"allOf":[`+manyPatterns(24)+`]}`)
	compile(t, `{"allOf":[`+
		strings.TrimSuffix(strings.Repeat(`{"pattern":"^[a-z]{1000}$"},`, 200), ",")+`]}`)
	compile(t, `{"minimum":-1e1000,"maximum":1e+1000,"const":`+strings.Repeat("1", 1000)+`}`)
	if _, err := schema.Compile([]byte(`{"examples":[{},` + objects + `]}`)); err == nil {
		t.Error("one object too many was taken")
	}
}

// TestCompileLoadsNothing proves that compiling reads no file and asks no server.
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
		for _, text := range []string{`{"$ref":%q}`, `{"$schema":%q}`, `{"$id":%q,"$ref":"a"}`,
			`{"$dynamicRef":%q}`, `{"allOf":[{"$ref":%q}]}`} {
			if _, err := schema.Compile(fmt.Appendf(nil, text, address)); err == nil {
				t.Errorf(text+" was accepted", address)
			}
		}
	}
	if asked > 0 {
		t.Errorf("the server was asked %d times", asked)
	}
}
