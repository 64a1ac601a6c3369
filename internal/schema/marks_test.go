package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-installation/installation/internal/schema"
)

const draft07 = `"$schema":"http://json-schema.org/draft-07/schema#",`

// lostMarks are schemas with a mark that no place can reach, and its pointer; "" = no lost mark.
var lostMarks = map[string]struct{ text, pointer string }{
	"wrapped": {`{"documentationUrl":"x","connectionSpecification":{"type":"object",` +
		`"properties":{"api_key":{"type":"string","airbyte_secret":true}}}}`,
		"/connectionSpecification/properties/api_key/airbyte_secret"},
	"wrapped, and referred to": {
		`{"$ref":"#/spec","spec":{"properties":{"k":{"secret":true}}}}`, ""},
	"wrapped twice": {`{"spec":{"inputs":[{"x":{"format":"Password"}}]}}`,
		"/spec/inputs/0/x/format"},
	"unknown keyword next to a mark": {
		`{"properties":{"a":{"writeOnly":true,"ui":{"sensitive":true}}}}`,
		"/properties/a/ui/sensitive"},
	"not": {`{"not":{"properties":{"a":{"writeOnly":true}}}}`,
		"/not/properties/a/writeOnly"},
	"propertyNames":   {`{"propertyNames":{"x-secret":true}}`, "/propertyNames/x-secret"},
	"else of true":    {`{"if":true,"else":{"x-secret":true}}`, "/else/x-secret"},
	"then without if": {`{"then":{"x-secret":null}}`, "/then/x-secret"},
	"keyword of another draft": {`{` + draft07 + `"prefixItems":[{"x-secret":true}]}`,
		"/prefixItems/0/x-secret"},
	"items that nobody evaluates": {`{"items":{"a":1},"additionalItems":{"x-secret":true}}`,
		"/additionalItems/x-secret"},
	"next to $ref, old draft": {`{` + draft07 + `"properties":{"a":{"$ref":"#/definitions/a",` +
		`"properties":{"b":{"x-secret":true}}}},"definitions":{"a":{"x-secret":true}}}`,
		"/properties/a/properties/b/x-secret"},
	"escaped": {`{"x/y~z %é":{"secret":true}}`, "/x~1y~0z %é/secret"},
	"in a definition in use": {`{"$ref":"#/$defs/a","$defs":{"a":{"x":{"x-secret":true}}}}`,
		"/$defs/a/x/x-secret"},
	"only in a spare definition": {`{"properties":{"a":{"type":"string"}},` +
		`"$defs":{"a":{"properties":{"b":{"x-secret":true}}}}}`,
		"/$defs/a/properties/b/x-secret"},
	"in a definition for not": {`{"not":{"$ref":"#/$defs/a"},"$defs":{"a":{"x-secret":true}}}`,
		"/$defs/a/x-secret"},

	"in a spare definition": {`{"properties":{"a":{"secret":true}},` +
		`"$defs":{"a":{"x-secret":true},"b":{"x":{"x-secret":true}}}}`, ""},
	"in an embedded text": {`{"$ref":"https://s.example/s#/$defs/b","$defs":{"x":{` +
		`"$id":"https://s.example/s","$defs":{"b":{"writeOnly":true},"c":{"writeOnly":true}}}}}`,
		""},
	"in a definition of a definition": {`{"$ref":"#/$defs/a/$defs/b",` +
		`"$defs":{"a":{"$defs":{"b":{"writeOnly":true}},"writeOnly":true}}}`, ""},
	"escaped, and applied": {`{"properties":{"x/y~z %é":{"secret":true}}}`, ""},
	"properties named like marks": {`{"properties":{"secret":true,"writeOnly":true,` +
		`"sensitive":{"type":"boolean"}},"patternProperties":{"encrypted":true},` +
		`"$defs":{"isSecret":true},"dependentSchemas":{"x-secret":true},` +
		`"required":["secret"],"dependentRequired":{"secret":["writeOnly"]}}`, ""},
	"a wrapped property named like one": {`{"x":{"properties":{"secret":true}}}`, ""},
	"values named like marks": {`{"properties":{"a":{"default":{"secret":true},` +
		`"const":{"secret":true},"enum":[{"secret":true}],"examples":[{"secret":true}],` +
		`"example":{"secret":true}}}}`, ""},
	"marks that say nothing": {`{"x":{"secret":false,"x-sensitive":false,"format":"uri"}}`, ""},
	"content": {`{"properties":{"a":{"contentSchema":{"not":{"x-secret":true}}}}}`,
		""},
	"dynamic": {`{"properties":{"a":{"$dynamicRef":"#n"}},"$defs":{"x":{"$dynamicAnchor":"n",` +
		`"writeOnly":true}}}`, ""},
	"everywhere": {`{"allOf":[{"secret":true}],"items":{"secret":true},` +
		`"contains":{"secret":true},"dependencies":{"a":{"secret":true}},` +
		`"if":{"secret":true},"then":{"secret":true},"else":{"secret":true},` +
		`"unevaluatedProperties":{"secret":true},"patternProperties":{"a":{"secret":true}}}`, ""},
}

