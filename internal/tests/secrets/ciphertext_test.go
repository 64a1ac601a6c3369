package secrets

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// Whatever a patch does, a secret that it leaves alone keeps its ciphertext byte for byte, and one that it sets or moves does not.
func TestUnchangedSecretsKeepTheirCiphertext(t *testing.T) {
	jsonPatch := func(text string) func() ([]installation.Operation, error) {
		return func() ([]installation.Operation, error) { return patch.FromJSON([]byte(text)) }
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
			return patch.FromMerge([]byte(`{"a":{"n":1},"list":[{"pin":"***"},{"x":1}]}`))
		},
			`{"a":{"token":"***","n":1},"list":[{"pin":"***"},{"x":1}]}`, ""},
		"mask": {func() ([]installation.Operation, error) {
			return patch.FromMask([]byte(`{"a":{"token":"***","m":{"n":1}},"b":2}`), "a", "b")
		},
			`{"a":{"token":"***","m":{"n":1}},"list":[{"pin":"***"},{"x":1}],"b":2}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", `{"a":{"token":"t"},"list":[{"pin":"1234"},{"x":1}]}`); err != nil {
				t.Fatal(err)
			}
			places := []string{"/a/token", "/list/0/pin"}
			before := map[string]string{}
			for _, p := range places {
				before[p] = w.SealedValue(t, installation.Ref("config"+p))
			}
			ops, err := c.ops()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Patch(ops...); err != nil {
				t.Fatal(err)
			}
			if got := w.Configuration(t); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, p := range places {
				if same := w.SealedValue(t, installation.Ref("config"+p)) == before[p]; same == (p == c.anew) {
					t.Errorf("%s: the ciphertext is the same: %v", p, same)
				}
			}
		})
	}
	w := fixture.NewWorld(t)
	if _, err := w.Configure("i", `{"list":[{"pin":"1234"},{"pin":"5678"}]}`); err != nil {
		t.Fatal(err)
	}
	second := w.SealedValue(t, installation.Ref("config/list/1/pin"))
	ops, err := patch.FromJSON([]byte(`[{"op":"remove","path":"/list/0"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Patch(ops...); err != nil {
		t.Fatal(err)
	}
	if w.SealedValue(t, installation.Ref("config/list/0/pin")) == second || w.Reveal(t, "i", installation.Ref("config/list/0/pin")) != "5678" {
		t.Error("a secret that moves up is sealed anew, with its value")
	}
}

// Another writer took an element out meanwhile, so the index of the one that was read is now that of its neighbour.
func TestMaskInAnElementThatMoved(t *testing.T) {
	const element = `{"id":"a","note":"changed","token":"***"}`
	for name, ops := range map[string]func() ([]installation.Operation, error){
		"set": func() ([]installation.Operation, error) {
			return []installation.Operation{patch.Set("/accounts/0", installation.JSON(element))}, nil
		},
		"JSON Patch": func() ([]installation.Operation, error) {
			return patch.FromJSON([]byte(`[{"op":"replace","path":"/accounts/0","value":` + element + `}]`))
		},
		"update mask": func() ([]installation.Operation, error) {
			return patch.FromMask([]byte(`{"accounts":[`+element+`]}`), "accounts.0")
		},
	} {
		for _, schema := range []string{`{"properties":{"accounts":{"x-key":"id"}}}`, `{}`} {
			w, _ := fixture.NewDescribed(t, schema, `{"accounts":[{"id":"a","token":"A"},{"id":"b","token":"B"}]}`)
			if _, err := w.Patch(patch.Unset("/accounts/0")); err != nil {
				t.Fatal(err)
			}
			list, err := ops()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Patch(list...); err == nil {
				t.Errorf("%s, %s: %s", name, schema, w.Configuration(t))
			} else if diff := cmp.Diff([]string{"configuration/accounts/0/token ambiguous-mask"}, fixture.Violations(t, err)); diff != "" {
				t.Errorf("%s, %s: %s", name, schema, diff)
			}
		}
	}
}
