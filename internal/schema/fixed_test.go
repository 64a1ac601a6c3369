package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/schema"
)

// fixedTexts are schemas with the texts that they fix at /a, separated by blanks, and texts that
// they do not.
var fixedTexts = map[string]struct{ schema, fixed, free string }{
	"nothing said": {`{"properties":{"a":{"type":"string"}}}`, "", "x"},
	"true":         {`true`, "", "x"},
	"false":        {`{"properties":{"a":false}}`, "", "x"},
	"enum":         {`{"properties":{"a":{"enum":["eu","us",7,null]}}}`, "eu us", "7 null x"},
	"const":        {`{"properties":{"a":{"const":"eu"}}}`, "eu", "us"},
	"a pattern":    {`{"properties":{"a":{"pattern":"^eu$"}}}`, "", "eu"},
	"a number":     {`{"properties":{"a":{"const":7}}}`, "", "7"},
	"date":         {`{"properties":{"a":{"format":"date"}}}`, "2026-11-28", "2026-11-28x evil"},
	"time": {`{"properties":{"a":{"format":"time"}}}`, "10:00:00Z",
		"10:00 10:00:00Z.evil.example"},
	"date-time": {`{"properties":{"a":{"format":"date-time"}}}`, "2026-11-28T10:00:00+01:00",
		"2026-11-28 //evil.example"},
	"duration": {`{"properties":{"a":{"format":"duration"}}}`, "P1DT2H", "P evil"},
	"uuid": {`{"properties":{"a":{"format":"uuid"}}}`, "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
		"2eb8aa08 evil"},
	"email": {`{"properties":{"a":{"format":"email"}}}`, "joe@example.com",
		"example.com"},
	"hostname":         {`{"properties":{"a":{"format":"hostname"}}}`, "", "example.com"},
	"unchecked format": {`{"properties":{"a":{"format":"Date"}}}`, "", "2026-11-28 evil"},
	"another member":   {`{"properties":{"b":{"const":"eu"}}}`, "", "eu"},
	"pattern of names": {`{"patternProperties":{"^a":{"const":"eu"}}}`, "eu", "us"},
	"additional":       {`{"additionalProperties":{"const":"eu"}}`, "eu", "us"},
	"allOf": {`{"allOf":[{},{"properties":{"a":{"allOf":[{},{"const":"eu"}]}}}]}`, "eu",
		"us"},
	"$ref": {`{"$ref":"#/$defs/r","$defs":{"r":{"properties":{"a":{"$ref":"#/$defs/s"}}},` +
		`"s":{"const":"eu"}}}`, "eu", "us"},
	"$ref in a circle": {`{"$ref":"#/$defs/r","$defs":{"r":{"anyOf":[{"$ref":"#/$defs/r"}],` +
		`"properties":{"a":{"const":"eu"}}}}}`, "eu", "us"},
	"anyOf": {`{"properties":{"a":{"anyOf":[{"const":"eu"},{"enum":["us"]}]}}}`,
		"eu us", "x"},
	"anyOf, both list one": {`{"properties":{"a":{"anyOf":[{"const":"eu"},{"enum":["us","eu"]}]}}}`,
		"eu us", "x"},
	"anyOf with anything": {`{"properties":{"a":{"anyOf":[{"const":"eu"},{"type":"string"}]}}}`,
		"", "eu"},
	"anyOf with true": {`{"properties":{"a":{"anyOf":[{"const":"eu"},true]}}}`, "", "eu"},
	"anyOf next to":   {`{"properties":{"a":{"enum":["eu"],"anyOf":[{},true]}}}`, "eu", "us"},
	"anyOf with other types": {`{"properties":{"a":{"anyOf":[{"const":"eu"},{"type":"null"},` +
		`{"const":null},false,{"type":["object","array"]}]}}}`, "eu", "us"},
	"anyOf of other types": {`{"properties":{"a":{"anyOf":[{"type":"null"},false]}}}`, "", "eu"},
	"union":                {union(`{"const":"eu"}`, `{"enum":["ap","us"]}`), "eu us", "x"},
	"union by $ref": {`{"oneOf":[{"$ref":"#/$defs/x"},{"allOf":[{"$ref":"#/$defs/y"}]}],"$defs":{` +
		`"x":{"properties":{"a":{"const":"eu"}}},"y":{"properties":{"a":{"const":"us"}}}}}`,
		"eu us", "x"},
	"union of a circle": {`{"oneOf":[{"properties":{"a":{"const":"eu"}}},{"$ref":"#/oneOf/1"}]}`,
		"", "eu us"},
	"union, one is free":    {union(`{"const":"eu"}`, `{"type":"string"}`), "", "eu"},
	"union, one is silent":  {union(`{"const":"eu"}`, ``), "", "eu"},
	"union, one forbids it": {union(`{"const":"eu"}`, `false`), "eu", "us"},
	"union, one is closed": {`{"oneOf":[{"properties":{"a":{"const":"eu"}}},` +
		`{"properties":{"b":{}},"additionalProperties":false},{"type":"array"}]}`, "eu", "us"},
	"union in a union": {`{"oneOf":[` + union(`{"const":"eu"}`, `{"const":"eu"}`) + `,` +
		union(`{"const":"eu"}`, `{"format":"date"}`) + `]}`, "eu 2026-11-28", "x"},
	"a format in one branch": {union(`{"format":"email"}`, `{"format":"hostname"}`), "",
		"a@b.example"},
	"if": {`{"if":{"properties":{"a":{"const":"eu"}}},"then":{"properties":{"a":{"const":"eu"}}},` +
		`"else":{"properties":{"a":{"const":"eu"}}}}`, "", "eu"},
	"dependent": {`{"dependentSchemas":{"a":{"properties":{"a":{"const":"eu"}}}}}`, "", "eu"},
	"not":       {`{"not":{"properties":{"a":{"const":"eu"}}}}`, "", "eu"},
}

