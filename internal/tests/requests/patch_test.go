package requests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

func TestPatchesAreRead(t *testing.T) {
	const canary = "hunter2canary"
	jsonPatch := func(s string) error { _, err := patch.FromJSON([]byte(s)); return err }
	mergePatch := func(s string) error { _, err := patch.FromMerge([]byte(s)); return err }
	mask := func(paths ...string) func(string) error {
		return func(s string) error { _, err := patch.FromMask([]byte(s), paths...); return err }
	}
	many := strings.TrimSuffix(strings.Repeat(`{"op":"remove","path":"/a"},`, validate.MaxEdits+1), ",")
	for name, c := range map[string]struct {
		parse func(string) error
		text  string
		want  []string
	}{
		"nothing":          {jsonPatch, ``, []string{"patch syntax"}},
		"no JSON":          {jsonPatch, `[{"op":"` + canary, []string{"patch/0/op syntax"}},
		"no array":         {jsonPatch, `{"op":"add"}`, []string{"patch format"}},
		"no object":        {jsonPatch, `["` + canary + `"]`, []string{"patch/0 format"}},
		"a member twice":   {jsonPatch, `[{"op":"remove","op":"add","path":"/a"}]`, []string{"patch/0/op duplicate-key"}},
		"empty":            {jsonPatch, `[{}]`, []string{"patch/0/op required", "patch/0/path required", "patch/0/value required"}},
		"move":             {jsonPatch, `[{"op":"move","from":"/a","path":"/b"}]`, []string{"patch/0/op unknown"}},
		"move of nothing":  {jsonPatch, `[{"op":"move","path":1}]`, []string{"patch/0/op unknown"}},
		"copy":             {jsonPatch, `[{"op":"remove","path":""},{"op":"copy","from":"/a","path":"/b","value":1}]`, []string{"patch/1/op unknown"}},
		"unknown":          {jsonPatch, `[{"op":"` + canary + `","path":"/b","value":"` + canary + `"}]`, []string{"patch/0/op unknown"}},
		"letter case":      {jsonPatch, `[{"op":"Add","path":"/b","value":1}]`, []string{"patch/0/op unknown"}},
		"wrong types":      {jsonPatch, `[{"op":1,"path":["` + canary + `"],"value":null}]`, []string{"patch/0/op format", "patch/0/path format"}},
		"no pointer":       {jsonPatch, `[{"op":"add","path":"` + canary + `","value":1}]`, []string{"patch/0/path format"}},
		"value missing":    {jsonPatch, `[{"op":"test","path":"/a"},{"op":"replace","path":"/a"}]`, []string{"patch/0/value required", "patch/1/value required"}},
		"too many":         {jsonPatch, "[" + many + "]", []string{"patch too-many"}},
		"merge no JSON":    {mergePatch, canary, []string{"patch syntax"}},
		"merge no object":  {mergePatch, `["` + canary + `"]`, []string{"patch format"}},
		"mask no JSON":     {mask("a"), canary, []string{"document syntax"}},
		"mask of nothing":  {mask(), `{}`, []string{"updateMask required"}},
		"mask not there":   {mask("a", "b"), `{"a":1}`, []string{"updateMask[1] not-found"}},
		"mask empty":       {mask("", "a..b", ".a", "a."), `{"a":1}`, []string{"updateMask[0] format", "updateMask[1] format", "updateMask[2] format", "updateMask[3] format"}},
		"mask open escape": {mask(`a\`), `{"a":1}`, []string{"updateMask[0] format"}},
		"mask not UTF-8":   {mask("a\xff"), `{"a":1}`, []string{"updateMask[0] format"}},
		"mask too long":    {mask(slices.Repeat([]string{"a"}, validate.MaxEdits+1)...), `{"a":1}`, []string{"updateMask too-many"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.parse(c.text)
			if diff := cmp.Diff(c.want, fixture.Violations(t, err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("quoted: %v", err)
			}
		})
	}
	for path, want := range map[string]string{
		"a": "/a", "a.b": "/a/b", `read.objects.cont\.act`: "/read/objects/cont.act", `a\:b\/c\\d`: `/a:b~1c\d`, `a\b`: "/ab", "a/b~c": "/a~1b~0c", "é.0": "/é/0",
	} {
		if got, err := patch.Pointer(path); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := patch.Pointer("a..b"); err == nil {
		t.Error("a path with an empty name was taken")
	}
}

func TestOperationsBelowAPlace(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Configure("i", `{"a/b":{"n":1,"l":[1]},"n":2}`); err != nil {
		t.Fatal(err)
	}
	ops, err := patch.FromJSON([]byte(`[{"op":"replace","path":"/n","value":3},{"op":"add","path":"/l/0","value":0}]`))
	if err != nil {
		t.Fatal(err)
	}
	merge, err := patch.FromMerge([]byte(`{"m":4}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, op := range slices.Concat(ops, merge) {
		if _, err := w.Patch(op.Below("/a~1b")); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got, want := w.Configuration(t), `{"a/b":{"n":3,"l":[0,1],"m":4},"n":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, value := range []string{`[]`, `"x"`, `null`, `1`} {
		_, err := w.Patch(patch.Set("", installation.JSON(value)))
		if diff := cmp.Diff([]string{"configuration format"}, fixture.Violations(t, err)); diff != "" {
			t.Errorf("a configuration that is %s: %s", value, diff)
		}
	}
	_, err = w.Patch(patch.Unset(""))
	if diff := cmp.Diff([]string{"configuration format"}, fixture.Violations(t, err)); diff != "" {
		t.Errorf("no configuration: %s", diff)
	}
	_, err = w.Patch(merge[0].Below("no pointer"))
	if diff := cmp.Diff([]string{"configuration format"}, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// An operation can be printed by whoever has it, and shows nothing.
func TestOperationsOfPatchesPrintNothing(t *testing.T) {
	const canary = "hunter2canary"
	var all []installation.Operation
	for _, parse := range []func() ([]installation.Operation, error){
		func() ([]installation.Operation, error) {
			return patch.FromJSON([]byte(`[{"op":"add","path":"/a","value":"` + canary + `"}]`))
		},
		func() ([]installation.Operation, error) {
			return patch.FromMerge([]byte(`{"a":"` + canary + `"}`))
		},
		func() ([]installation.Operation, error) {
			return patch.FromMask([]byte(`{"a":"`+canary+`"}`), "a")
		},
	} {
		ops, err := parse()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ops...)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(verb, all); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// A path of an update mask that leads into an array means one that is stored; making an object with the name "0" would not be it.
func TestUpdateMaskMakesNoArrays(t *testing.T) {
	for name, c := range map[string]struct {
		stored, path, below string
		want                string // the document, or the violation
	}{
		"no list":             {`{}`, "list.0", "", "configuration/list not-found"},
		"nothing around it":   {`{}`, "a.list.1.x", "", "configuration/a/list not-found"},
		"an object":           {`{"list":{"0":"x"}}`, "list.0", "", "configuration/list not-found"},
		"a list":              {`{"list":["x"]}`, "list.0", "", `{"list":["a"]}`},
		"one more":            {`{"list":["x"]}`, "list.1", "", `{"list":["x","b"]}`},
		"members are made":    {`{"a":{"list":[1,{}]}}`, "a.list.1.x.y", "", `{"a":{"list":[1,{"x":{"y":1}}]}}`},
		"below a pointer":     {`{"sub":{"list":["x"]}}`, "list.0", "/sub", `{"sub":{"list":["a"]}}`},
		"no list below it":    {`{"list":["x"],"sub":{}}`, "list.0", "/sub", "configuration/sub/list not-found"},
		"objects, not arrays": {`{}`, "o.0", "", `{"o":{"0":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", c.stored); err != nil {
				t.Fatal(err)
			}
			ops, err := patch.FromMask([]byte(`{"list":["a","b"],"a":{"list":[1,{"x":{"y":1}}]},"o":{"0":1}}`), c.path)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if _, err := w.Patch(ops[0].Below(c.below)); err != nil {
				got = strings.Join(fixture.Violations(t, err), " ")
			} else {
				got = w.Configuration(t)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