// wantFault checks that a schema has a fault at a pointer, or none if the pointer is "".
func wantFault(t *testing.T, text string, fault schema.Fault, pointer string) {
	t.Helper()
	_, err := schema.Compile([]byte(text))
	e, ok := errors.AsType[*schema.Error](err)
	switch {
	case pointer == "" && err != nil:
		t.Errorf("refused: %v", err)
	case pointer != "" && (!ok || e.Fault != fault || e.Pointer != pointer):
		t.Errorf("got %v, want %s at %s", err, fault, pointer)
	}
}

// TestInvariant12LostMarkIsBroken checks that a mark that no place can reach is a fault.
func TestInvariant12LostMarkIsBroken(t *testing.T) {
	for name, c := range lostMarks {
		t.Run(name, func(t *testing.T) {
			wantFault(t, c.text, schema.Mark, c.pointer)
		})
	}
}

// TestMarksOfDialects checks which keywords mark a secret, and that only true and null do.
func TestMarksOfDialects(t *testing.T) {
	for flag := range strings.FieldsSeq(`writeOnly x-sensitive x-secret x-encrypted secret
		sensitive encrypted isSecret isSensitive isEncrypted is_secret is_sensitive is_encrypted
		airbyte_secret`) {
		for value, want := range map[string]schema.Verdict{
			`true`: schema.Secret, `null`: schema.Secret, `false`: schema.Unsaid,
		} {
			if flag == "x-sensitive" && value == "false" {
				want = schema.Open
			}
			for _, draft := range []string{``, draft07} {
				if draft != "" && flag == "writeOnly" && value == "null" {
					continue // the draft forbids it
				}
				s := compile(t, `{`+draft+`"properties":{"a":{"`+flag+`":`+value+`}}}`)
				if got := s.Root().Child("a", false).Verdict(); got != want {
					t.Errorf("%s: %s has verdict %d", flag, value, got)
				}
			}
			s := compile(t, `{"properties":{"a":{"format":"password","`+flag+`":`+value+`}}}`)
			if s.Root().Child("a", false).Verdict() != schema.Secret {
				t.Errorf("%s: %s removes a mark", flag, value)
			}
		}
		for _, value := range []string{`"yes"`, `"true"`, `1`, `[]`, `{"type":"string"}`} {
			_, err := schema.Compile([]byte(`{"properties":{"a":{"` + flag + `":` + value + `}}}`))
			if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Keyword {
				t.Errorf("%s: %s gives %v", flag, value, err)
			}
		}
	}
}

// TestRepeatedEnumValues checks that an enum can have a value twice, in each draft, and that
// nothing else loses a value.
func TestRepeatedEnumValues(t *testing.T) {
	for _, draft := range []string{``, draft07,
		`"$schema":"http://json-schema.org/draft-06/schema#",`,
		`"$schema":"http://json-schema.org/draft-04/schema#",`} {
		s := compile(t, `{`+draft+`"properties":{"a":{"enum":["x","x",1,1.0,{"b":1},{"b":1e0}]},`+
			`"b":{"default":{"enum":[1,1]}},"enum":{"type":"string"}}}`)
		for doc, ok := range map[string]bool{`{"a":"x"}`: true, `{"a":1}`: true,
			`{"a":{"b":1}}`: true, `{"a":"y"}`: false, `{"enum":"x"}`: true} {
			found, err := s.Check(t.Context(), schema.Subject{Doc: parse(t, doc)})
			if err != nil || ok != (len(found) == 0) {
				t.Errorf("%s: %v, %v", doc, found, err)
			}
		}
		if got := string(s.Defaults(parse(t, `{}`)).Append(nil)); got != `{"b":{"enum":[1,1]}}` {
			t.Errorf("a default became %s", got)
		}
	}
	if _, err := schema.Compile([]byte(`{` + draft07 + `"required":["a","a"]}`)); err == nil {
		t.Error("required with a name twice, which the drafts forbid, is accepted")
	}
}