// union is a schema with two branches that describe the member a.
func union(a, b string) string {
	branch := func(s string) string {
		if s == "" {
			return `{"properties":{"b":{}}}`
		}
		return `{"properties":{"a":` + s + `}}`
	}
	return `{"oneOf":[` + branch(a) + `,` + branch(b) + `]}`
}

// TestFixed checks that the schema exempts a string only if it follows from the schema for every
// document.
func TestFixed(t *testing.T) {
	for name, c := range fixedTexts {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.schema)
			for _, text := range strings.Fields(c.fixed) {
				if !s.Root().Child("a", false).Fixed(text) {
					t.Errorf("%s is not fixed", text)
				}
			}
			for _, text := range strings.Fields(c.free) {
				if s.Root().Child("a", false).Fixed(text) {
					t.Errorf("%s is fixed", text)
				}
			}
		})
	}
}

// TestFixedInArrays checks places in arrays, where elements share declarations.
func TestFixedInArrays(t *testing.T) {
	for _, text := range []string{
		`{"prefixItems":[{"const":"eu"}],"items":{"items":{"properties":{"a":{"const":"us"}}}}}`,
		`{` + draft07 + `"items":[{"const":"eu"}],` +
			`"additionalItems":{"items":{"properties":{"a":{"const":"us"}}}}}`,
	} {
		root := compile(t, text).Session().Root()
		first := root.Child("0", true)
		if !first.Fixed("eu") || first.Fixed("us") {
			t.Error("of the first element")
		}
		for _, i := range []string{"1", "2"} {
			deep := root.Child(i, true).Child("3", true).Child("a", false)
			if !deep.Fixed("us") || deep.Fixed("eu") || root.Child(i, true).Fixed("eu") {
				t.Errorf("of element %s", i)
			}
		}
	}
	contains := compile(t, `{"contains":{"const":"eu"}}`).Root()
	if contains.Child("0", true).Fixed("eu") {
		t.Error("contains does not hold for every element")
	}
	if root := compile(t, `{"const":"eu"}`).Root(); root.Fixed("us") || !root.Fixed("eu") {
		t.Error("of the whole document")
	}
}

// TestFixedIsBounded checks that nothing is fixed once the work is too much, and that the places
// stay usable.
func TestFixedIsBounded(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"const":"eu"}},"allOf":[`+
		list(`{"properties":{"a":{"minLength":1}}}`, 2000)+`]}`).Session()
	a := s.Root().Child("a", false)
	fixed := 0
	for range 1000 {
		if a.Fixed("us") {
			t.Fatal("us is fixed")
		}
		if a.Fixed("eu") {
			fixed++
		}
	}
	if fixed == 0 || fixed == 1000 || s.Overran() || a.Verdict() != schema.Unsaid {
		t.Errorf("fixed %d times, overran: %v", fixed, s.Overran())
	}
}

// TestListsIsBounded checks that looking through long lists is counted, and that the branches of a
// union are not looked through one by one.
func TestListsIsBounded(t *testing.T) {
	branches := compile(t, `{"items":{"anyOf":[`+manyNames(2000, `{"const":"c%d"}`)+`]}}`).Session()
	lists := compile(t, `{"items":{"anyOf":[`+list(`{"enum":[1,2,3,4,5,"c7"]}`, 2000)+
		`]}}`).Session()
	objects := compile(t, `{"items":{"enum":[`+manyNames(2000, `{"a":%d}`)+`,"c7"]}}`).Session()
	for name, s := range map[string]*schema.Schema{"branches": branches, "lists": lists,
		"objects": objects} {
		if !s.Root().Child("0", true).Lists(parse(t, `"c7"`)) {
			t.Errorf("%s: a listed value", name)
		}
		for i := range 1000 {
			if s.Root().Child(fmt.Sprint(i), true).Lists(parse(t, `{}`)) ||
				s.Root().Child(fmt.Sprint(i), true).Lists(parse(t, `"x"`)) {
				t.Fatalf("%s: another value", name)
			}
		}
		if s.Overran() == (name == "branches") || s.Overran() && s.Root().Child("0", true).Lists(
			parse(t, `"c7"`)) {
			t.Errorf("%s: overran: %v", name, s.Overran())
		}
	}
}
