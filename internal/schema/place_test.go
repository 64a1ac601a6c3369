package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// placeAt returns a place of a document with the given text.
func placeAt(tb testing.TB, s *schema.Schema, doc, pointer string) *schema.Place {
	tb.Helper()
	tokens, err := jsontree.ParsePointer(pointer)
	if err != nil {
		tb.Fatal(err)
	}
	p, n := s.Root(), parse(tb, doc)
	for _, token := range tokens {
		p, n = p.Child(token, n.Kind() == jsontree.Array), n.Child(token)
		if n == nil {
			tb.Fatalf("no %s in %s", pointer, doc)
		}
	}
	return p
}

func TestVerdict(t *testing.T) {
	const doc = `{"a":{"b":{"c":1}},"l":[1,[2],{"m":3}]}`
	for name, c := range map[string]struct {
		schema string
		at     string
		want   schema.Verdict
	}{
		"nothing said":             {`{}`, "/a/b", schema.Unsaid},
		"true":                     {`true`, "/a/b", schema.Unsaid},
		"writeOnly":                {`{"properties":{"a":{"writeOnly":true}}}`, "/a", schema.Secret},
		"writeOnly false":          {`{"properties":{"a":{"writeOnly":false}}}`, "/a", schema.Unsaid},
		"password":                 {`{"properties":{"a":{"format":"password"}}}`, "/a", schema.Secret},
		"password in capitals":     {`{"properties":{"a":{"format":"Password"}}}`, "/a", schema.Secret},
		"a flag that is null":      {`{"properties":{"a":{"x-sensitive":null}}}`, "/a", schema.Secret},
		"another that is null":     {`{"properties":{"a":{"airbyte_secret":null}}}`, "/a", schema.Secret},
		"content":                  {`{"properties":{"a":{"contentMediaType":"application/json","contentSchema":{"properties":{"k":{"writeOnly":true}}}}}}`, "/a", schema.Secret},
		"content by $ref":          {`{"properties":{"a":{"x-sensitive":false,"contentSchema":{"items":{"$ref":"#/$defs/s"}}}},"$defs":{"s":{"x-secret":true}}}`, "/a", schema.Secret},
		"content of content":       {`{"properties":{"a":{"contentSchema":{"contentSchema":{"x-secret":true}}}}}`, "/a", schema.Secret},
		"content, old draft":       {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"contentSchema":{"x-secret":true}}}}`, "/a", schema.Secret},
		"content without a mark":   {`{"properties":{"a":{"contentSchema":{"properties":{"k":{}}}}}}`, "/a", schema.Unsaid},
		"other format":             {`{"properties":{"a":{"format":"uri"}}}`, "/a", schema.Unsaid},
		"x-sensitive":              {`{"properties":{"a":{"x-sensitive":true}}}`, "/a", schema.Secret},
		"x-secret":                 {`{"properties":{"a":{"x-secret":true}}}`, "/a", schema.Secret},
		"x-secret false":           {`{"properties":{"a":{"x-secret":false}}}`, "/a", schema.Unsaid},
		"secret":                   {`{"properties":{"a":{"secret":true}}}`, "/a", schema.Secret},
		"airbyte_secret":           {`{"properties":{"a":{"airbyte_secret":true}}}`, "/a", schema.Secret},
		"airbyte_secret false":     {`{"properties":{"a":{"airbyte_secret":false}}}`, "/a", schema.Unsaid},
		"un-marked":                {`{"properties":{"a":{"x-sensitive":false}}}`, "/a", schema.Open},
		"un-marked and marked":     {`{"properties":{"a":{"x-sensitive":false,"format":"password"}}}`, "/a", schema.Secret},
		"below a mark":             {`{"properties":{"a":{"x-sensitive":true}}}`, "/a/b/c", schema.Secret},
		"below an un-mark":         {`{"properties":{"a":{"x-sensitive":false}}}`, "/a/b/c", schema.Open},
		"mark below an un-mark":    {`{"x-sensitive":false,"properties":{"a":{"properties":{"b":{"writeOnly":true}}}}}`, "/a/b/c", schema.Secret},
		"un-mark below a mark":     {`{"x-sensitive":true,"properties":{"a":{"properties":{"b":{"x-sensitive":false}}}}}`, "/a/b/c", schema.Open},
		"beside":                   {`{"properties":{"a":{"properties":{"x":{"writeOnly":true}}}}}`, "/a/b", schema.Unsaid},
		"a member of that name":    {`{"properties":{"x-sensitive":{"const":true}}}`, "/a", schema.Unsaid},
		"$ref":                     {`{"properties":{"a":{"$ref":"#/$defs/s"}},"$defs":{"s":{"writeOnly":true}}}`, "/a", schema.Secret},
		"$ref beside":              {`{"properties":{"a":{"$ref":"#/$defs/s","writeOnly":true}},"$defs":{"s":{}}}`, "/a", schema.Secret},
		"$ref beside, old draft":   {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/s","x-sensitive":true}},"definitions":{"s":{}}}`, "/a", schema.Secret},
		"$ref in a circle":         {`{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"writeOnly":true}}}`, "/a/b/c", schema.Secret},
		"$ref to an anchor":        {`{"properties":{"a":{"$ref":"#s"}},"$defs":{"x":{"$anchor":"s","writeOnly":true}}}`, "/a", schema.Secret},
		"$ref to an embedded text": {`{"properties":{"a":{"$ref":"https://s.example/s"}},"$defs":{"x":{"$id":"https://s.example/s","writeOnly":true}}}`, "/a", schema.Secret},
		"un-mark by $ref":          {`{"properties":{"a":{"$ref":"#/$defs/s"}},"$defs":{"s":{"x-sensitive":false}}}`, "/a", schema.Open},
		"$dynamicRef":              {`{"properties":{"a":{"$dynamicRef":"#n"}},"$defs":{"x":{"$dynamicAnchor":"n","writeOnly":true}}}`, "/a", schema.Secret},
		"$dynamicRef, overridden": {
			`{"$ref":"t","$defs":{"x":{"$dynamicAnchor":"n","writeOnly":true},"t":{"$id":"t","properties":{"a":{"$dynamicRef":"#n"}},"$defs":{"d":{"$dynamicAnchor":"n"}}}}}`,
			"/a", schema.Secret,
		},
		"$recursiveRef": {
			`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"},"b":{"writeOnly":true}}}`,
			"/a/b", schema.Secret,
		},
		"$recursiveRef, overridden": {
			`{"$schema":"https://json-schema.org/draft/2019-09/schema","$id":"https://s.example/o","$recursiveAnchor":true,"$ref":"t","properties":{"b":{"writeOnly":true}},` +
				`"$defs":{"t":{"$id":"t","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}}}}}`,
			"/a/b", schema.Secret,
		},
		"$recursiveRef, overridden, above": {
			`{"$schema":"https://json-schema.org/draft/2019-09/schema","$id":"https://s.example/o","$recursiveAnchor":true,"$ref":"t","properties":{"b":{"writeOnly":true}},` +
				`"$defs":{"t":{"$id":"t","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}}}}}`,
			"/a", schema.Unsaid,
		},
		"allOf":                     {`{"properties":{"a":{"allOf":[{},{"writeOnly":true}]}}}`, "/a", schema.Secret},
		"allOf un-mark":             {`{"properties":{"a":{"allOf":[{},{"x-sensitive":false}]}}}`, "/a", schema.Open},
		"anyOf":                     {`{"anyOf":[{},{"properties":{"a":{"writeOnly":true}}}]}`, "/a", schema.Secret},
		"oneOf":                     {`{"oneOf":[{"properties":{"a":{"writeOnly":true}}},{"properties":{"a":{"x-sensitive":false}}}]}`, "/a", schema.Secret},
		"oneOf un-marks by all":     {`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}},{"properties":{"a":{"x-sensitive":false}}},{"properties":{"z":{}}}]}`, "/a", schema.Open},
		"oneOf un-marks by one":     {`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}},{"properties":{"a":{}}}]}`, "/a", schema.Unsaid},
		"un-mark in a branch only":  {`{"properties":{"a":{"type":"string"}},"oneOf":[{"properties":{"a":{"x-sensitive":false}}}]}`, "/a", schema.Open},
		"un-mark beside a branch":   {`{"properties":{"a":{"x-sensitive":false}},"oneOf":[{"properties":{"a":{}}}]}`, "/a", schema.Open},
		"un-mark in nested branch":  {`{"oneOf":[{"anyOf":[{"properties":{"a":{"x-sensitive":false}}},{"properties":{"a":{"const":1}}}]}]}`, "/a", schema.Unsaid},
		"un-mark if":                {`{"if":{"properties":{"a":{"x-sensitive":false}}}}`, "/a", schema.Unsaid},
		"un-mark then":              {`{"if":{"required":["z"]},"then":{"properties":{"a":{"x-sensitive":false}}}}`, "/a", schema.Unsaid},
		"un-mark within a then":     {`{"if":{"required":["z"]},"then":{"anyOf":[{"properties":{"a":{"x-sensitive":false}}}]}}`, "/a", schema.Unsaid},
		"un-mark below a then":      {`{"if":{"required":["z"]},"then":{"properties":{"a":{"properties":{"b":{"x-sensitive":false}}}}}}`, "/a/b", schema.Unsaid},
		"un-mark dependent":         {`{"dependentSchemas":{"z":{"properties":{"a":{"x-sensitive":false}}}}}`, "/a", schema.Unsaid},
		"un-mark contains":          {`{"properties":{"l":{"contains":{"x-sensitive":false}}}}`, "/l/0", schema.Unsaid},
		"un-mark oneOf and then":    {`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}}],"if":true,"then":{"properties":{"a":{"x-sensitive":false}}}}`, "/a", schema.Open},
		"un-mark oneOf, not then":   {`{"oneOf":[{"properties":{"a":{"x-sensitive":false}}}],"if":{"required":["z"]},"then":{"properties":{"a":{}}}}`, "/a", schema.Unsaid},
		"un-mark beside a contains": {`{"properties":{"l":{"items":{"x-sensitive":false},"contains":{"const":1}}}}`, "/l/0", schema.Open},
		"if":                        {`{"if":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Secret},
		"then":                      {`{"if":{"required":["z"]},"then":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Secret},
		"else":                      {`{"if":true,"else":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Unsaid},
		"else of a question":        {`{"if":{"required":["a"]},"else":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Secret},
		"not":                       {`{"not":{"properties":{"a":{"writeOnly":true}}}}`, "/a", schema.Unsaid},
		"dependentSchemas":          {`{"dependentSchemas":{"z":{"properties":{"a":{"writeOnly":true}}}}}`, "/a", schema.Secret},
		"dependencies":              {`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"z":{"properties":{"a":{"writeOnly":true}}}}}`, "/a", schema.Secret},
		"patternProperties":         {`{"patternProperties":{"^a":{"writeOnly":true}}}`, "/a", schema.Secret},
		"patternProperties, other":  {`{"patternProperties":{"^b":{"writeOnly":true}}}`, "/a", schema.Unsaid},
		"additionalProperties":      {`{"additionalProperties":{"writeOnly":true}}`, "/a", schema.Secret},
		"additional, but described": {`{"properties":{"a":{}},"additionalProperties":{"writeOnly":true}}`, "/a", schema.Unsaid},
		"additional, but matched":   {`{"patternProperties":{"a":{}},"additionalProperties":{"writeOnly":true}}`, "/a", schema.Unsaid},
		"additional, within":        {`{"additionalProperties":{"additionalProperties":{"writeOnly":true}}}`, "/a/b", schema.Secret},
		"unevaluated":               {`{"unevaluatedProperties":{"writeOnly":true}}`, "/a", schema.Secret},
		"unevaluated un-mark":       {`{"unevaluatedProperties":{"x-sensitive":false}}`, "/a", schema.Open},
		"evaluated beside":          {`{"properties":{"a":{}},"unevaluatedProperties":{"writeOnly":true}}`, "/a", schema.Unsaid},
		"evaluated by allOf":        {`{"allOf":[{"$ref":"#/$defs/s"}],"$defs":{"s":{"additionalProperties":true}},"unevaluatedProperties":{"writeOnly":true}}`, "/a", schema.Unsaid},
		"evaluated by a branch":     {`{"anyOf":[{"properties":{"a":{}}}],"unevaluatedProperties":{"writeOnly":true}}`, "/a", schema.Secret},
		"items":                     {`{"properties":{"l":{"items":{"writeOnly":true}}}}`, "/l/1", schema.Secret},
		"items, further down":       {`{"properties":{"l":{"items":{"items":{"writeOnly":true}}}}}`, "/l/1/0", schema.Secret},
		"prefixItems":               {`{"properties":{"l":{"prefixItems":[{},{"writeOnly":true}]}}}`, "/l/1", schema.Secret},
		"prefixItems, another":      {`{"properties":{"l":{"prefixItems":[{},{"writeOnly":true}]}}}`, "/l/0", schema.Unsaid},
		"items behind prefixItems":  {`{"properties":{"l":{"prefixItems":[{},{}],"items":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
		"items, not the first":      {`{"properties":{"l":{"prefixItems":[{},{}],"items":{"writeOnly":true}}}}`, "/l/1", schema.Unsaid},
		"contains":                  {`{"properties":{"l":{"contains":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
		"unevaluatedItems":          {`{"properties":{"l":{"prefixItems":[{}],"unevaluatedItems":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
		"unevaluatedItems, another": {`{"properties":{"l":{"prefixItems":[{}],"unevaluatedItems":{"writeOnly":true}}}}`, "/l/0", schema.Unsaid},
		"evaluated items":           {`{"properties":{"l":{"items":{},"unevaluatedItems":{"writeOnly":true}}}}`, "/l/0", schema.Unsaid},
		"items of old":              {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"l":{"items":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
		"list of items of old":      {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"l":{"items":[{},{"writeOnly":true}]}}}`, "/l/1", schema.Secret},
		"additionalItems of old":    {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"l":{"items":[{}],"additionalItems":{"writeOnly":true}}}}`, "/l/2", schema.Secret},
		"within an element":         {`{"properties":{"l":{"items":{"properties":{"m":{"writeOnly":true}}}}}}`, "/l/2/m", schema.Secret},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.schema)
			if got := placeAt(t, s, doc, c.at).Verdict(); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// Elements that the schema treats alike share what is known of them, and no more.
func TestElementsAreToldApart(t *testing.T) {
	s := compile(t, `{"prefixItems":[{"writeOnly":true}],"items":{"x-exposes":["0/x"],"properties":{"x":{"writeOnly":true}}}}`)
	root := s.Root()
	for _, i := range []string{"1", "2", "1", "0"} {
		p := root.Child(i, true)
		want := schema.Unsaid
		if i == "0" {
			want = schema.Secret
		}
		if p.Verdict() != want || p.Child("x", false).Verdict() != schema.Secret {
			t.Errorf("element %s has verdict %v", i, p.Verdict())
		}
		if i == "0" {
			continue
		}
		places, _ := p.Exposes()
		if diff := cmp.Diff([][]string{{i, "x"}}, places); diff != "" {
			t.Errorf("element %s: %s", i, diff)
		}
	}
}

func TestKey(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"x-key":"id"}`: "id", `{"x-key":""}`: "",
		`{"allOf":[{"x-key":"id"},{}]}`: "id", `{"anyOf":[{"x-key":"id"},{"x-key":"id"}]}`: "id", `{"anyOf":[{"x-key":"id"},{"x-key":"name"}]}`: "",
	} {
		if got := compile(t, text).Root().Key(); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestExposes(t *testing.T) {
	const doc = `{"a":{"b":{"c":1}},"l":[{"u":1}]}`
	for name, c := range map[string]struct {
		schema, at string
		want       [][]string
		said       bool
		address    bool
	}{
		"nothing":           {schema: `{}`, at: "/a"},
		"from the root":     {schema: `{"properties":{"a":{"x-exposes":["/x/y~1z",""]}}}`, at: "/a", want: [][]string{{"x", "y/z"}, nil}, said: true},
		"none":              {schema: `{"properties":{"a":{"x-exposes":[]}}}`, at: "/a", said: true},
		"inherited":         {schema: `{"properties":{"a":{"x-exposes":["/x"]}}}`, at: "/a/b/c", want: [][]string{{"x"}}, said: true},
		"narrowed":          {schema: `{"x-exposes":["/x"],"properties":{"a":{"x-exposes":[]}}}`, at: "/a/b", said: true},
		"beside":            {schema: `{"properties":{"l":{"items":{"properties":{"u":{"x-exposes":["1/t"]}}}}}}`, at: "/l/0/u", want: [][]string{{"l", "0", "t"}}, said: true},
		"far up":            {schema: `{"properties":{"a":{"x-exposes":["9/t"]}}}`, at: "/a", want: [][]string{{"t"}}, said: true},
		"itself":            {schema: `{"properties":{"a":{"x-exposes":["0"]}}}`, at: "/a", want: [][]string{{"a"}}, said: true},
		"in two schemas":    {schema: `{"properties":{"a":{"allOf":[{"x-exposes":["/x"]},{"x-exposes":[]},{"x-exposes":["/y"]}]}}}`, at: "/a", want: [][]string{{"x"}, {"y"}}, said: true},
		"one branch":        {schema: `{"oneOf":[{"properties":{"a":{"x-exposes":[]}}},{"properties":{"a":{"format":"uri"}}}]}`, at: "/a", address: true},
		"all branches":      {schema: `{"oneOf":[{"properties":{"a":{"x-exposes":["/x"]}}},{"properties":{"a":{"x-exposes":[]}}}]}`, at: "/a", want: [][]string{{"x"}}, said: true},
		"then":              {schema: `{"properties":{"a":{"format":"uri"}},"if":{"required":["m"]},"then":{"properties":{"a":{"x-exposes":[]}}}}`, at: "/a", address: true},
		"only then":         {schema: `{"if":{"required":["m"]},"then":{"properties":{"a":{"x-exposes":[]}}}}`, at: "/a"},
		"branch adds":       {schema: `{"properties":{"a":{"x-exposes":["/x"]}},"then":{},"if":{"properties":{"a":{"x-exposes":["/y"]}}}}`, at: "/a", want: [][]string{{"x"}, {"y"}}, said: true},
		"branch below adds": {schema: `{"properties":{"a":{"x-exposes":["/x"],"anyOf":[{"properties":{"b":{"x-exposes":["/y"]}}},{"properties":{"b":{}}}]}}}`, at: "/a/b", want: [][]string{{"y"}, {"x"}}, said: true},
		"branch below":      {schema: `{"properties":{"a":{"x-exposes":["/x"],"anyOf":[{"properties":{"b":{"x-exposes":[]}}},{"properties":{"b":{}}}]}}}`, at: "/a/b", want: [][]string{{"x"}}, said: true},
		"capitals":          {schema: `{"properties":{"a":{"format":"URI"}}}`, at: "/a", address: true},
		"uri":               {schema: `{"properties":{"a":{"format":"uri"}}}`, at: "/a", address: true},
		"hostname":          {schema: `{"properties":{"a":{"anyOf":[{"format":"hostname"}]}}}`, at: "/a", address: true},
		"e-mail":            {schema: `{"properties":{"a":{"format":"email"}}}`, at: "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := placeAt(t, compile(t, c.schema), doc, c.at)
			got, said := p.Exposes()
			if len(got) != len(c.want) || said != c.said || p.Address() != c.address {
				t.Fatalf("got %v, %v, %v", got, said, p.Address())
			}
			for i := range got {
				if diff := cmp.Diff(append([]string{}, c.want[i]...), append([]string{}, got[i]...)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	for name, c := range map[string]struct{ schema, doc, want string }{
		"none":             {`{}`, `{"a":1}`, `{"a":1}`},
		"added, by name":   {`{"properties":{"b":{"default":2},"a":{"default":{"y":1.50,"x":[null]}}}}`, `{"z":0}`, `{"z":0,"a":{"x":[null],"y":1.50},"b":2}`},
		"there already":    {`{"properties":{"a":{"default":1}}}`, `{"a":null}`, `{"a":null}`},
		"within":           {`{"properties":{"a":{"items":{"properties":{"b":{"default":1}}}}}}`, `{"a":[{},{"b":2},3]}`, `{"a":[{"b":1},{"b":2},3]}`},
		"not in a default": {`{"$ref":"#/$defs/s","$defs":{"s":{"properties":{"a":{"default":{},"$ref":"#/$defs/s"}}}}}`, `{}`, `{"a":{}}`},
		"by $ref, allOf":   {`{"allOf":[{"properties":{"a":{"$ref":"#/$defs/s"}}}],"$defs":{"s":{"default":1}}}`, `{}`, `{"a":1}`},
		"not in a branch":  {`{"anyOf":[{"properties":{"a":{"default":1}}}],"properties":{"b":{"oneOf":[{"default":2}]}}}`, `{}`, `{}`},
		"of no object":     {`{"default":{"a":1}}`, `[]`, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, c.doc)
			got := compile(t, c.schema).Defaults(doc)
			if text := string(got.Append(nil)); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
			if c.want == c.doc && got != doc {
				t.Error("an unchanged document is another one")
			}
		})
	}
}

// Defaults end where they make a document that is too large anyway.
func TestDefaultsAreBounded(t *testing.T) {
	s := compile(t, `{"items":{"properties":{`+manyNames(200, `"p%d":{"default":0}`)+`}}}`)
	n := len(s.Defaults(parse(t, "["+list("{}", 15_000)+"]")).Append(nil))
	if n < jsontree.DefaultBytes || n > 2*jsontree.DefaultBytes {
		t.Errorf("%d bytes", n)
	}
	large := compile(t, `{"items":{"properties":{"a":{"default":"`+strings.Repeat("x", 200_000)+`"}}}}`)
	if n := len(large.Defaults(parse(t, "["+list("{}", 15_000)+"]")).Append(nil)); n < jsontree.DefaultBytes || n > 3*jsontree.DefaultBytes {
		t.Errorf("large ones: %d bytes", n)
	}
	wide := compile(t, `{"additionalProperties":{"properties":{`+manyNames(4900, `"p%d":{}`)+`}}}`).Session()
	wide.Defaults(parse(t, `{`+manyNames(15_000, `"k%d":{}`)+`}`))
	if !wide.Overran() {
		t.Error("looking for defaults in each of many members is not counted")
	}
}
