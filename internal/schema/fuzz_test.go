package schema_test

import (
	"errors"
	"testing"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// FuzzCompile checks that no text makes this package panic, and that a fault is an [*schema.Error].
func FuzzCompile(f *testing.F) {
	for _, c := range rejectedSchemas {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text), "a")
		}
	}
	for _, c := range lostMarks {
		f.Add([]byte(c.text), "x")
	}
	for _, c := range badDefaults {
		f.Add([]byte(c.text), "2026-11-28")
	}
	for _, c := range fixedTexts {
		f.Add([]byte(c.schema), "eu")
	}
	for _, c := range verdicts {
		f.Add([]byte(c.schema), "")
	}
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		s, err := schema.Compile(text)
		if err != nil {
			if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault == "" || s != nil {
				t.Fatalf("got %v, %v", s, err)
			}
			return
		}
		n, err := jsontree.NewString(value)
		if err != nil {
			return
		}
		s = s.Session()
		doc := s.Defaults(parse(t, `{"l":[1,{"b":null}],"b":{}}`))
		doc, _ = doc.Set([]string{"a"}, n)
		if _, err := s.Check(t.Context(), schema.Subject{Doc: doc}); err != nil {
			if _, ok := errors.AsType[*schema.Error](err); !ok {
				t.Fatal(err)
			}
		}
		place := s.Root().Child("a", false)
		if place.Fixed(value) && value != "" && !place.Lists(n) && place.Fixed(value+"\x00") {
			t.Errorf("a place fixes a text of no format that it does not list")
		}
		s.Root().Child("l", false).Child("1", true).Child("b", false).Fixed(value)
	})
}
