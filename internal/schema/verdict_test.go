package schema_test

import (
	"testing"

	"github.com/go-installation/installation/internal/schema"
)

var verdicts = map[string]struct {
	schema string
	at     string
	want   schema.Verdict
}{
	"nothing said": {`{}`, "/a/b", schema.Unsaid},
	"true":         {`true`, "/a/b", schema.Unsaid},
	"writeOnly":    {`{"properties":{"a":{"writeOnly":true}}}`, "/a", schema.Secret},
	"writeOnly false": {`{"properties":{"a":{"writeOnly":false}}}`, "/a",
		schema.Unsaid},
	"password": {`{"properties":{"a":{"format":"password"}}}`, "/a", schema.Secret},
	"password in capitals": {`{"properties":{"a":{"format":"Password"}}}`, "/a",
		schema.Secret},
	"a flag that is null": {`{"properties":{"a":{"x-sensitive":null}}}`, "/a",
		schema.Secret},
	"another that is null": {`{"properties":{"a":{"airbyte_secret":null}}}`, "/a",
		schema.Secret},
	"content": {
		`{"properties":{"a":{"contentMediaType":"application/json",` +
			`"contentSchema":{"properties":{"k":{"writeOnly":true}}}}}}`, "/a",
		schema.Secret},
	"content by $ref": {
		`{"properties":{"a":{"x-sensitive":false,` +
			`"contentSchema":{"items":{"$ref":"#/$defs/s"}}}},` +
			`"$defs":{"s":{"x-secret":true}}}`, "/a", schema.Secret},
	"content of content": {
		`{"properties":{"a":{"contentSchema":{"contentSchema":{"x-secret":true}}}}}`, "/a",
		schema.Secret},
	"content, old draft": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"a":{"contentSchema":{"x-secret":true}}}}`, "/a", schema.Secret},
	"content without a mark": {
		`{"properties":{"a":{"contentSchema":{"properties":{"k":{}}}}}}`, "/a",
		schema.Unsaid},
	"other format": {`{"properties":{"a":{"format":"uri"}}}`, "/a", schema.Unsaid},
	"x-sensitive": {`{"properties":{"a":{"x-sensitive":true}}}`, "/a",
		schema.Secret},
	"x-secret": {`{"properties":{"a":{"x-secret":true}}}`, "/a", schema.Secret},
	"x-secret false": {`{"properties":{"a":{"x-secret":false}}}`, "/a",
		schema.Unsaid},
	"secret": {`{"properties":{"a":{"secret":true}}}`, "/a", schema.Secret},
	"airbyte_secret": {`{"properties":{"a":{"airbyte_secret":true}}}`, "/a",
		schema.Secret},
	"airbyte_secret false": {`{"properties":{"a":{"airbyte_secret":false}}}`, "/a",
		schema.Unsaid},
	"un-marked": {`{"properties":{"a":{"x-sensitive":false}}}`, "/a", schema.Open},
	"un-marked and marked": {
		`{"properties":{"a":{"x-sensitive":false,"format":"password"}}}`, "/a",
		schema.Secret},
	"below a mark": {`{"properties":{"a":{"x-sensitive":true}}}`, "/a/b/c",
		schema.Secret},
	"below an un-mark": {`{"properties":{"a":{"x-sensitive":false}}}`, "/a/b/c",
		schema.Open},
	"mark below an un-mark": {
		`{"x-sensitive":false,"properties":{"a":{"properties":{"b":{"writeOnly":true}}}}}`,
		"/a/b/c", schema.Secret},
	"un-mark below a mark": {
		`{"x-sensitive":true,` +
			`"properties":{"a":{"properties":{"b":{"x-sensitive":false}}}}}`, "/a/b/c",
		schema.Open},
	"next to": {
		`{"properties":{"a":{"properties":{"x":{"writeOnly":true}}}}}`, "/a/b",
		schema.Unsaid},
	"a member of that name": {`{"properties":{"x-sensitive":{"const":true}}}`, "/a",
		schema.Unsaid},
	"$ref": {
		`{"properties":{"a":{"$ref":"#/$defs/s"}},"$defs":{"s":{"writeOnly":true}}}`, "/a",
		schema.Secret},
	"$ref next to": {
		`{"properties":{"a":{"$ref":"#/$defs/s","writeOnly":true}},"$defs":{"s":{}}}`, "/a",
		schema.Secret},
	"$ref next to, old draft": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"a":{"$ref":"#/definitions/s","x-sensitive":true}},` +
			`"definitions":{"s":{}}}`, "/a", schema.Secret},
	"un-mark next to $ref": {
		`{"properties":{"a":{"$ref":"#/$defs/s","x-sensitive":false}},"$defs":{"s":{}}}`, "/a",
		schema.Open},
	"un-mark next to $ref, old draft": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"a":{"$ref":"#/definitions/s","x-sensitive":false,"x-names":false,` +
			`"x-exposes":[]}},"definitions":{"s":{}}}`, "/a", schema.Unsaid},
	"$ref in a circle": {
		`{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"writeOnly":true}}}`,
		"/a/b/c", schema.Secret},
	"$ref to an anchor": {
		`{"properties":{"a":{"$ref":"#s"}},"$defs":{"x":{"$anchor":"s","writeOnly":true}}}`,
		"/a", schema.Secret},
	"$ref to an embedded text": {
		`{"properties":{"a":{"$ref":"https://s.example/s"}},` +
			`"$defs":{"x":{"$id":"https://s.example/s","writeOnly":true}}}`, "/a",
		schema.Secret},
	"un-mark by $ref": {
		`{"properties":{"a":{"$ref":"#/$defs/s"}},"$defs":{"s":{"x-sensitive":false}}}`,
		"/a", schema.Open},
	"$dynamicRef": {
		`{"properties":{"a":{"$dynamicRef":"#n"}},"$defs":{"x":{"$dynamicAnchor":"n",` +
			`"writeOnly":true}}}`, "/a", schema.Secret},
	"$dynamicRef, overridden": {
		`{"$ref":"t","$defs":{"x":{"$dynamicAnchor":"n","writeOnly":true},` +
			`"t":{"$id":"t","properties":{"a":{"$dynamicRef":"#n"}},` +
			`"$defs":{"d":{"$dynamicAnchor":"n"}}}}}`,
		"/a", schema.Secret,
	},
	"$recursiveRef": {
		`{"$schema":"https://json-schema.org/draft/2019-09/schema",` +
			`"$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"},` +
			`"b":{"writeOnly":true}}}`,
		"/a/b", schema.Secret,
	},
	"$recursiveRef, overridden": {
		`{"$schema":"https://json-schema.org/draft/2019-09/schema",` +
			`"$id":"https://s.example/o","$recursiveAnchor":true,"$ref":"t",` +
			`"properties":{"b":{"writeOnly":true}},` +
			`"$defs":{"t":{"$id":"t","$recursiveAnchor":true,` +
			`"properties":{"a":{"$recursiveRef":"#"}}}}}`,
		"/a/b", schema.Secret,
	},
	"$recursiveRef, overridden, above": {
		`{"$schema":"https://json-schema.org/draft/2019-09/schema",` +
			`"$id":"https://s.example/o","$recursiveAnchor":true,"$ref":"t",` +
			`"properties":{"b":{"writeOnly":true}},` +
			`"$defs":{"t":{"$id":"t","$recursiveAnchor":true,` +
			`"properties":{"a":{"$recursiveRef":"#"}}}}}`,
		"/a", schema.Unsaid,
	},
	"allOf": {`{"properties":{"a":{"allOf":[{},{"writeOnly":true}]}}}`,
		"/a", schema.Secret},
	"allOf un-mark": {
		`{"properties":{"a":{"allOf":[{},{"x-sensitive":false}]}}}`, "/a", schema.Open},
	"anyOf": {`{"anyOf":[{},{"properties":{"a":{"writeOnly":true}}}]}`,
		"/a", schema.Secret},
	"oneOf": {
		`{"oneOf":[{"properties":{"a":{"writeOnly":true}}},` +
			`{"properties":{"a":{"x-sensitive":false}}}]}`, "/a", schema.Secret},
	"oneOf un-marks by all": {
		`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}},` +
			`{"properties":{"a":{"x-sensitive":false}}},{"properties":{"z":{}}}]}`, "/a",
		schema.Open},
	"oneOf un-marks by one": {
		`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}},{"properties":{"a":{}}}]}`,
		"/a", schema.Unsaid},
	"un-mark in a branch only": {
		`{"properties":{"a":{"type":"string"}},` +
			`"oneOf":[{"properties":{"a":{"x-sensitive":false}}}]}`, "/a", schema.Open},
	"un-mark next to a branch": {
		`{"properties":{"a":{"x-sensitive":false}},"oneOf":[{"properties":{"a":{}}}]}`,
		"/a", schema.Open},
	"un-mark in nested branch": {
		`{"oneOf":[{"anyOf":[{"properties":{"a":{"x-sensitive":false}}},` +
			`{"properties":{"a":{"const":1}}}]}]}`, "/a", schema.Unsaid},
	"un-mark if": {`{"if":{"properties":{"a":{"x-sensitive":false}}}}`, "/a",
		schema.Unsaid},
	"un-mark then": {
		`{"if":{"required":["z"]},"then":{"properties":{"a":{"x-sensitive":false}}}}`, "/a",
		schema.Unsaid},
	"un-mark within a then": {
		`{"if":{"required":["z"]},` +
			`"then":{"anyOf":[{"properties":{"a":{"x-sensitive":false}}}]}}`, "/a",
		schema.Unsaid},
	"un-mark below a then": {
		`{"if":{"required":["z"]},` +
			`"then":{"properties":{"a":{"properties":{"b":{"x-sensitive":false}}}}}}`,
		"/a/b", schema.Unsaid},
	"un-mark dependent": {
		`{"dependentSchemas":{"z":{"properties":{"a":{"x-sensitive":false}}}}}`, "/a",
		schema.Unsaid},
	"un-mark contains": {`{"properties":{"l":{"contains":{"x-sensitive":false}}}}`,
		"/l/0", schema.Unsaid},
	"un-mark oneOf and then": {
		`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}}],"if":true,` +
			`"then":{"properties":{"a":{"x-sensitive":false}}}}`, "/a", schema.Open},
	"un-mark oneOf, not then": {
		`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}}],"if":{"required":["z"]},` +
			`"then":{"properties":{"a":{}}}}`, "/a", schema.Unsaid},
	"un-mark next to a contains": {
		`{"properties":{"l":{"items":{"x-sensitive":false},"contains":{"const":1}}}}`,
		"/l/0", schema.Open},
	"if": {`{"if":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Secret},
	"then": {
		`{"if":{"required":["z"]},"then":{"properties":{"a":{"writeOnly":true}}}}`, "/a",
		schema.Secret},
	"else of a question": {
		`{"if":{"required":["a"]},"else":{"properties":{"a":{"writeOnly":true}}}}`, "/a",
		schema.Secret},
	"not": {`{"not":{"properties":{"a":{"x-sensitive":false}}}}`, "/a", schema.Unsaid},
	"dependentSchemas": {
		`{"dependentSchemas":{"z":{"properties":{"a":{"writeOnly":true}}}}}`, "/a",
		schema.Secret},
	"dependencies": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"dependencies":{"z":{"properties":{"a":{"writeOnly":true}}}}}`, "/a",
		schema.Secret},
	"patternProperties": {`{"patternProperties":{"^a":{"writeOnly":true}}}`, "/a",
		schema.Secret},
	"patternProperties, other": {`{"patternProperties":{"^b":{"writeOnly":true}}}`, "/a",
		schema.Unsaid},
	"additionalProperties": {`{"additionalProperties":{"writeOnly":true}}`, "/a",
		schema.Secret},
	"additional, but described": {
		`{"properties":{"a":{}},"additionalProperties":{"writeOnly":true}}`, "/a",
		schema.Unsaid},
	"additional, but matched": {
		`{"patternProperties":{"a":{}},"additionalProperties":{"writeOnly":true}}`, "/a",
		schema.Unsaid},
	"additional, within": {
		`{"additionalProperties":{"additionalProperties":{"writeOnly":true}}}`, "/a/b",
		schema.Secret},
	"unevaluated": {`{"unevaluatedProperties":{"writeOnly":true}}`, "/a",
		schema.Secret},
	"unevaluated un-mark": {`{"unevaluatedProperties":{"x-sensitive":false}}`, "/a",
		schema.Open},
	"evaluated next to": {
		`{"properties":{"a":{}},"unevaluatedProperties":{"writeOnly":true}}`, "/a",
		schema.Unsaid},
	"evaluated by allOf": {
		`{"allOf":[{"$ref":"#/$defs/s"}],"$defs":{"s":{"additionalProperties":true}},` +
			`"unevaluatedProperties":{"writeOnly":true}}`, "/a", schema.Unsaid},
	"evaluated by a branch": {
		`{"anyOf":[{"properties":{"a":{}}}],"unevaluatedProperties":{"writeOnly":true}}`,
		"/a", schema.Secret},
	"items": {`{"properties":{"l":{"items":{"writeOnly":true}}}}`,
		"/l/1", schema.Secret},
	"items, further down": {
		`{"properties":{"l":{"items":{"items":{"writeOnly":true}}}}}`, "/l/1/0",
		schema.Secret},
	"prefixItems": {
		`{"properties":{"l":{"prefixItems":[{},{"writeOnly":true}]}}}`, "/l/1",
		schema.Secret},
	"prefixItems, another": {
		`{"properties":{"l":{"prefixItems":[{},{"writeOnly":true}]}}}`, "/l/0",
		schema.Unsaid},
	"items behind prefixItems": {
		`{"properties":{"l":{"prefixItems":[{},{}],"items":{"writeOnly":true}}}}`, "/l/2",
		schema.Secret},
	"items, not the first": {
		`{"properties":{"l":{"prefixItems":[{},{}],"items":{"writeOnly":true}}}}`, "/l/1",
		schema.Unsaid},
	"contains": {`{"properties":{"l":{"contains":{"writeOnly":true}}}}`,
		"/l/2", schema.Secret},
	"unevaluatedItems": {
		`{"properties":{"l":{"prefixItems":[{}],"unevaluatedItems":{"writeOnly":true}}}}`,
		"/l/2", schema.Secret},
	"unevaluatedItems, another": {
		`{"properties":{"l":{"prefixItems":[{}],"unevaluatedItems":{"writeOnly":true}}}}`,
		"/l/0", schema.Unsaid},
	"evaluated items": {
		`{"properties":{"l":{"items":{},"unevaluatedItems":{"writeOnly":true}}}}`, "/l/0",
		schema.Unsaid},
	"items of old": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"l":{"items":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
	"list of items of old": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"l":{"items":[{},{"writeOnly":true}]}}}`, "/l/1", schema.Secret},
	"additionalItems of old": {
		`{"$schema":"http://json-schema.org/draft-07/schema#",` +
			`"properties":{"l":{"items":[{}],"additionalItems":{"writeOnly":true}}}}`,
		"/l/2", schema.Secret},
	"within an element": {
		`{"properties":{"l":{"items":{"properties":{"m":{"writeOnly":true}}}}}}`, "/l/2/m",
		schema.Secret},
}

func TestVerdict(t *testing.T) {
	const doc = `{"a":{"b":{"c":1}},"l":[1,[2],{"m":3}]}`
	for name, c := range verdicts {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.schema)
			if got := placeAt(t, s, doc, c.at).Verdict(); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
