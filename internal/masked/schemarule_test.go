package masked_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/schema"
)

// described returns the rule of a schema.
func described(tb testing.TB, text string) classify.SchemaRule {
	tb.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		tb.Fatalf("Compile(%.200s): %v", text, err)
	}
	return classify.SchemaRule{Name: "test", Schema: s}
}

var sensitiveBySchema = map[string]struct {
	schema, doc string
	want        []string
}{
	"names count where nothing is said": {`{}`,
		`{"password":"a","name":"b","pins":[1],"u":"x://u:p@h"}`,
		[]string{"/password", "/pins/0", "/u"}},
	"a mark, whatever the kind": {
		`{"properties":{"s":{"x-sensitive":true},"n":{"x-sensitive":true},` +
			`"b":{"x-sensitive":true},"o":{"x-sensitive":true},"l":{"x-sensitive":true},` +
			`"z":{"x-sensitive":true}}}`,
		`{"s":"a","n":1,"b":false,"o":{"x":1},"l":[1],"z":null}`,
		[]string{"/s", "/n", "/b", "/o", "/l"},
	},
	"an un-mark, whatever the name and value": {
		`{"properties":{"tokens":{"x-sensitive":false},"u":{"x-sensitive":false}}}`,
		`{"tokens":{"password":"a","pin":[1]},"u":"x://u:p@h","token":"t"}`,
		[]string{"/token"},
	},
	"a mark below an un-mark": {
		`{"x-sensitive":false,"properties":{"o":{"properties":{"a":{"writeOnly":true}}}}}`,
		`{"o":{"a":"x","password":"y"}}`, []string{"/o/a"}},
	"an un-mark below a mark": {
		`{"properties":{"o":{"x-sensitive":true,` +
			`"properties":{"a":{"x-sensitive":false}}}}}`,
		`{"o":{"a":"x","b":[1,{"c":true}]}}`, []string{"/o/b"}},
	"an un-mark further below": {
		`{"properties":{"o":{"x-sensitive":true,` +
			`"items":{"properties":{"a":{"x-sensitive":false}}}}}}`,
		`{"o":[{"a":1,"b":2},3]}`, []string{"/o/0/b", "/o/1"}},
	"an un-mark that is not there": {
		`{"properties":{"o":{"x-sensitive":true,` +
			`"properties":{"a":{"x-sensitive":false}}}}}`, `{"o":{"b":1}}`, []string{"/o"}},
	"the whole, member by member": {`{"x-sensitive":true}`,
		`{"a":1,"b":{"c":"x"},"n":null}`, []string{"/a", "/b"}},
	"a name above covers, below not": {
		`{"properties":{"secrets":{"properties":{"a":{"x-sensitive":false}}}}}`,
		`{"secrets":{"a":"x","b":"y"}}`, []string{"/secrets/b"}},
	"names that say nothing": {
		`{"properties":{"objects":{"x-names":false}}}`,
		`{"objects":{"token":{"a":"x","password":"y","u":"x://u:p@h"},"pin":1}}`,
		[]string{"/objects/token/password", "/objects/token/u"},
	},
	"names that say nothing, and one above": {
		`{"properties":{"secrets":{"x-names":false}}}`, `{"secrets":{"a":"x"}}`,
		[]string{"/secrets/a"}},
	"names that say nothing in a condition": {
		`{"if":{"required":["a"]},"then":{"x-names":false}}`, `{"token":"x"}`,
		[]string{"/token"}},
	"names that say something": {`{"x-names":true}`, `{"token":"x"}`, []string{"/token"}},
	"a mark below such a name": {
		`{"x-names":false,"additionalProperties":{"properties":{"a":{"writeOnly":true}}}}`,
		`{"token":{"a":1,"b":"x"}}`, []string{"/token/a"}},
	"a number by name and place": {`{"properties":{"pin":{"properties":{"a":{}}}}}`,
		`{"pin":{"a":1}}`, []string{"/pin/a"}},
}

func TestSchemaRuleSensitive(t *testing.T) {
	for name, c := range sensitiveBySchema {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, c.doc)
			rule := described(t, c.schema)
			got := rule.Sensitive(doc)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(c.doc, "://") {
				return // found by value
			}
			// A value that is found by place is found in the masked document too.
			view := masked.Mask(doc, nil, rule)
			if diff := cmp.Diff(c.want, rule.Sensitive(view),
				cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("masked: %s", diff)
			}
		})
	}
	if got, want := (classify.SchemaRule{Name: "r1"}).ID(), "schema/2:r1"; got != want {
		t.Errorf("id %q", got)
	}
}

// The rule of an empty schema finds secrets by their names only.
func TestSchemaRuleIsNameRuleWhereNothingIsSaid(t *testing.T) {
	g := generator{newRand(3)}
	rule := described(t, `{"properties":{"items":{"items":{}}}}`)
	for range 2000 {
		doc := parse(t, g.object(4, false))
		if a, b := (classify.NameRule{}).Sensitive(doc),
			rule.Sensitive(doc); !slices.Equal(a, b) {
			t.Fatalf("%s: %v by name, %v by schema", text(doc), a, b)
		}
	}
}

