package masked_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// A secret that moves to another index can come into the reach of another destination.
func TestSecretsThatMove(t *testing.T) {
	const tokens, objects = `{"tokens":["A","B","C"]}`, `{"l":[{"token":"A"},{"token":"B"}]}`
	none, keyed := classify.NameRule{}, described(t, `{"properties":{"l":{"x-key":"id"}}}`)
	places := described(t, `{"properties":{"first":{"x-exposes":["/l/0"]},"l":{}}}`)
	for name, c := range map[string]struct {
		rule masked.Rule
		doc  string
		op   masked.Op
		want []string
	}{
		"the first removed": {none, tokens, op(masked.Remove, "/tokens/0", ""),
			[]string{"c/tokens/0 > ", "c/tokens/1 > "}},
		"the last removed": {none, tokens, op(masked.Remove, "/tokens/2", ""), nil},
		"one inserted": {none, tokens, op(masked.Add, "/tokens/1", `"X"`),
			[]string{"c/tokens/2 > ", "c/tokens/3 > "}},
		"one appended":    {none, tokens, op(masked.Add, "/tokens/-", `"X"`), nil},
		"with its object": {none, objects, op(masked.Remove, "/l/0", ""), nil},
		"x-exposes speaks of it": {places, objects, op(masked.Remove, "/l/0", ""),
			[]string{"c/l/0/token > "}},
		"a key says what it is":    {keyed, objects, op(masked.Remove, "/l/0", ""), nil},
		"with its object, renamed": {none, objects, op(masked.Set, "/l/0/name", `"x"`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, c.doc, c.rule)
			_, err := masked.Apply("c", v.stored, []masked.Op{c.op}, c.rule)
			if diff := cmp.Diff(c.want, redirections(t, err), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if err != nil && !strings.Contains(err.Error(), "x-key") {
				t.Errorf("the message does not say what to do: %v", err)
			}
		})
	}
}

// An index does not identify an element, because another writer may have removed one before it.
func TestMasksInElements(t *testing.T) {
	keyed := described(t, `{"properties":{"l":{"x-key":"id"},"t":{}}}`)
	const doc = `{"l":[{"id":"b","token":"B"},{"id":"c","token":"C"},{"id":"c",` +
		`"token":"D"}],"t":["X"],"tokens":["Y"]}`
	for name, c := range map[string]struct {
		rule      masked.Rule
		at, value string
		rejected  string
	}{
		"the same key": {keyed, "/l/0", `{"id":"b","note":1,"token":"***"}`, ""},
		"another key": {keyed, "/l/0", `{"id":"a","note":1,"token":"***"}`,
			"c/l/0/token ambiguous-mask"},
		"another key, alone": {keyed, "/l/0", `{"id":"a","token":"***"}`,
			"c/l/0/token ambiguous-mask"},
		"no key": {keyed, "/l/0", `{"token":"***"}`, "c/l/0/token ambiguous-mask"},
		"a key that two have": {keyed, "/l/1", `{"id":"c","token":"***"}`,
			"c/l/1/token ambiguous-mask"},
		"without a mask": {keyed, "/l/0", `{"id":"a","token":"new"}`, ""},
		"no key declared": {classify.NameRule{}, "/l/0",
			`{"id":"b","note":1,"token":"***"}`, "c/l/0/token ambiguous-mask"},
		"no key declared, as was": {classify.NameRule{}, "/l/0", `{"id":"b","token":"***"}`, ""},
		"a secret alone":          {keyed, "/tokens/0", `"***"`, ""},
		"a plain value":           {keyed, "/t/0", `"***"`, "c/t/0 mask-without-stored-value"},
		"further below":           {keyed, "/l/0/token", `"***"`, ""},
		"a new one": {keyed, "/l/3", `{"id":"z","token":"***"}`,
			"c/l/3/token mask-without-stored-value"},
		"appended": {keyed, "/l/-", `{"id":"b","token":"***"}`,
			"c/l/3/token mask-without-stored-value"},
	} {
		t.Run(name, func(t *testing.T) {
			v := store(t, doc, c.rule)
			for _, kind := range []masked.OpKind{masked.Set, masked.SetExisting, masked.Put,
				masked.Merge} {
				r, err := masked.Apply("c", v.stored,
					[]masked.Op{{Kind: kind, Pointer: c.at, Value: parse(t, c.value)}}, c.rule)
				got := strings.Join(outcomeOf(t, r, err).Rejected, " ")
				if kind == masked.SetExisting && strings.HasSuffix(got, "not-found") {
					continue
				}
				if got != c.rejected {
					t.Errorf("%s: got %q, want %q", kind, got, c.rejected)
				}
			}
		})
	}
}

