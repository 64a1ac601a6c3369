package jsontree_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
)

func parse(tb testing.TB, s string) *jsontree.Node {
	tb.Helper()
	n, err := jsontree.Parse([]byte(s), jsontree.Limits{})
	if err != nil {
		tb.Fatalf("Parse(%q): %v", s, err)
	}
	return n
}

func text(n *jsontree.Node) string {
	if n == nil {
		return "<nil>"
	}
	return string(n.Append(nil))
}

func TestParse(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"null", `null`, `null`},
		{"true", `true`, `true`},
		{"false", ` false `, `false`},
		{"empty string", `""`, `""`},
		{"zero", `0`, `0`},
		{"negative zero keeps its sign", `-0`, `-0`},
		{"digits beyond a float", `12345678901234567890.000100`, `12345678901234567890.000100`},
		{"exponent keeps its form", `[1E+2,1e-2,1.5e0]`, `[1E+2,1e-2,1.5e0]`},
		{"members keep their order", `{"z":1,"a":2,"m":3}`, `{"z":1,"a":2,"m":3}`},
		{"white space goes", "\t{ \"a\" :\r\n[ 1 , { } , [ ] ] }\n", `{"a":[1,{},[]]}`},
		{"names that differ in case only", `{"token":1,"TOKEN":2}`, `{"token":1,"TOKEN":2}`},
		{"no HTML escaping", `"<a href='x'>&</a>"`, `"<a href='x'>&</a>"`},
		{"line separators stay raw", "\"\u2028\u2029\"", "\"\u2028\u2029\""},
		{"short escapes", `"\"\\\/\b\f\n\r\t"`, `"\"\\/\b\f\n\r\t"`},
		{"escaped letter", `"\u0041\u00e9\u00E9"`, `"Aéé"`},
		{"surrogate pair", `"\ud83d\ude00\uD83D\uDE00"`, `"😀😀"`},
		{"NUL in a string", `"\u0000"`, `"\u0000"`},
		{"text around escapes", `"a\nb\nc"`, `"a\nb\nc"`},
		{"escaped name", `{"\u0061\n":1}`, `{"a\n":1}`},
		{"empty name", `{"":{"":1}}`, `{"":{"":1}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(parse(t, tt.in)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

var rejectedTexts = []struct {
	name, in string
	fault    jsontree.Fault
	pointer  string
}{
	{"nothing", ``, jsontree.Syntax, ""},
	{"white space only", " \n", jsontree.Syntax, ""},
	{"trailing data", `{} {}`, jsontree.Syntax, ""},
	{"trailing NUL", "{}\x00", jsontree.Syntax, ""},
	{"leading NUL", "\x00{}", jsontree.Syntax, ""},
	{"byte order mark", "\ufeff{}", jsontree.Syntax, ""},
	{"other white space", "\v1", jsontree.Syntax, ""},
	{"half a word", `tru`, jsontree.Syntax, ""},
	{"word with a tail", `nullx`, jsontree.Syntax, ""},
	{"capital word", `True`, jsontree.Syntax, ""},
	{"NaN", `NaN`, jsontree.Syntax, ""},
	{"plus", `+1`, jsontree.Syntax, ""},
	{"leading zero", `01`, jsontree.Syntax, ""},
	{"minus alone", `-`, jsontree.Syntax, ""},
	{"no digit before the point", `.5`, jsontree.Syntax, ""},
	{"no digit behind the point", `1.`, jsontree.Syntax, ""},
	{"no digit in the exponent", `1e+`, jsontree.Syntax, ""},
	{"hexadecimal", `0x10`, jsontree.Syntax, ""},
	{"open string", `"abc`, jsontree.Syntax, ""},
	{"open string behind an escape", `"\n`, jsontree.Syntax, ""},
	{"raw control character", "\"a\x1fb\"", jsontree.Syntax, ""},
	{"raw control character behind an escape", "\"\\n\x1f\"", jsontree.Syntax, ""},
	{"unknown escape", `"\x41"`, jsontree.Syntax, ""},
	{"escaped NUL byte", "\"\\\x00\"", jsontree.Syntax, ""},
	{"escape at the end", `"\`, jsontree.Syntax, ""},
	{"short unicode escape", `"\u00"`, jsontree.Syntax, ""},
	{"unicode escape that is not hexadecimal", `"\u00g0"`, jsontree.Syntax, ""},
	{"second escape that is not hexadecimal", `"\ud83d\uzzzz"`, jsontree.Syntax, ""},
	{"single quotes", `{'a':1}`, jsontree.Syntax, ""},
	{"comment", `{/**/}`, jsontree.Syntax, ""},
	{"trailing comma in array", `[1,]`, jsontree.Syntax, "/1"},
	{"trailing comma in object", `{"a":1,}`, jsontree.Syntax, ""},
	{"no comma", `{"a":[1 2]}`, jsontree.Syntax, "/a"},
	{"no colon", `{"a" 1}`, jsontree.Syntax, ""},
	{"no value", `{"a":{"b":}}`, jsontree.Syntax, "/a/b"},
	{"wrong closing bracket", `{"a":[1}}`, jsontree.Syntax, "/a"},
	{"open array", `[`, jsontree.Syntax, "/0"},
	{"open object", `{"a":1`, jsontree.Syntax, ""},
	{"number as name", `{1:1}`, jsontree.Syntax, ""},
	{"bad string as name", `{"a`, jsontree.Syntax, ""},

	{"stray byte", "{\"a\":\"x\xffy\"}", jsontree.UTF8, ""},
	{"overlong encoding", "\"\xc0\xaf\"", jsontree.UTF8, ""},
	{"encoded surrogate", "\"\xed\xa0\x80\"", jsontree.UTF8, ""},
	{"high surrogate alone", `{"a":"\ud83d"}`, jsontree.UTF8, "/a"},
	{"high surrogate before text", `"\ud83dx"`, jsontree.UTF8, ""},
	{"high surrogate before another escape", `"\ud83d\n"`, jsontree.UTF8, ""},
	{"high surrogate twice", `"\ud83d\ud83d"`, jsontree.UTF8, ""},
	{"low surrogate alone", `"\ude00"`, jsontree.UTF8, ""},

	{"name twice", `{"a":{"b":1,"c":2,"b":3}}`, jsontree.DuplicateKey, "/a/b"},
	{"name twice, once escaped", `{"token":1,"\u0074oken":2}`, jsontree.DuplicateKey, "/token"},
	{"name twice among many", manyNames("n3"), jsontree.DuplicateKey, "/n3"},
	{"late name twice among many", manyNames("n39"), jsontree.DuplicateKey, "/n39"},
	{"name with a slash twice", `{"a/b~":1,"a/b~":2}`, jsontree.DuplicateKey, "/a~1b~0"},
}

// manyNames returns an object with the members n0 to n39 and last.
func manyNames(last string) string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	return "{" + b.String() + `"` + last + `":0}`
}

func TestParseRejects(t *testing.T) {
	for _, tt := range rejectedTexts {
		t.Run(tt.name, func(t *testing.T) {
			n, err := jsontree.Parse([]byte(tt.in), jsontree.Limits{})
			e, ok := errors.AsType[*jsontree.Error](err)
			if !ok || n != nil {
				t.Fatalf("got %v, %v, want an *Error", n, err)
			}
			if e.Fault != tt.fault || e.Pointer != tt.pointer {
				t.Errorf("got %s at %q, want %s at %q", e.Fault, e.Pointer, tt.fault,
					tt.pointer)
			}
		})
	}
	if got := text(parse(t, manyNames("n40"))); got != manyNames("n40") {
		t.Errorf("many names that differ: got %s", got)
	}
}

func TestParseLimits(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat("[", depth) + strings.Repeat("]", depth)
	}
	lim := jsontree.Limits{Bytes: 40, Depth: 3, Pointer: 8}
	tests := []struct {
		name, in string
		fault    jsontree.Fault // "" = accepted
		pointer  string
	}{
		{"as many bytes as allowed", `"` + strings.Repeat("x", 38) + `"`, "", ""},
		{"one byte more", `"` + strings.Repeat("x", 39) + `"`, jsontree.TooLarge, ""},
		{"size comes before syntax", strings.Repeat("}", 41), jsontree.TooLarge, ""},
		{"as deep as allowed", nested(3), "", ""},
		{"one deeper", nested(4), jsontree.TooDeep, "/0/0/0"},
		{"one deeper, objects", `{"a":{"b":{"c":{}}}}`, jsontree.TooDeep, "/a/b/c"},
		{"as long a pointer as allowed", `{"1234567":0}`, "", ""},
		{"one byte longer", `{"12345678":0}`, jsontree.TooLong, ""},
		{"escapes count", `{"12345~/":0}`, jsontree.TooLong, ""},
		{"length adds up", `{"123":{"45":0,"4567":0}}`, jsontree.TooLong, "/123"},
		{"length goes down again", `{"1234":{"5":0},"6789":[0]}`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := jsontree.Parse([]byte(tt.in), lim)
			if tt.fault == "" {
				if err != nil {
					t.Fatalf("got %v", err)
				}
				if err := n.Check(lim); err != nil {
					t.Errorf("Check disagrees: %v", err)
				}
				return
			}
			e, ok := errors.AsType[*jsontree.Error](err)
			if !ok || e.Fault != tt.fault || e.Pointer != tt.pointer {
				t.Errorf("got %v, want %s at %q", err, tt.fault, tt.pointer)
			}
		})
	}
}

// TestParseRejectsHugeInputCheaply proves that Parse rejects hostile text without deep recursion
// and without reading all of it.
// end.
func TestParseRejectsHugeInputCheaply(t *testing.T) {
	const depth = 10_000
	deep := append(bytes.Repeat([]byte(`{"a":`), depth), bytes.Repeat([]byte("}"), depth)...)
	large := make([]byte, 64<<20)
	tests := []struct {
		name  string
		in    []byte
		fault jsontree.Fault
	}{
		{"deep", deep, jsontree.TooDeep},
		{"large", large, jsontree.TooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			allocs := testing.AllocsPerRun(5,
				func() { _, err = jsontree.Parse(tt.in, jsontree.Limits{}) })
			if e, ok := errors.AsType[*jsontree.Error](err); !ok || e.Fault != tt.fault {
				t.Fatalf("got %v, want %s", err, tt.fault)
			}
			if allocs > 500 {
				t.Errorf("%.0f allocations to reject", allocs)
			}
		})
	}
}

