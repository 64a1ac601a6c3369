package installation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
	"github.com/google/go-cmp/cmp"
)

// stored returns the sealed bytes of a secret of i as the store has them.
func (w *world) stored(t testing.TB, ref installation.Ref) string {
	t.Helper()
	r, err := w.store.Get(t.Context(), installation.Key{Tenant: "tenant-1", ID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	return string(tamperValue(t, tamperBody(t, r.Body), ref)[2].([]byte))
}

// Whatever a patch does, a secret that it leaves alone keeps its ciphertext byte for byte, and one that it sets or moves does not.
func TestUnchangedSecretsKeepTheirCiphertext(t *testing.T) {
	jsonPatch := func(text string) func() ([]installation.Operation, error) {
		return func() ([]installation.Operation, error) { return installation.JSONPatch([]byte(text)) }
	}
	for name, c := range map[string]struct {
		ops  func() ([]installation.Operation, error)
		want string // the document, masked
		anew string // pointer of the secret that is sealed anew
	}{
		"add":     {jsonPatch(`[{"op":"add","path":"/n","value":1}]`), `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":1}],"n":1}`, ""},
		"replace": {jsonPatch(`[{"op":"test","path":"/list/1/x","value":1.0},{"op":"replace","path":"/list/1/x","value":2,"from":"ignored"}]`), `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":2}]}`, ""},
		"remove":  {jsonPatch(`[{"op":"remove","path":"/list/1"}]`), `{"a":{"token":"***"},"list":[{"pin":"***"}]}`, ""},
		"secret":  {jsonPatch(`[{"op":"replace","path":"/a/token","value":"new"}]`), `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":1}]}`, "/a/token"},
		"merge": {func() ([]installation.Operation, error) {
			return installation.MergePatch([]byte(`{"a":{"n":1},"list":[{"pin":"***"},{"x":1}]}`))
		},
			`{"a":{"token":"***","n":1},"list":[{"pin":"***"},{"x":1}]}`, ""},
		"mask": {func() ([]installation.Operation, error) {
			return installation.UpdateMask([]byte(`{"a":{"token":"***","m":{"n":1}},"b":2}`), "a", "b")
		},
			`{"a":{"token":"***","m":{"n":1}},"list":[{"pin":"***"},{"x":1}],"b":2}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.configure("i", `{"a":{"token":"t"},"list":[{"pin":"1234"},{"x":1}]}`); err != nil {
				t.Fatal(err)
			}
			places := []string{"/a/token", "/list/0/pin"}
			before := map[string]string{}
			for _, p := range places {
				before[p] = w.stored(t, config(p))
			}
			ops, err := c.ops()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.patch(ops...); err != nil {
				t.Fatal(err)
			}
			if got := w.configuration(t); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, p := range places {
				if same := w.stored(t, config(p)) == before[p]; same == (p == c.anew) {
					t.Errorf("%s: the ciphertext is the same: %v", p, same)
				}
			}
		})
	}
	w := newWorld(t)
	if _, err := w.configure("i", `{"list":[{"pin":"1234"},{"pin":"5678"}]}`); err != nil {
		t.Fatal(err)
	}
	second := w.stored(t, config("/list/1/pin"))
	ops, err := installation.JSONPatch([]byte(`[{"op":"remove","path":"/list/0"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.patch(ops...); err != nil {
		t.Fatal(err)
	}
	if w.stored(t, config("/list/0/pin")) == second || w.reveal(t, "i", config("/list/0/pin")) != "5678" {
		t.Error("a secret that moves up is sealed anew, with its value")
	}
}

func TestPatchesAreRead(t *testing.T) {
	const canary = "hunter2canary"
	jsonPatch := func(s string) error { _, err := installation.JSONPatch([]byte(s)); return err }
	mergePatch := func(s string) error { _, err := installation.MergePatch([]byte(s)); return err }
	mask := func(paths ...string) func(string) error {
		return func(s string) error { _, err := installation.UpdateMask([]byte(s), paths...); return err }
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
			if diff := cmp.Diff(c.want, violations(t, err)); diff != "" {
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
		if got, err := installation.PathPointer(path); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := installation.PathPointer("a..b"); err == nil {
		t.Error("a path with an empty name was taken")
	}
}

func TestOperationsBelowAPlace(t *testing.T) {
	w := newWorld(t)
	if _, err := w.configure("i", `{"a/b":{"n":1,"l":[1]},"n":2}`); err != nil {
		t.Fatal(err)
	}
	ops, err := installation.JSONPatch([]byte(`[{"op":"replace","path":"/n","value":3},{"op":"add","path":"/l/0","value":0}]`))
	if err != nil {
		t.Fatal(err)
	}
	merge, err := installation.MergePatch([]byte(`{"m":4}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, op := range slices.Concat(ops, merge) {
		if _, err := w.patch(op.Below("/a~1b")); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got, want := w.configuration(t), `{"a/b":{"n":3,"l":[0,1],"m":4},"n":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, value := range []string{`[]`, `"x"`, `null`, `1`} {
		_, err := w.patch(installation.Set("", installation.JSON(value)))
		if diff := cmp.Diff([]string{"configuration format"}, violations(t, err)); diff != "" {
			t.Errorf("a configuration that is %s: %s", value, diff)
		}
	}
	_, err = w.patch(installation.Unset(""))
	if diff := cmp.Diff([]string{"configuration format"}, violations(t, err)); diff != "" {
		t.Errorf("no configuration: %s", diff)
	}
	_, err = w.patch(merge[0].Below("no pointer"))
	if diff := cmp.Diff([]string{"configuration format"}, violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// An operation can be printed by whoever has it, and shows nothing.
func TestOperationsOfPatchesPrintNothing(t *testing.T) {
	const canary = "hunter2canary"
	var all []installation.Operation
	for _, parse := range []func() ([]installation.Operation, error){
		func() ([]installation.Operation, error) {
			return installation.JSONPatch([]byte(`[{"op":"add","path":"/a","value":"` + canary + `"}]`))
		},
		func() ([]installation.Operation, error) {
			return installation.MergePatch([]byte(`{"a":"` + canary + `"}`))
		},
		func() ([]installation.Operation, error) {
			return installation.UpdateMask([]byte(`{"a":"`+canary+`"}`), "a")
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
			w := newWorld(t)
			if _, err := w.configure("i", c.stored); err != nil {
				t.Fatal(err)
			}
			ops, err := installation.UpdateMask([]byte(`{"list":["a","b"],"a":{"list":[1,{"x":{"y":1}}]},"o":{"0":1}}`), c.path)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if _, err := w.patch(ops[0].Below(c.below)); err != nil {
				got = strings.Join(violations(t, err), " ")
			} else {
				got = w.configuration(t)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Another writer took an element out meanwhile, so the index of the one that was read is now that of its neighbour.
func TestMaskInAnElementThatMoved(t *testing.T) {
	const element = `{"id":"a","note":"changed","token":"***"}`
	for name, ops := range map[string]func() ([]installation.Operation, error){
		"set": func() ([]installation.Operation, error) {
			return []installation.Operation{installation.Set("/accounts/0", installation.JSON(element))}, nil
		},
		"JSON Patch": func() ([]installation.Operation, error) {
			return installation.JSONPatch([]byte(`[{"op":"replace","path":"/accounts/0","value":` + element + `}]`))
		},
		"update mask": func() ([]installation.Operation, error) {
			return installation.UpdateMask([]byte(`{"accounts":[`+element+`]}`), "accounts.0")
		},
	} {
		for _, schema := range []string{`{"properties":{"accounts":{"x-key":"id"}}}`, `{}`} {
			w, _ := newDescribed(t, schema, `{"accounts":[{"id":"a","token":"A"},{"id":"b","token":"B"}]}`)
			if _, err := w.patch(installation.Unset("/accounts/0")); err != nil {
				t.Fatal(err)
			}
			list, err := ops()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.patch(list...); err == nil {
				t.Errorf("%s, %s: %s", name, schema, w.configuration(t))
			} else if diff := cmp.Diff([]string{"configuration/accounts/0/token ambiguous-mask"}, violations(t, err)); diff != "" {
				t.Errorf("%s, %s: %s", name, schema, diff)
			}
		}
	}
}
