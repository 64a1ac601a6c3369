package masked_test

import (
	"errors"
	"testing"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

func TestParse(t *testing.T) {
	if n, err := masked.Parse("configuration", []byte(`{"a":1}`)); err != nil ||
		text(n) != `{"a":1}` {
		t.Errorf("got %s, %v", text(n), err)
	}
	_, err := masked.Parse("configuration", []byte(`{"a":{"b":1,"b":2}}`))
	want := outcome{Rejected: []string{"configuration/a/b duplicate-key"}}
	if diff := diffOutcome(want, outcomeOf(t, masked.Result{}, err)); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, validate.ErrInvalid) {
		t.Errorf("%v does not match ErrInvalid", err)
	}
}

// Every fault of a document is a rule of package validate.
func TestFaultsAreRules(t *testing.T) {
	faults := map[jsontree.Fault]validate.Rule{
		jsontree.Syntax: validate.RuleSyntax, jsontree.UTF8: validate.RuleUTF8,
		jsontree.DuplicateKey: validate.RuleDuplicateKey,
		jsontree.TooLarge:     validate.RuleTooLarge, jsontree.TooDeep: validate.RuleTooDeep,
		jsontree.TooLong: validate.RuleTooLong,
	}
	for fault, rule := range faults {
		if string(fault) != string(rule) {
			t.Errorf("%s is reported as %s", rule, fault)
		}
	}
}

func TestMask(t *testing.T) {
	doc := `{"a":"***","b":{"token":"stored plain","n":1},"c":"x","d":["***"]}`
	got := masked.Mask(parse(t, doc), []string{"/a", "/c", "/d/0", "/gone"}, classify.NameRule{})
	if want := `{"a":"***","b":{"token":"***","n":1},"c":"***","d":["***"]}`; text(
		got) != want {
		t.Errorf("got %s, want %s", text(got), want)
	}
	if masked.Mask(nil, nil, classify.NameRule{}) != nil {
		t.Error("no document became one")
	}
}

func TestFill(t *testing.T) {
	doc := parse(t, `{"a":"***","b":["***",{"c":"***"}]}`)
	got := masked.Fill(doc, map[string]*jsontree.Node{
		"/a": parse(t, `{"x":1}`), "/b/1/c": parse(t, `"s"`), "/b/0": parse(t, `null`),
		"/gone": parse(t, `1`),
	})
	if want := `{"a":{"x":1},"b":[null,{"c":"s"}]}`; text(got) != want {
		t.Errorf("got %s, want %s", text(got), want)
	}
}
