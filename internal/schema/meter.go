package schema

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// steps caps the work of one check. A hostile schema can take exponential time, or time
// proportional to its own size multiplied by the size of the document.
const steps = 500_000

// meter counts the work of one check. All schema objects share it, so only one check runs at a
// time.
type meter struct {
	left    int
	polled  int // value of left when the context was last checked
	ctxErr  func() error
	secrets map[string]bool
}

var errComplex = &Error{Fault: Complex}

// spend counts n units of work. It panics if too few are left or the context ended, because the
// library offers no other way to stop. [Schema.Check] recovers the panic.
func (m *meter) spend(n int) {
	if m.left -= n; m.left < 0 {
		panic(errComplex)
	}
	if m.polled-m.left > 1000 {
		m.polled = m.left
		if err := m.ctxErr(); err != nil {
			panic(err)
		}
	}
}

// gate counts the work of a schema object. It is installed as the format of the object, because the
// library validates the format before most keywords. The gate takes over type, const and enum,
// which the library validates even earlier. The library would also compare a value with every value
// of an enum.
type gate struct {
	meter  *meter
	weight int // work of the schema object itself
	types  []string
	choice []*choice // const and enum
	format *jsonschema.Format
}

// plainFormats are the formats of which a valid text is no address.
var plainFormats = map[string]bool{
	"date": true, "time": true, "date-time": true, "duration": true, "uuid": true, "email": true,
}

// install adds a gate to a schema object, removes the keywords that the gate validates, and returns
// the gate.
func (m *meter) install(sch *jsonschema.Schema) *gate {
	g := &gate{meter: m, weight: weigh(sch), format: sch.Format}
	if sch.Types != nil && !sch.Types.IsEmpty() {
		g.types = sch.Types.ToStrings()
		sch.Types = nil
	}
	if sch.Const != nil {
		g.choice = append(g.choice, newChoice("const", []any{*sch.Const}))
		sch.Const = nil
	}
	if sch.Enum != nil {
		g.choice = append(g.choice, newChoice("enum", sch.Enum.Values))
		sch.Enum = nil
	}
	for _, c := range g.choice {
		g.weight += c.weight
	}
	sch.Format = &jsonschema.Format{Name: "gate", Validate: g.pass}
	return g
}

// weigh returns the work that the size of a schema object causes. The gates of subschemas count the
// work of the subschemas.
func weigh(sch *jsonschema.Schema) int {
	n := 1 + len(sch.Required) + len(sch.DependentSchemas) + len(sch.Dependencies)
	for _, names := range sch.DependentRequired {
		n += 1 + len(names)
	}
	for _, dependency := range sch.Dependencies {
		if names, ok := dependency.([]string); ok {
			n += len(names)
		}
	}
	for _, list := range [][]*jsonschema.Schema{sch.AllOf, sch.AnyOf, sch.OneOf} {
		for _, s := range list {
			if s.Bool != nil {
				n++ // true and false have no gate
			}
		}
	}
	for _, bound := range []*big.Rat{
		sch.Minimum, sch.Maximum, sch.ExclusiveMinimum, sch.ExclusiveMaximum, sch.MultipleOf,
	} {
		if bound != nil {
			n += failure + (bound.Num().BitLen()+bound.Denom().BitLen())/64
		}
	}
	for _, limit := range []*int{
		sch.MinLength, sch.MaxLength, sch.MinItems, sch.MaxItems, sch.MinContains, sch.MaxContains,
		sch.MinProperties, sch.MaxProperties,
	} {
		if limit != nil {
			n += failure
		}
	}
	if len(sch.Required) > 0 {
		n += failure
	}
	return n
}

// failure is the work of a violated keyword, for which the library makes an error. It is counted
// for each keyword that the gate does not validate, because only the library knows the outcome.
const failure = 8

// size returns the work that a value causes in each schema object applied to it.
func size(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	case string:
		return len(v) / 64
	case number:
		_, exponent := splitNumber(string(v))
		return (len(v) + max(exponent, -exponent)) / 16
	}
	return 0
}

// mismatch is the error of a gate for a violated keyword.
type mismatch struct{ keyword, want string }

// Error implements error, for the library.
func (m *mismatch) Error() string { return m.keyword }

func (g *gate) pass(v any) error {
	g.meter.spend(g.weight + size(v))
	fits := func(name string) bool { return name == typeOf(v) || name == "integer" && isInteger(v) }
	if g.types != nil && !slices.ContainsFunc(g.types, fits) {
		g.meter.spend(failure)
		return &mismatch{"type", strings.Join(g.types, " or ")}
	}
	for _, c := range g.choice {
		if !c.has(v) {
			g.meter.spend(failure)
			return &mismatch{c.keyword, ""}
		}
	}
	if g.format != nil {
		return g.format.Validate(v)
	}
	return nil
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

func isInteger(v any) bool {
	n, ok := v.(number)
	if !ok {
		return false
	}
	r, ok := new(big.Rat).SetString(string(n))
	return ok && r.IsInt()
}

// choice is the list of values of an enum or const.
type choice struct {
	keyword string
	scalars map[string]bool // by key
	others  []any
	weight  int
}

func newChoice(keyword string, values []any) *choice {
	c := &choice{keyword: keyword, scalars: make(map[string]bool)}
	for _, v := range values {
		if key, ok := key(v); ok {
			c.scalars[key] = true
		} else {
			c.others, c.weight = append(c.others, v), c.weight+count(v)
		}
	}
	return c
}

func (c *choice) has(v any) bool {
	if key, ok := key(v); ok {
		return c.scalars[key]
	}
	return slices.ContainsFunc(c.others, func(other any) bool { return equal(v, other) })
}

// key returns a text for a scalar. Two scalars have the same text exactly if they are equal. For an
// array or object, key returns false.
func key(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case string:
		return `"` + v, true
	case number:
		n, err := jsontree.Parse([]byte(v), jsontree.Limits{})
		if err != nil {
			return string(v), true // from approximate, which has one form for each value
		}
		return string(n.AppendCanonical(nil)), true
	}
	return "", false
}

// equal reports whether the value a of a document equals the value b of the schema. It visits at
// most as many values as b has.
func equal(a, b any) bool {
	switch b := b.(type) {
	case map[string]any:
		a, ok := a.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range b {
			if other, ok := a[name]; !ok || !equal(other, v) {
				return false
			}
		}
		return true
	case []any:
		a, ok := a.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i, v := range b {
			if !equal(a[i], v) {
				return false
			}
		}
		return true
	}
	keyA, ok := key(a)
	keyB, _ := key(b)
	return ok && keyA == keyB
}

// count returns the number of values in v, including v.
func count(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			n += count(child)
		}
	case []any:
		for _, child := range v {
			n += count(child)
		}
	case json.Number:
		n += size(v)
	}
	return n
}
