package masked_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// FuzzReplace stores one document and replaces it by another. For any two documents, no
// sensitive value stays plain, only sealed values count as sealed, and the result can be read
// and sent back without a change.
func FuzzReplace(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"token":"t","name":"n"}`, `{"token":"***","name":"***"}`},
		{`{"list":[{"pin":1},{"pin":2}],"x":null}`, `{"list":[{"pin":"***"}],"x":[]}`},
		{`{"credentials":{"a":["b",1]}}`, `{"credentials":{"a":["***",null]}}`},
		{`{"credentials":{"a":"b"}}`, `{"credentials":"c"}`},
		{`{"u":"https://a:b@c"}`, `{"u":"https://c","secret":null}`},
		{`[{"token":""},"***"]`, `[{"token":"***"},"***"]`},
		{`"x"`, `null`},
	} {
		f.Add(seed[0], seed[1])
	}
	rule := classify.NameRule{}
	f.Fuzz(func(t *testing.T, first, second string) {
		v := vault{}
		for _, s := range []string{first, second} {
			doc, err := masked.Parse("c", []byte(s))
			if err != nil {
				return
			}
			r, err := masked.Replace("c", v.stored, doc, rule)
			if err != nil {
				checkRejection(t, err)
				continue
			}
			for _, p := range r.Seal {
				if p.Value.IsString(masked.Text) {
					t.Fatalf("the mask at %s is to be sealed", p.Pointer)
				}
			}
			v = v.adopt(t, r)
			for _, at := range rule.Sensitive(r.Doc) {
				if !slices.Contains(v.stored.Sealed, at) {
					t.Fatalf("%s is not sealed in %s", at, text(r.Doc))
				}
			}
			echo, err := masked.Replace("c", v.stored,
				masked.Mask(v.stored.Doc, v.stored.Sealed, rule), rule)
			if err != nil || len(echo.Changed)+len(echo.Seal) > 0 ||
				len(echo.Keep) != len(v.stored.Sealed) {
				t.Fatalf("an echo of %s: %+v, %v", text(r.Doc), echo, err)
			}
		}
	})
}

func checkRejection(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*validate.Error](err)
	if !ok || len(e.Violations) == 0 {
		t.Fatalf("rejected with %v", err)
	}
	for _, v := range e.Violations {
		if !strings.HasPrefix(v.Path, "c") || v.Rule == "" || v.Detail == "" {
			t.Fatalf("rejected with %#v", v)
		}
	}
}

// FuzzApply makes two edits. For any edits, no secret is duplicated, invented or left plain.
func FuzzApply(f *testing.F) {
	f.Add(`{"token":"t","l":[{"pin":1},{"pin":2}]}`, "/l/0", ``, "/l/-", `{"pin":3}`)
	f.Add(`{"token":"t"}`, "/token", `"***"`, "", `{"token":"***"}`)
	f.Add(`{"token":{"a":"b"}}`, "/token", `null`, "/token/a", `"***"`)
	f.Add(`[["***"]]`, "/0/0", `"x"`, "/-", `[]`)
	rule := classify.NameRule{}
	f.Fuzz(func(t *testing.T, doc, pointer1, value1, pointer2, value2 string) {
		n, err := masked.Parse("c", []byte(doc))
		if err != nil {
			return
		}
		r, err := masked.Replace("c", masked.Stored{}, n, rule)
		if err != nil {
			return
		}
		v := vault{}.adopt(t, r)
		ops := []masked.Op{edit(pointer1, value1), edit(pointer2, value2)}
		r, err = masked.Apply("c", v.stored, ops, rule)
		if err != nil {
			checkRejection(t, err)
			return
		}
		v = v.adopt(t, r)
		if r.Doc == nil {
			return
		}
		for _, at := range rule.Sensitive(r.Doc) {
			if !slices.Contains(v.stored.Sealed, at) {
				t.Fatalf("%s is not sealed in %s", at, text(r.Doc))
			}
		}
	})
}

// edit sets a value, or removes it if the text is empty.
func edit(pointer, value string) masked.Op {
	n, err := jsontree.Parse([]byte(value), jsontree.Limits{})
	if err != nil {
		return masked.Op{Kind: masked.Remove, Pointer: pointer}
	}
	return masked.Op{Kind: masked.Set, Pointer: pointer, Value: n}
}