func TestPutDoesNotMakeArrays(t *testing.T) {
	for name, c := range map[string]struct{ doc, at, array, want string }{
		"there":       {`{"a":{"l":[1]}}`, "/a/l/0", "/a/l", ""},
		"not there":   {`{"a":{}}`, "/a/l/0", "/a/l", "c/a/l not-found"},
		"an object":   {`{"a":{"l":{"0":1}}}`, "/a/l/0", "/a/l", "c/a/l not-found"},
		"in no array": {`{}`, "/a/0", "", ""},
		"no pointer":  {`{}`, "/a/0", "x", "cx not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Apply("c", masked.Stored{Doc: parse(t, c.doc)},
				[]masked.Op{{Kind: masked.Put, Pointer: c.at, Array: c.array,
					Value: parse(t, "2")}}, classify.NameRule{})
			if got := strings.Join(outcomeOf(t, r, err).Rejected, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A url that leaves its element changes, whatever else happens to the element.
func TestDestinationOfARenamedElement(t *testing.T) {
	for _, rule := range []masked.Rule{classify.NameRule{},
		described(t, `{"properties":{"g":{"x-key":"id"}}}`)} {
		v := store(t, `{"g":[{"id":"a","url":"https://a.example","token":"A"}]}`, rule)
		for name, ops := range map[string][]masked.Op{
			"removed": {{Kind: masked.Remove, Pointer: "/g/0/url"}},
			"removed, id changed": {{Kind: masked.Remove, Pointer: "/g/0/url"},
				{Kind: masked.Set, Pointer: "/g/0/id", Value: parse(t, `"b"`)}},
			"id changed, removed": {{Kind: masked.Set, Pointer: "/g/0/id",
				Value: parse(t, `"b"`)}, {Kind: masked.Remove, Pointer: "/g/0/url"}},
			"and one more inserted": {
				{Kind: masked.Add, Pointer: "/g/0", Value: parse(t, `{"id":"a"}`)},
				{Kind: masked.Set, Pointer: "/g/1/id", Value: parse(t, `"b"`)},
				{Kind: masked.Remove, Pointer: "/g/1/url"}},
		} {
			_, err := masked.Apply("c", v.stored, ops, rule)
			at := fmt.Sprintf("c/g/%d", len(ops)/3)
			if diff := cmp.Diff([]string{at + "/token > " + at + "/url"},
				redirections(t, err)); diff != "" {
				t.Errorf("%s, %s: %s", rule.ID(), name, diff)
			}
		}
		if _, err := masked.Apply("c", v.stored,
			[]masked.Op{{Kind: masked.Set, Pointer: "/g/0/id",
				Value: parse(t, `"b"`)}}, rule); err != nil {
			t.Errorf("%s: the id alone: %v", rule.ID(), err)
		}
	}
}

// elementGenerator creates random elements with ids, urls and tokens, and edits of them.
type elementGenerator struct{ generator }

func (g elementGenerator) list(depth int, secrets ...string) string {
	var elements []string
	for range g.IntN(4) {
		elements = append(elements, g.element(depth, secrets...))
	}
	return "[" + strings.Join(elements, ",") + "]"
}

func (g elementGenerator) element(depth int, secrets ...string) string {
	members := []string{`"id":` + pick(g.generator, []string{`"a"`, `"b"`, `1`, `1.0`, `"c"`})}
	if g.IntN(2) == 0 {
		url := pick(g.generator, []string{"https://a.example", "https://b.example"})
		members = append(members, `"url":"`+url+`"`)
	}
	if g.IntN(3) > 0 {
		members = append(members, `"token":`+pick(g.generator, secrets))
	}
	if depth > 0 {
		name := pick(g.generator, []string{"l", "p"})
		members = append(members, `"`+name+`":`+g.list(depth-1, secrets...))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g elementGenerator) edits(t *testing.T) []masked.Op {
	t.Helper()
	kinds := []masked.OpKind{
		masked.Set, masked.Add, masked.SetExisting, masked.Put, masked.Merge, masked.Remove,
	}
	values := []string{`"a"`, `"https://a.example"`, `"https://b.example"`, `"***"`}
	var ops []masked.Op
	for range 1 + g.IntN(4) {
		op := masked.Op{Kind: pick(g.generator, kinds)}
		op.Pointer = "/g/" + pick(g.generator, []string{"0", "1", "2", "-"}) +
			pick(g.generator, []string{"", "", "/l/0", "/p/0", "/p/1"})
		op.Value = parse(t, g.element(0, `"***"`, `"n"`))
		if g.IntN(2) == 0 {
			op.Pointer += pick(g.generator, []string{"/id", "/url", "/token"})
			op.Value = parse(t, pick(g.generator, values))
		}
		ops = append(ops, op)
	}
	return ops
}

// addressesAround returns the url of the object with the value at a pointer, and of each object
// around it.
func addressesAround(t *testing.T, doc *jsontree.Node, at string) []string {
	t.Helper()
	var found []string
	for tokens := pointer(t, at); len(tokens) > 0; tokens = tokens[:len(tokens)-1] {
		url := ""
		if u := doc.At(tokens[:len(tokens)-1]).Child("url"); u != nil {
			url = u.Text()
		}
		found = append(found, url)
	}
	return found
}

// Random writes under a schema with keys never move a secret to another address.
func TestSecretsStayWithTheirAddress(t *testing.T) {
	rule := described(t,
		`{"properties":{"g":{"x-key":"id","items":{"properties":{"l":{"x-key":"id"},`+
			`"p":{}}}}}}`)
	g := elementGenerator{generator{newRand(50964)}}
	accepted, kept := 0, 0
	for range 8000 {
		v := store(t, `{"g":`+g.list(1, `"s"`)+`}`, rule)
		var r masked.Result
		var err error
		if g.IntN(2) == 0 {
			r, err = masked.Replace("c", v.stored,
				parse(t, `{"g":`+g.list(1, `"***"`, `"***"`, `"n"`)+`}`), rule)
		} else {
			r, err = masked.Apply("c", v.stored, g.edits(t), rule)
		}
		if err != nil {
			if _, ok := errors.AsType[*validate.Error](err); !ok {
				t.Fatal(err)
			}
			continue
		}
		accepted++
		for _, m := range r.Keep {
			kept++
			was, is := addressesAround(t, v.stored.Doc, m.From), addressesAround(t, r.Doc, m.To)
			for i, url := range is {
				if url != was[i] {
					t.Fatalf("the secret at %s was next to %v and is at %s next to %v\n%s\n%s",
						m.From, was, m.To, is, text(v.stored.Doc), text(r.Doc))
				}
			}
		}
	}
	if accepted < 1000 || kept < 300 {
		t.Errorf("only %d writes accepted, %d secrets kept", accepted, kept)
	}
}

// As many equal elements as possible are matched one to one.
func TestManyEqualElements(t *testing.T) {
	list := strings.Repeat("1,", 9_000) + "1"
	v := store(t, `{"token":"t","n":1,"hosts":["a"],"l":[`+list+`]}`, classify.NameRule{})
	_, err := masked.Replace("c", v.stored,
		parse(t, `{"token":"***","n":2,"hosts":["b"],"l":[`+list+`,1]}`), classify.NameRule{})
	if diff := cmp.Diff([]string{"c/token > c/hosts/0"}, redirections(t, err)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkManyEqualElements(b *testing.B) {
	for _, n := range []int{8_000, 64_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list := strings.Repeat("1,", n) + "1"
			v := store(b, `{"token":"t","n":1,"l":[`+list+`]}`, classify.NameRule{})
			next := parse(b, `{"token":"***","n":2,"l":[`+list+`]}`)
			for b.Loop() {
				if _, err := masked.Replace("c", v.stored, next,
					classify.NameRule{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkManyEditsUnderASchema(b *testing.B) {
	rule := described(b, `{"$defs":{"x":{"allOf":[`+
		strings.TrimSuffix(strings.Repeat(`{},`, 500), ",")+`]}},"anyOf":[`+
		strings.TrimSuffix(strings.Repeat(`{"$ref":"#/$defs/x"},`, 200), ",")+`]}`)
	stored := masked.Stored{Doc: parse(b, `{"n":1}`)}
	for _, n := range []int{1, validate.MaxEdits} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ops := make([]masked.Op, n)
			for i := range ops {
				ops[i] = masked.Op{Kind: masked.Set, Pointer: "/n",
					Value: parse(b, fmt.Sprint(i+2))}
			}
			for b.Loop() {
				if _, err := masked.Apply("c", stored, ops, rule); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The secret in a deep array is looked for once, not once for each array around it.
func TestDeepSecretIsFoundOnce(t *testing.T) {
	const depth, width = 50, 9_000
	doc := parse(t, `{"token":`+strings.Repeat("[", depth)+strings.Repeat("0,", width)+`"***"`+
		strings.Repeat("]", depth)+"}")
	w := masked.Write{
		Rule: classify.NameRule{}, Stored: masked.Stored{Doc: doc, Sealed: masks(doc, "")},
	}
	edit := op(masked.Set, "/token"+strings.Repeat("/0", depth), "1")
	r, err := w.Apply(t.Context(), []masked.Op{edit})
	if err != nil || r.Steps > 20*width {
		t.Errorf("took %d steps, %v", r.Steps, err)
	}
}
