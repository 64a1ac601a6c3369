package secrets

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// operations parses a patch.
type operations func() ([]installation.Operation, error)

func jsonPatch(text string) operations {
	return func() ([]installation.Operation, error) { return patch.FromJSON([]byte(text)) }
}

func mergePatch(text string) operations {
	return func() ([]installation.Operation, error) { return patch.FromMerge([]byte(text)) }
}

func updateMask(text string, paths ...string) operations {
	return func() ([]installation.Operation, error) {
		return patch.FromMask([]byte(text), paths...)
	}
}

// ciphertextCases are patches of {"a":{"token":"t"},"list":[{"pin":"1234"},{"x":1}]}.
var ciphertextCases = map[string]struct {
	ops       operations
	want      string // the document, masked
	newSecret string // pointer of the secret with a new ciphertext
}{
	"add": {
		ops:  jsonPatch(`[{"op":"add","path":"/n","value":1}]`),
		want: `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":1}],"n":1}`,
	},
	"replace": {
		ops: jsonPatch(`[{"op":"test","path":"/list/1/x","value":1.0},` +
			`{"op":"replace","path":"/list/1/x","value":2,"from":"ignored"}]`),
		want: `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":2}]}`,
	},
	"remove": {
		ops:  jsonPatch(`[{"op":"remove","path":"/list/1"}]`),
		want: `{"a":{"token":"***"},"list":[{"pin":"***"}]}`,
	},
	"secret": {
		ops:       jsonPatch(`[{"op":"replace","path":"/a/token","value":"new"}]`),
		want:      `{"a":{"token":"***"},"list":[{"pin":"***"},{"x":1}]}`,
		newSecret: "/a/token",
	},
	"merge": {
		ops:  mergePatch(`{"a":{"n":1},"list":[{"pin":"***"},{"x":1}]}`),
		want: `{"a":{"token":"***","n":1},"list":[{"pin":"***"},{"x":1}]}`,
	},
	"mask": {
		ops:  updateMask(`{"a":{"token":"***","m":{"n":1}},"b":2}`, "a", "b"),
		want: `{"a":{"token":"***","m":{"n":1}},"list":[{"pin":"***"},{"x":1}],"b":2}`,
	},
}

// A patch keeps the ciphertext of every secret that it does not change, byte for
// byte.
func TestUnchangedSecretsKeepTheirCiphertext(t *testing.T) {
	for name, c := range ciphertextCases {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			document := `{"a":{"token":"t"},"list":[{"pin":"1234"},{"x":1}]}`
			if _, err := w.Configure("i", document); err != nil {
				t.Fatal(err)
			}
			places := []string{"/a/token", "/list/0/pin"}
			before := map[string]string{}
			for _, p := range places {
				before[p] = w.SealedValue(t, installation.Ref("config"+p))
			}
			apply(t, w, c.ops)
			if got := w.Configuration(t); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, p := range places {
				same := w.SealedValue(t, installation.Ref("config"+p)) == before[p]
				if same == (p == c.newSecret) {
					t.Errorf("%s: the ciphertext is the same: %v", p, same)
				}
			}
		})
	}
}

func apply(t *testing.T, w *fixture.World, ops operations) {
	t.Helper()
	list, err := ops()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Patch(list...); err != nil {
		t.Fatal(err)
	}
}

// A ciphertext is bound to its place, so a secret that moves gets a new one.
func TestMovedSecretIsSealedAgain(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Configure("i", `{"list":[{"pin":"1234"},{"pin":"5678"}]}`); err != nil {
		t.Fatal(err)
	}
	second := w.SealedValue(t, "config/list/1/pin")
	apply(t, w, jsonPatch(`[{"op":"remove","path":"/list/0"}]`))
	if w.SealedValue(t, "config/list/0/pin") == second ||
		w.Reveal(t, "i", "config/list/0/pin") != "5678" {
		t.Error("the secret kept its ciphertext or lost its value when it moved")
	}
}

// Another writer removes an element between the read and the write. The index of
// the element that was read now belongs to its neighbour, so a mask there is
// ambiguous.
func TestMaskInMovedElementIsRejected(t *testing.T) {
	const element = `{"id":"a","note":"changed","token":"***"}`
	want := []string{"configuration/entries/0/token ambiguous-mask"}
	for name, ops := range map[string]operations{
		"set": func() ([]installation.Operation, error) {
			op := patch.Set("/entries/0", installation.JSON(element))
			return []installation.Operation{op}, nil
		},
		"JSON Patch": jsonPatch(
			`[{"op":"replace","path":"/entries/0","value":` + element + `}]`),
		"update mask": updateMask(`{"entries":[`+element+`]}`, "entries.0"),
	} {
		for _, schema := range []string{`{"properties":{"entries":{"x-key":"id"}}}`, `{}`} {
			w, _ := fixture.NewDescribed(t, schema,
				`{"entries":[{"id":"a","token":"A"},{"id":"b","token":"B"}]}`)
			if _, err := w.Patch(patch.Unset("/entries/0")); err != nil {
				t.Fatal(err)
			}
			list, err := ops()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Patch(list...); err == nil {
				t.Errorf("%s, %s: accepted: %s", name, schema, w.Configuration(t))
			} else if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
				t.Errorf("%s, %s: %s", name, schema, diff)
			}
		}
	}
}
