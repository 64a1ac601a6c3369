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

// patchCanary is a value in bad patches that no error may repeat.
const patchCanary = "hunter2canary"

// badPatch is a bad patch and the violations that its parser must report.
type badPatch struct {
	text string
	want []string
}

func badJSONPatches() map[string]badPatch {
	many := strings.Repeat(`{"op":"remove","path":"/a"},`, validate.MaxEdits+1)
	many = "[" + strings.TrimSuffix(many, ",") + "]"
	const unknown = `[{"op":"` + patchCanary + `","path":"/b","value":"` + patchCanary + `"}]`
	return map[string]badPatch{
		"nothing":   {``, []string{"patch syntax"}},
		"no JSON":   {`[{"op":"` + patchCanary, []string{"patch/0/op syntax"}},
		"no array":  {`{"op":"add"}`, []string{"patch format"}},
		"no object": {`["` + patchCanary + `"]`, []string{"patch/0 format"}},
		"a member twice": {
			`[{"op":"remove","op":"add","path":"/a"}]`,
			[]string{"patch/0/op duplicate-key"},
		},
		"empty": {`[{}]`, []string{
			"patch/0/op required", "patch/0/path required", "patch/0/value required",
		}},
		"move": {
			`[{"op":"move","from":"/a","path":"/b"}]`,
			[]string{"patch/0/op unknown"},
		},
		"move of nothing": {`[{"op":"move","path":1}]`, []string{"patch/0/op unknown"}},
		"copy": {
			`[{"op":"remove","path":""},{"op":"copy","from":"/a","path":"/b","value":1}]`,
			[]string{"patch/1/op unknown"},
		},
		"unknown": {unknown, []string{"patch/0/op unknown"}},
		"letter case": {
			`[{"op":"Add","path":"/b","value":1}]`, []string{"patch/0/op unknown"},
		},
		"wrong types": {
			`[{"op":1,"path":["` + patchCanary + `"],"value":null}]`,
			[]string{"patch/0/op format", "patch/0/path format"},
		},
		"no pointer": {
			`[{"op":"add","path":"` + patchCanary + `","value":1}]`,
			[]string{"patch/0/path format"},
		},
		"value missing": {
			`[{"op":"test","path":"/a"},{"op":"replace","path":"/a"}]`,
			[]string{"patch/0/value required", "patch/1/value required"},
		},
		"too many": {many, []string{"patch too-many"}},
	}
}

// FromJSON reports each violation of a bad JSON Patch and repeats no value.
func TestFromJSONReportsViolations(t *testing.T) {
	for name, c := range badJSONPatches() {
		t.Run(name, func(t *testing.T) {
			_, err := patch.FromJSON([]byte(c.text))
			wantPatchViolations(t, err, c.want)
		})
	}
}

// FromMerge reports a bad merge patch and repeats no value.
func TestFromMergeReportsViolations(t *testing.T) {
	for name, c := range map[string]badPatch{
		"no JSON":   {patchCanary, []string{"patch syntax"}},
		"no object": {`["` + patchCanary + `"]`, []string{"patch format"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := patch.FromMerge([]byte(c.text))
			wantPatchViolations(t, err, c.want)
		})
	}
}

