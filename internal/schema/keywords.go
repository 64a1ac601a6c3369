package schema

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// note holds the keywords of one schema object that this package interprets itself, in any draft.
type note struct {
	sensitive   bool               // has a secretFlag or format: password
	unmarked    bool               // x-sensitive: false
	anyNames    bool               // x-names: false
	destination bool               // has an addressFormat
	key         string             // x-key
	exposes     []exposure         // x-exposes
	saysExposes bool               // x-exposes is present
	defaultText []byte             // default, as JSON; nil = none
	unique      bool               // uniqueItems
	content     *jsonschema.Schema // contentSchema
	gate        *gate              // set by link
	meter       *meter
}

// exposure is an item of x-exposes: the place of a secret as a JSON Pointer. It starts at the root,
// or some levels above the place that declares it.
type exposure struct {
	up     int // -1 = from the root
	tokens []string
}

// secretFlags are the keywords that mark a secret: the standard one, ours, and those of Singer,
// Nango, Airbyte, the MCP registry and other products.
var secretFlags = map[string]bool{
	"writeOnly": true, "x-sensitive": true, "x-secret": true, "x-encrypted": true,
	"secret": true, "sensitive": true, "encrypted": true, "airbyte_secret": true,
	"isSecret": true, "isSensitive": true, "isEncrypted": true,
	"is_secret": true, "is_sensitive": true, "is_encrypted": true,
}

// addressFormats are the formats of addresses.
var addressFormats = map[string]bool{
	"uri": true, "uri-reference": true, "iri": true, "iri-reference": true,
	"uri-template": true,
	"hostname":     true, "idn-hostname": true, "ipv4": true, "ipv6": true,
}

// compileNote returns the note to attach to a schema object during compilation. It also collects
// the possible targets of dynamic references. Only validation knows which target applies, so all of
// them count for a [Place].
func (s *Schema) compileNote(
	ctx *jsonschema.CompilerContext, obj map[string]any,
) (jsonschema.SchemaExt, error) {
	n, err := readNote(obj)
	if err != nil {
		return nil, err
	}
	n.meter = s.meter
	switch obj["contentSchema"].(type) {
	case bool, map[string]any:
		n.content = ctx.Enqueue([]string{"contentSchema"})
	}
	if anchor, ok := obj["$dynamicAnchor"].(string); ok {
		s.anchors[anchor] = append(s.anchors[anchor], ctx.Enqueue(nil))
	}
	if anchor, _ := obj["$recursiveAnchor"].(bool); anchor {
		s.anchors[""] = append(s.anchors[""], ctx.Enqueue(nil))
	}
	return n, nil
}

// readNote reads the keywords of this package. An invalid value is an error, so that a misspelt
// flag is not ignored. A flag that is null counts as true: generators write null for a flag
// without a value.
func readNote(obj map[string]any) (*note, error) {
	n := new(note)
	for flag := range secretFlags {
		switch v, given := obj[flag]; v := v.(type) {
		case nil:
			n.sensitive = n.sensitive || given
		case bool:
			n.sensitive = n.sensitive || v
		default:
			return nil, &Error{Fault: Keyword, Pointer: "/" + flag}
		}
	}
	format, _ := obj["format"].(string)
	format = strings.ToLower(format)
	n.sensitive = n.sensitive || format == "password"
	n.destination = addressFormats[format]
	if unmark, ok := obj["x-sensitive"].(bool); ok && !unmark {
		n.unmarked = !n.sensitive
	}
	if v, said := obj["x-names"]; said {
		names, ok := v.(bool)
		if !ok {
			return nil, &Error{Fault: Keyword, Pointer: "/x-names"}
		}
		n.anyNames = !names
	}
	switch key := obj["x-key"].(type) {
	case nil:
	case string:
		n.key = key
	default:
		return nil, &Error{Fault: Keyword, Pointer: "/x-key"}
	}
	var err error
	if n.exposes, n.saysExposes, err = readExposes(obj); err != nil {
		return nil, err
	}
	n.defaultText, err = readDefault(obj)
	return n, err
}

func readExposes(obj map[string]any) (list []exposure, said bool, err error) {
	v, said := obj["x-exposes"]
	if !said {
		return nil, false, nil
	}
	bad := &Error{Fault: Keyword, Pointer: "/x-exposes"}
	pointers, ok := v.([]any)
	if !ok {
		return nil, false, bad
	}
	for _, p := range pointers {
		text, isText := p.(string)
		e, ok := parseExposure(text)
		if !isText || !ok {
			return nil, false, bad
		}
		list = append(list, e)
	}
	return list, true, nil
}

// parseExposure parses a JSON Pointer (RFC 6901) or a relative one, which starts with a number of
// levels to go up.
func parseExposure(s string) (exposure, bool) {
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	tokens, err := jsontree.ParsePointer(s[len(digits):])
	if err != nil {
		return exposure{}, false
	}
	if digits == "" {
		return exposure{-1, tokens}, true
	}
	up, err := strconv.Atoi(digits)
	return exposure{up, tokens}, err == nil && (digits == "0" || digits[0] != '0')
}

// from returns the place of the secret for an exposure that is declared at the place at.
func (e exposure) from(at []string) []string {
	if e.up < 0 {
		return e.tokens
	}
	around := at[:max(0, len(at)-e.up)]
	return slices.Concat(around, e.tokens)
}

func readDefault(obj map[string]any) ([]byte, error) {
	v, ok := obj["default"]
	if !ok {
		return nil, nil
	}
	text, err := json.Marshal(v)
	if err == nil {
		if _, err := jsontree.Parse(text, jsontree.Limits{}); err == nil {
			return text, nil
		}
	}
	return nil, &Error{Fault: Keyword, Pointer: "/default"}
}

// defaultValue returns the default, which readDefault has parsed before, or nil. The note keeps
// only the text, because a tree takes many times the memory.
func (n *note) defaultValue() *jsontree.Node {
	if n.defaultText == nil {
		return nil
	}
	value, _ := jsontree.Parse(n.defaultText, jsontree.Limits{})
	return value
}

// noteOf returns the note of a schema. The schemas true and false have an empty note.
func noteOf(sch *jsonschema.Schema) *note {
	for _, x := range sch.Extensions {
		if n, ok := x.(*note); ok {
			return n
		}
	}
	return &note{}
}

// Opening returns a schema that says that no secret goes to the place at a pointer. The documents
// tell which parts of the pointer are indexes of arrays.
func Opening(pointer string, docs ...*jsontree.Node) string {
	text, end := "", ""
	tokens, _ := jsontree.ParsePointer(pointer)
	for i, token := range tokens {
		name, _ := json.Marshal(token)
		isArray := func(doc *jsontree.Node) bool {
			n := doc.At(tokens[:i])
			return n != nil && n.Kind() == jsontree.Array
		}
		if slices.ContainsFunc(docs, isArray) {
			text, end = text+`{"items":`, end+"}"
		} else {
			text, end = text+`{"properties":{`+string(name)+":", end+"}}"
		}
	}
	return text + `{"x-exposes":[]}` + end
}