func TestHideAll(t *testing.T) {
	doc := parse(t, `{"a":"x","b":[1,null,{"c":true}],"d":{}}`)
	rule := classify.HideAll{}
	if got, want := text(masked.Mask(doc, []string{"/a"}, rule)),
		`{"a":"***","b":["***",null,{"c":"***"}],"d":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if rule.ID() == (classify.NameRule{}).ID() {
		t.Error("it has the id of another rule")
	}
}

// The schema decides about a new value at a sealed place.
func TestUnmarked(t *testing.T) {
	rule := described(t, `{"properties":{"token":{"x-sensitive":false}}}`)
	stored := masked.Stored{Doc: parse(t, `{"token":"***","n":1}`), Sealed: []string{"/token"}}
	for name, c := range map[string]struct {
		incoming string
		want     outcome
	}{
		"echo": {`{"token":"***","n":1}`,
			outcome{Doc: `{"token":"***","n":1}`, Keep: []string{"/token"}}},
		"a new value": {`{"token":"a","n":1}`,
			outcome{Doc: `{"token":"a","n":1}`, Changed: []string{"/token"}}},
		"an object": {`{"token":{"a":1},"n":1}`,
			outcome{Doc: `{"token":{"a":1},"n":1}`, Changed: []string{"/token"}}},
		"an empty string": {`{"token":"","n":1}`,
			outcome{Doc: `{"token":"","n":1}`, Changed: []string{"/token"}}},
		"a mask inside": {`{"token":["***"],"n":1}`,
			outcome{Rejected: []string{"c/token/0 mask-without-stored-value"}}},
		"null": {`{"token":null,"n":1}`, outcome{Doc: `{"n":1}`, Changed: []string{"/token"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Replace("c", stored, parse(t, c.incoming), rule)
			if diff := diffOutcome(c.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
	plain := masked.Stored{Doc: parse(t, `{"token":"a"}`)}
	if got := text(masked.Mask(plain.Doc, nil, rule)); got != `{"token":"a"}` {
		t.Errorf("shown as %s", got)
	}
	r, err := masked.Replace("c", plain, parse(t, `{"token":"a"}`), rule)
	if diff := diffOutcome(outcome{Doc: `{"token":"a"}`}, outcomeOf(t, r, err)); diff != "" {
		t.Errorf("echo of a plain one: %s", diff)
	}
}

func TestDefaultsOnWrite(t *testing.T) {
	rule := described(t,
		`{"properties":{"region":{"default":"eu"},"password":{"default":"changeme"},`+
			`"base_url":{"default":"https://api.example"}}}`)
	stored := masked.Stored{Doc: parse(t, `{"n":1,"token":"***"}`), Sealed: []string{"/token"}}
	const all = `,"base_url":"https://api.example","password":"***","region":"eu"}`
	for name, c := range map[string]struct {
		stored   masked.Stored
		incoming string
		want     outcome
	}{
		"a first write": {masked.Stored{}, `{"n":1}`,
			outcome{Doc: `{"n":1` + all, Seal: map[string]string{"/password": `"changeme"`},
				Changed: []string{""}}},
		"an echo": {stored, `{"n":1,"token":"***"}`,
			outcome{Doc: `{"n":1,"token":"***"}`, Keep: []string{"/token"}}},
		"a change: a default is not the writer's, so it is no theft": {stored,
			`{"n":2,"token":"***"}`, outcome{
				Doc: `{"n":2,"token":"***"` + all, Keep: []string{"/token"},
				Seal:    map[string]string{"/password": `"changeme"`},
				Changed: []string{"/base_url", "/n", "/password", "/region"},
			}},
		"given": {masked.Stored{}, `{"region":"us","password":"x","base_url":"y"}`, outcome{
			Doc:  `{"region":"us","password":"***","base_url":"y"}`,
			Seal: map[string]string{"/password": `"x"`}, Changed: []string{""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Replace("c", c.stored, parse(t, c.incoming), rule)
			if diff := diffOutcome(c.want, outcomeOf(t, r, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var keyedWrites = map[string]struct {
	incoming string
	want     string // the plain document; "" = rejected
	rejected []string
}{
	"echo": {
		`[{"id":"a","token":"***"},{"id":"b","token":"***"},{"id":3,"token":"***"}]`,
		`[{"id":"a","token":"A"},{"id":"b","token":"B"},{"id":3,"token":"C"}]`, nil},
	"one removed": {`[{"id":"b","token":"***"},{"id":3,"token":"***"}]`,
		`[{"id":"b","token":"B"},{"id":3,"token":"C"}]`, nil},
	"order changed": {`[{"id":3.0,"token":"***"},{"id":"a","token":"***"}]`,
		`[{"id":3.0,"token":"C"},{"id":"a","token":"A"}]`, nil},
	"one changed": {
		`[{"id":"a","token":"***","note":1},{"id":"b","token":"x"},{"id":3,"token":"***"}]`,
		`[{"id":"a","token":"A","note":1},{"id":"b","token":"x"},{"id":3,"token":"C"}]`,
		nil},
	"one added": {`[{"id":"z","token":"Z"},{"id":"a","token":"***"}]`,
		`[{"id":"z","token":"Z"},{"id":"a","token":"A"}]`, nil},
	"one added, masked": {`[{"id":"z","token":"***"},{"id":"a","token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
	"key changed": {
		`[{"id":"z","token":"***"},{"id":"b","token":"***"},{"id":3,"token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
	"key of another kind": {`[{"id":"3","token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
	"key missing": {`[{"token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
	"key null": {`[{"id":null,"token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
	"key masked": {`[{"id":"***","token":"***"}]`, "",
		[]string{"c/l/0/id ambiguous-mask", "c/l/0/token ambiguous-mask"}},
	"key twice": {`[{"id":"a","token":"***"},{"id":"a","token":"***"}]`, "",
		[]string{"c/l/0/token ambiguous-mask", "c/l/1/token ambiguous-mask"}},
	"no object": {`["***"]`, "", []string{"c/l/0 ambiguous-mask"}},
	"no array":  {`"***"`, "", []string{"c/l mask-without-stored-value"}},
	"object for the array": {`{"0":{"id":"a","token":"***"}}`, "",
		[]string{"c/l/0/token ambiguous-mask"}},
}

// The member named by the schema identifies elements, and their secrets follow them.
func TestElementsByKey(t *testing.T) {
	rule := described(t, `{"properties":{"l":{"x-key":"id"}}}`)
	v := store(t, `{"l":[{"id":"a","token":"A"},{"id":"b","token":"B"},{"id":3,"token":"C"}]}`,
		rule)
	for name, c := range keyedWrites {
		t.Run(name, func(t *testing.T) {
			r, err := masked.Replace("c", v.stored, parse(t, `{"l":`+c.incoming+`}`), rule)
			if c.rejected != nil {
				if diff := diffOutcome(outcome{Rejected: c.rejected},
					outcomeOf(t, r, err)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := v.adopt(t, r).plain(t); got != `{"l":`+c.want+`}` {
				t.Errorf("holds %s, want %s", got, c.want)
			}
			op := masked.Op{Kind: masked.Set, Pointer: "/l", Value: parse(t, c.incoming)}
			r, err = masked.Apply("c", v.stored, []masked.Op{op}, rule)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.adopt(t, r).plain(t); got != `{"l":`+c.want+`}` {
				t.Errorf("as an edit it holds %s, want %s", got, c.want)
			}
		})
	}
	twice := store(t, `{"l":[{"id":"a","token":"A"},{"id":"a","token":"B"}]}`, rule)
	r, err := masked.Replace("c", twice.stored, parse(t, `{"l":[{"id":"a","token":"***"}]}`),
		rule)
	if diff := diffOutcome(outcome{Rejected: []string{"c/l/0/token ambiguous-mask"}},
		outcomeOf(t, r, err)); diff != "" {
		t.Errorf("two stored elements with one key: %s", diff)
	}
}

// If an element cannot be identified, neither can the elements of an array inside it: the key
// says nothing about the surrounding array.
func TestElementsByKeyWithinOthers(t *testing.T) {
	rule := described(t,
		`{"properties":{"outer":{"items":{"properties":{"l":{"x-key":"id"}}}}}}`)
	v := store(t, `{"outer":[{"l":[{"id":1,"token":"A"}]},{"l":[{"id":1,"token":"B"}]}]}`, rule)
	r, err := masked.Replace("c", v.stored,
		parse(t, `{"outer":[{"l":[{"id":1,"token":"***"}]}]}`), rule)
	if diff := diffOutcome(outcome{Rejected: []string{"c/outer/0/l/0/token ambiguous-mask"}},
		outcomeOf(t, r, err)); diff != "" {
		t.Error(diff)
	}
}

func TestEditsWhereNothingIs(t *testing.T) {
	rule := described(t, `{"properties":{"a":{"writeOnly":true}}}`)
	for _, kind := range []masked.OpKind{masked.Set, masked.SetExisting, masked.Add,
		masked.Merge} {
		op := masked.Op{Kind: kind, Pointer: "/x/y/z", Value: parse(t, `1`)}
		r, err := masked.Apply("c", masked.Stored{Doc: parse(t, `{}`)}, []masked.Op{op}, rule)
		if diff := diffOutcome(outcome{Rejected: []string{"c/x/y/z not-found"}},
			outcomeOf(t, r, err)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
	r, err := masked.Apply("c", masked.Stored{},
		[]masked.Op{{Kind: masked.Put, Pointer: "/x/y", Value: parse(t, `{"a":1}`)}}, rule)
	if diff := diffOutcome(outcome{Doc: `{"x":{"y":{"a":1}}}`, Changed: []string{""}},
		outcomeOf(t, r, err)); diff != "" {
		t.Errorf("in no document: %s", diff)
	}
}