// FromMask reports a bad document and bad paths and repeats no value.
func TestFromMaskReportsViolations(t *testing.T) {
	many := slices.Repeat([]string{"a"}, validate.MaxEdits+1)
	for name, c := range map[string]struct {
		paths    []string
		document string
		want     []string
	}{
		"no JSON":     {[]string{"a"}, patchCanary, []string{"document syntax"}},
		"of nothing":  {nil, `{}`, []string{"updateMask required"}},
		"not there":   {[]string{"a", "b"}, `{"a":1}`, []string{"updateMask[1] not-found"}},
		"open escape": {[]string{`a\`}, `{"a":1}`, []string{"updateMask[0] format"}},
		"not UTF-8":   {[]string{"a\xff"}, `{"a":1}`, []string{"updateMask[0] format"}},
		"too long":    {many, `{"a":1}`, []string{"updateMask too-many"}},
		"empty": {[]string{"", "a..b", ".a", "a."}, `{"a":1}`, []string{
			"updateMask[0] format", "updateMask[1] format", "updateMask[2] format",
			"updateMask[3] format",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := patch.FromMask([]byte(c.document), c.paths...)
			wantPatchViolations(t, err, c.want)
		})
	}
}

// wantPatchViolations fails the test unless err has these violations and no canary.
func wantPatchViolations(t *testing.T, err error, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), patchCanary) {
		t.Errorf("the error repeats a value: %v", err)
	}
}

// Pointer returns the JSON Pointer of a path of an update mask.
func TestPointerOfMaskPath(t *testing.T) {
	for path, want := range map[string]string{
		"a":                      "/a",
		"a.b":                    "/a/b",
		`read.objects.cont\.act`: "/read/objects/cont.act",
		`a\:b\/c\\d`:             `/a:b~1c\d`,
		`a\b`:                    "/ab",
		"a/b~c":                  "/a~1b~0c",
		"é.0":                    "/é/0",
	} {
		if got, err := patch.Pointer(path); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := patch.Pointer("a..b"); err == nil {
		t.Error("a path with an empty name was accepted")
	}
}

// Below moves an operation below a pointer. A configuration must stay an object.
func TestBelowMovesOperations(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Configure("i", `{"a/b":{"n":1,"l":[1]},"n":2}`); err != nil {
		t.Fatal(err)
	}
	ops, err := patch.FromJSON([]byte(
		`[{"op":"replace","path":"/n","value":3},{"op":"add","path":"/l/0","value":0}]`,
	))
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
	bad := map[string]installation.Operation{
		"no configuration": patch.Unset(""),
		"no pointer":       merge[0].Below("no pointer"),
	}
	for _, value := range []string{`[]`, `"x"`, `null`, `1`} {
		bad["a configuration that is "+value] = patch.Set("", installation.JSON(value))
	}
	for name, op := range bad {
		_, err := w.Patch(op)
		want := []string{"configuration format"}
		if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A printed operation shows no value.
func TestOperationsOfPatchesPrintNothing(t *testing.T) {
	var all []installation.Operation
	for _, parse := range []func() ([]installation.Operation, error){
		func() ([]installation.Operation, error) {
			const add = `[{"op":"add","path":"/a","value":"` + patchCanary + `"}]`
			return patch.FromJSON([]byte(add))
		},
		func() ([]installation.Operation, error) {
			return patch.FromMerge([]byte(`{"a":"` + patchCanary + `"}`))
		},
		func() ([]installation.Operation, error) {
			return patch.FromMask([]byte(`{"a":"`+patchCanary+`"}`), "a")
		},
	} {
		ops, err := parse()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ops...)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, all)
		hex := fmt.Sprintf("%x", patchCanary)
		if strings.Contains(text, patchCanary) || strings.Contains(text, hex) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// An index in a path of an update mask needs a stored array. The patch makes no array, and
// no object with the member "0" in its place.
func TestUpdateMaskMakesNoArrays(t *testing.T) {
	const document = `{"list":["a","b"],"a":{"list":[1,{"x":{"y":1}}]},"o":{"0":1}}`
	for name, c := range map[string]struct {
		stored, path, below string
		want                string // the document, or the violation
	}{
		"no list":           {`{}`, "list.0", "", "configuration/list not-found"},
		"nothing around it": {`{}`, "a.list.1.x", "", "configuration/a/list not-found"},
		"an object": {
			`{"list":{"0":"x"}}`, "list.0", "", "configuration/list not-found",
		},
		"a list":   {`{"list":["x"]}`, "list.0", "", `{"list":["a"]}`},
		"one more": {`{"list":["x"]}`, "list.1", "", `{"list":["x","b"]}`},
		"members are made": {
			`{"a":{"list":[1,{}]}}`, "a.list.1.x.y", "", `{"a":{"list":[1,{"x":{"y":1}}]}}`,
		},
		"below a pointer": {
			`{"sub":{"list":["x"]}}`, "list.0", "/sub", `{"sub":{"list":["a"]}}`,
		},
		"no list below it": {
			`{"list":["x"],"sub":{}}`, "list.0", "/sub", "configuration/sub/list not-found",
		},
		"objects, not arrays": {`{}`, "o.0", "", `{"o":{"0":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", c.stored); err != nil {
				t.Fatal(err)
			}
			ops, err := patch.FromMask([]byte(document), c.path)
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
