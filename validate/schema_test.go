package validate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/validate"
)

func TestCheckSchema(t *testing.T) {
	const canary = "hunter2canary"
	for _, c := range []struct {
		text    string
		fault   validate.SchemaFault // "" = usable
		pointer string
	}{
		{`{"properties":{"a":{"x-sensitive":true}}}`, "", ""},
		{`{"title":"` + canary, validate.SchemaSyntax, "/title"},
		{`{"properties":{"a":{"type":"` + canary + `"}}}`, validate.SchemaKeyword,
			"/properties/a/type"},
		{`{"$ref":"https://` + canary + `.example"}`, validate.SchemaReference, ""},
		{`{"title":"` + strings.Repeat("x", validate.MaxSchema) + `"}`,
			validate.SchemaTooLarge, ""},
		{`{"connectionSpecification":{"properties":{"k":{"airbyte_secret":true}}}}`,
			validate.SchemaMark, "/connectionSpecification/properties/k/airbyte_secret"},
		{`{"properties":{"a":{"type":"integer","default":"` + canary + `"}}}`,
			validate.SchemaDefault, "/properties/a/default"},
		{`{"anyOf":[` + strings.Repeat(`{},`, 10_000) + `{}]}`, validate.SchemaTooComplex, ""},
	} {
		err := validate.CheckSchema([]byte(c.text))
		got, ok := errors.AsType[*validate.SchemaError](err)
		if !ok {
			if err != nil || c.fault != "" {
				t.Errorf("%.60s: got %v", c.text, err)
			}
			continue
		}
		want := validate.SchemaError{Fault: c.fault, Pointer: c.pointer}
		if diff := cmp.Diff(want, *got); diff != "" || !errors.Is(err, validate.ErrSchema) ||
			errors.Is(err, validate.ErrInvalid) {
			t.Errorf("%.60s: %s", c.text, diff)
		}
		if strings.Contains(fmt.Sprintf("%v %#v", err, got), canary) {
			t.Errorf("quoted: %v", err)
		}
	}
}

func TestSchemaText(t *testing.T) {
	text := []byte(`{"type":"object"}`)
	a, b := validate.SchemaText(text), validate.SchemaText([]byte(`{"type":"array"}`))
	if a.Revision == b.Revision || a.Revision != validate.SchemaText(text).Revision ||
		len(a.Revision) > validate.MaxSchemaRevision {
		t.Errorf("revisions %q and %q", a.Revision, b.Revision)
	}
	text[0] = 'x'
	first, err := a.Load(t.Context())
	if err != nil || string(first) != `{"type":"object"}` {
		t.Fatalf("loaded %s, %v", first, err)
	}
	first[0] = 'y'
	if again, _ := a.Load(t.Context()); string(again) != `{"type":"object"}` {
		t.Errorf("loaded again %s", again)
	}
}

func TestSchemaError(t *testing.T) {
	e := &validate.SchemaError{Revision: "r\n1", Fault: validate.SchemaUnreachable,
		Pointer: "/a\x00", Ended: context.Canceled}
	want := "installation: the schema of the configuration cannot be used: " +
		`unreachable at /a\x00 (revision r\n1)`
	if got := e.Error(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for fault, advice := range map[validate.SchemaFault]string{
		validate.SchemaMark:    "lost-mark at /a/x-secret: no value can have this mark; use the ",
		validate.SchemaDefault: "default at /a/x-secret: the default violates the schema of its ",
	} {
		e := &validate.SchemaError{Fault: fault, Pointer: "/a/x-secret"}
		if !strings.Contains(e.Error(), advice) {
			t.Errorf("%q does not say what to do", e)
		}
	}
	if !errors.Is(e, context.Canceled) || !errors.Is(e, validate.ErrSchema) ||
		errors.Is(&validate.SchemaError{}, context.Canceled) {
		t.Error("wrong matches of ErrSchema or Ended")
	}
}

func TestViolationWithMoreFields(t *testing.T) {
	var l validate.List
	l.AddViolation(validate.Violation{Path: "a\n", Related: "b\x00",
		Rule: validate.RuleDestination, Detail: "d"})
	l.AddViolation(validate.Violation{Rule: validate.RuleSchema, Detail: "d", Keyword: "type"})
	var other validate.List
	if err := other.Merge(l.Err()); err != nil {
		t.Fatal(err)
	}
	want := []validate.Violation{
		{Path: `a\n`, Related: `b\x00`, Rule: validate.RuleDestination, Detail: "d"},
		{Rule: validate.RuleSchema, Detail: "d", Keyword: "type"},
	}
	e, _ := errors.AsType[*validate.Error](other.Err())
	if diff := cmp.Diff(want, e.Violations); diff != "" {
		t.Error(diff)
	}
	text := "installation: invalid: a\\n: d (destination: b\\x00);\nd (schema)"
	if got := e.Error(); got != text {
		t.Errorf("got %q", got)
	}
}