// badDefaults are schemas with a default that violates the schema of its member, and the pointer of
// the default; "" = a good default, or one that is never used.
var badDefaults = map[string]struct{ text, pointer string }{
	"type":    {`{"properties":{"a":{"type":"integer","default":"10"}}}`, "/properties/a/default"},
	"null":    {`{"properties":{"a":{"type":"string","default":null}}}`, "/properties/a/default"},
	"pattern": {`{"properties":{"a":{"pattern":"^x","default":""}}}`, "/properties/a/default"},
	"format":  {`{"properties":{"a":{"format":"date","default":""}}}`, "/properties/a/default"},
	"an object without what it requires": {
		`{"properties":{"a":{"required":["b"],"default":{}}}}`, "/properties/a/default"},
	"a mask":     {`{"properties":{"a":{"default":"***"}}}`, "/properties/a/default"},
	"with masks": {`{"properties":{"a":{"default":[{"b":"***"}]}}}`, "/properties/a/default"},
	"by $ref": {`{"properties":{"a":{"$ref":"#/$defs/a~1b"}},` +
		`"$defs":{"a/b":{"type":"string","default":1}}}`, "/$defs/a~1b/default"},
	"next to $ref": {`{"properties":{"a":{"default":1,"$ref":"#/$defs/a"}},` +
		`"$defs":{"a":{"type":"string"}}}`, "/properties/a/default"},
	"next to allOf": {`{"properties":{"a":{"allOf":[{"default":1},{"type":"string"}]}}}`,
		"/properties/a/allOf/0/default"},
	"of an element": {`{"items":{"properties":{"a":{"enum":[1],"default":2}}}}`,
		"/items/properties/a/default"},
	"the first one": {
		`{"properties":{"b":{"type":"null","default":1},"a":{"const":1,"default":2}}}`,
		"/properties/a/default"},
	"in an old draft": {`{` + draft07 + `"properties":{"a":{"type":"object","default":[]}}}`,
		"/properties/a/default"},

	"good": {`{"properties":{"a":{"type":"integer","default":10.0},"b":{"default":"","format":` +
		`"password"},"c":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null}}}`, ""},
	"in a branch, where it is ignored": {
		`{"oneOf":[{"properties":{"a":{"type":"integer","default":"x"}}}],` +
			`"if":true,"then":{"properties":{"a":{"type":"integer","default":"x"}}}}`, ""},
	"of no member": {`{"required":["a"],"default":{},"properties":{"l":{"items":{"type":"string",` +
		`"default":1}}},"additionalProperties":{"type":"string","default":1}}`, ""},
	"nowhere": {`{"$defs":{"a":{"properties":{"a":{"type":"integer","default":"x"}}}}}`, ""},
}

// TestBadDefaultIsBroken checks that a default is a fault if it makes every write fail that leaves
// out its member.
func TestBadDefaultIsBroken(t *testing.T) {
	for name, c := range badDefaults {
		t.Run(name, func(t *testing.T) {
			wantFault(t, c.text, schema.Default, c.pointer)
		})
	}
	bomb := `{"properties":{` + manyNames(4000, `"a%d":{"$ref":"#/$defs/a","default":[`+
		list("1", 30)+`]}`) + `},"$defs":{"a":{"items":{"anyOf":[` + list(`{"type":"null"}`, 50) +
		`]}}}}`
	_, err := schema.Compile([]byte(bomb))
	if e, ok := errors.AsType[*schema.Error](err); !ok || e.Fault != schema.Complex {
		t.Errorf("defaults that take too much work: %v", err)
	}
}
