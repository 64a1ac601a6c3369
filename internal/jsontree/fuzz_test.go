package jsontree_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-installation/installation/internal/jsontree"
)

var fuzzDocuments = []string{
	`{"a":[1,2.50,-3e+7,null,true,false],"b":{"":"\u00e9\ud83d\ude00\n"}}`,
	`{"token":"***","TOKEN":"x","a/b":{"m~n":[[],{}]}}`,
	`[0,-0,1E400,0.1e-9999999999999999999]`,
	`{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `[1,]`, ` `, "\ufeff1", `{"a":"b"} x`,
	`"` + "\x7f\u2028" + `"`,
}

// FuzzParse compares Parse with encoding/json. Parse accepts only valid JSON, rejects valid
// JSON only with a fault of its own, keeps the meaning, and its output parses to the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzDocuments {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := jsontree.Parse(b, jsontree.Limits{})
		valid := json.Valid(b)
		if err != nil {
			e, ok := errors.AsType[*jsontree.Error](err)
			if !ok {
				t.Fatalf("not an *Error: %v", err)
			}
			if valid && e.Fault == jsontree.Syntax {
				t.Fatalf("valid JSON rejected: %v", err)
			}
			return
		}
		if !valid {
			t.Fatal("accepted invalid JSON")
		}
		once := n.Append(nil)
		again, err := jsontree.Parse(once, jsontree.Limits{Bytes: len(b)})
		if err != nil {
			t.Fatalf("its own output rejected: %v", err)
		}
		if !bytes.Equal(again.Append(nil), once) || !again.Equal(n) || !n.Equal(again) {
			t.Fatalf("%q became %q", once, again.Append(nil))
		}
		if !bytes.Equal(again.AppendCanonical(nil), n.AppendCanonical(nil)) {
			t.Fatalf("%q has two canonical forms", once)
		}
		if got, want := compact(t, once), compact(t, b); got != want {
			t.Fatalf("means %s, want %s", got, want)
		}
	})
}

// FuzzEqual proves that two values have the same canonical form exactly if they are equal.
func FuzzEqual(f *testing.F) {
	f.Add(`{"a":1,"b":[2.0]}`, `{"b":[2],"a":1.0}`)
	f.Add(`[1,2]`, `[12]`)
	f.Add(`1e99999999999999999999`, `0.1e5`)
	f.Add(`{"a":{}}`, `{"a":[]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := jsontree.Parse([]byte(a), jsontree.Limits{})
		if err != nil {
			return
		}
		y, err := jsontree.Parse([]byte(b), jsontree.Limits{})
		if err != nil {
			return
		}
		same := bytes.Equal(x.AppendCanonical(nil), y.AppendCanonical(nil))
		if x.Equal(y) != same || y.Equal(x) != same {
			t.Fatalf("%s and %s: equal %t, same form %t", a, b, x.Equal(y), same)
		}
	})
}

// compact re-encodes b with encoding/json and keeps the spelling of numbers.
func compact(t *testing.T, b []byte) string {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func FuzzParsePointer(f *testing.F) {
	for _, s := range []string{"", "/", "/a/0", "/~01~10", "/a~", "a", "/\xff", "/é/-"} {
		f.Add(s)
	}
	doc := parse(f, fuzzDocuments[1])
	f.Fuzz(func(t *testing.T, s string) {
		tokens, err := jsontree.ParsePointer(s)
		if err != nil {
			return
		}
		if back := jsontree.JoinPointer(tokens...); back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
		child := ""
		for _, token := range tokens {
			child = jsontree.ChildPointer(child, token)
		}
		if child != s {
			t.Fatalf("step by step %q became %q", s, child)
		}
		doc.At(tokens)
		changed, ok := doc.Set(tokens, doc)
		if ok && !slices.Contains(tokens, "-") && changed.At(tokens) != doc {
			t.Fatalf("the value set at %q is missing", s)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var doc []byte
	doc = append(doc, '{')
	for i := range 20 {
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = fmt.Appendf(doc, `"field_%d":{"name":"A value of some length",`, i)
		doc = append(doc, `"enabled":true,"count":12345,"tags":["one","two"]}`...)
	}
	doc = append(doc, '}')
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsontree.Parse(doc, jsontree.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