func TestParseErrorsDoNotQuote(t *testing.T) {
	const canary = "hunter2canary"
	for _, in := range []string{
		canary,
		`"` + canary,
		`{"` + canary + `"}`,
		`{"` + canary + `":}`,
		`{"a":"` + canary + `"`,
		`["` + canary + `" 1]`,
		`{"` + canary + `":1,"` + canary + `":2}`,
		"\"" + canary + "\xff\"",
		`"` + canary + `\ud800"`,
	} {
		_, err := jsontree.Parse([]byte(in), jsontree.Limits{})
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
}

// A misplaced value can stand where a name is expected. A pointer must not contain it.
func TestParsePointerHasNoMisplacedValue(t *testing.T) {
	_, err := jsontree.Parse([]byte(`{"a":{"hunter2canary"}}`), jsontree.Limits{})
	e, ok := errors.AsType[*jsontree.Error](err)
	if !ok || e.Pointer != "/a" {
		t.Errorf("got %#v", err)
	}
}

func TestParseKeepsNothingOfItsInput(t *testing.T) {
	in := []byte(`{"name":"text","n":12}`)
	n, err := jsontree.Parse(in, jsontree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	clear(in)
	if got, want := text(n), `{"name":"text","n":12}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorText(t *testing.T) {
	want := []string{
		"json: not valid JSON (byte 7)",
		"json: not valid UTF-8 (byte 7)",
		"json: a member is named twice (byte 7)",
		"json: too large (byte 7)",
		"json: nested too deep (byte 7)",
		"json: member names too long for a pointer (byte 7)",
	}
	var got []string
	for _, f := range []jsontree.Fault{
		jsontree.Syntax, jsontree.UTF8, jsontree.DuplicateKey, jsontree.TooLarge,
		jsontree.TooDeep, jsontree.TooLong,
	} {
		got = append(got, (&jsontree.Error{Fault: f, Offset: 7}).Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	e := &jsontree.Error{Fault: jsontree.TooDeep, Offset: -1}
	if got := e.Error(); got != "json: nested too deep" {
		t.Errorf("without offset: got %q", got)
	}
}
