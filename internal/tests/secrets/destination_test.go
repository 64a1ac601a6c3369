package secrets

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// A write that changes a destination of secrets must contain these secrets. It
// makes no difference how the write would keep them.
func TestInvariant11DestinationRule(t *testing.T) {
	for part, url := range changedURLs {
		t.Run("url "+part, func(t *testing.T) { changedURL(t, url) })
	}
	for name, c := range changedDestinations {
		t.Run(name, func(t *testing.T) {
			_, err := merge(t, newDestinations(t), c.patch)
			// The url is also a secret and has a violation of its own.
			got := slices.DeleteFunc(violations(t, err), func(v string) bool {
				return strings.HasPrefix(v, "configuration/url ")
			})
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a first write, and a document without secrets", func(t *testing.T) {
		w := fixture.NewWorld(t)
		for _, document := range []string{
			`{"url":"https://a.example"}`,
			`{"url":"https://b.example"}`,
			`{"url":"https://c.example","token":"t"}`,
		} {
			if _, err := w.Configure("i", document); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	})
	t.Run("unnamed fields", func(t *testing.T) {
		w := newDestinations(t)
		put := func(extra string) error {
			return patchParts(t, w, installation.Parts{
				Extra: installation.Value(installation.JSON(extra)),
			})
		}
		if err := put(`{"callback":"https://a.example","token":"t"}`); err != nil {
			t.Fatal(err)
		}
		want := []string{"extra/token destination extra/callback"}
		err := put(`{"callback":"https://b.example","token":"***"}`)
		if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
			t.Error(diff)
		}
	})
}

// changedURLs differ from the stored URL in one part.
var changedURLs = map[string]string{
	"scheme":      "http://u1@api.example:443/v1?k=1",
	"userinfo":    "https://u2@api.example:443/v1?k=1",
	"host":        "https://u1@evil.example:443/v1?k=1",
	"port":        "https://u1@api.example:444/v1?k=1",
	"path":        "https://u1@api.example:443/v2?k=1",
	"query":       "https://u1@api.example:443/v1?k=2",
	"no userinfo": "https://api.example:443/v1?k=1",
}

// changedDestinations are merge patches of the stored document.
var changedDestinations = map[string]struct {
	patch string
	want  []string
}{
	"host":             {`{"host":"evil.example"}`, both("/host")},
	"scheme":           {`{"scheme":"http"}`, both("/scheme")},
	"removed":          {`{"host":null}`, both("/host")},
	"port added":       {`{"port":1}`, both("/port")},
	"proxy added":      {`{"proxy":{"address":"evil.example"}}`, both("/proxy/address")},
	"host and a mask":  {`{"host":"evil.example","api_secret":"***"}`, both("/host")},
	"one new secret":   {`{"host":"evil.example","api_secret":"x"}`, both("/host")[1:]},
	"one removed":      {`{"host":"evil.example","webhook":null}`, both("/host")[:1]},
	"something else":   {`{"note":"m"}`, nil},
	"the same again":   {`{"host":"db.example","scheme":"https"}`, nil},
	"all removed":      {newHostWithoutSecrets, nil},
	"both new secrets": {newHostAndSecrets, nil},
}

const (
	newHostWithoutSecrets = `{"host":"evil.example","url":null,"api_secret":null,"webhook":null}`
	newHostAndSecrets     = `{"host":"evil.example","url":"https://x.example",` +
		`"api_secret":"x","webhook":{"token":"x"}}`
)

// both returns the violations of both secrets, for a destination in the
// configuration.
func both(at string) []string {
	return []string{
		"configuration/api_secret destination configuration" + at,
		"configuration/webhook/token destination configuration" + at,
	}
}

func violations(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	return fixture.Violations(t, err)
}

// newDestinations returns a world with two secrets and their destinations. The
// url has user information, so it is itself a secret.
func newDestinations(t *testing.T) *fixture.World {
	t.Helper()
	w := fixture.NewWorld(t)
	_, err := w.Configure("i", `{"url":"https://u1@api.example:443/v1?k=1","host":"db.example",`+
		`"scheme":"https","note":"n","api_secret":"s3cr3t","webhook":{"token":"t0ken"}}`)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// changedURL writes a new URL in every way that would keep the secrets.
func changedURL(t *testing.T, url string) {
	w := newDestinations(t)
	keeping := `{"url":"` + url + `","host":"db.example","scheme":"https","note":"n",`
	jsonURL := `[{"op":"replace","path":"/url","value":"` + url + `"}]`
	for how, write := range map[string]func() (*installation.Result, error){
		"a mask": func() (*installation.Result, error) {
			return w.Configure("i", keeping+`"api_secret":"***","webhook":{"token":"***"}}`)
		},
		"absence from operations": func() (*installation.Result, error) {
			return w.Patch(patch.Set("/url", installation.JSON(`"`+url+`"`)))
		},
		"a secret operation": func() (*installation.Result, error) {
			return w.Patch(patch.SetSecret("/url", crypto.NewSecret(url)))
		},
		"absence from a merge patch": func() (*installation.Result, error) {
			return merge(t, w, `{"url":"`+url+`"}`)
		},
		"an absent part": func() (*installation.Result, error) {
			ops, err := patch.FromJSON([]byte(jsonURL))
			if err != nil {
				t.Fatal(err)
			}
			return w.Host.Patch(t.Context(), installation.PatchRequest{
				ID: "i", Operations: ops,
				Parts: installation.Parts{Name: installation.Value("n")},
			})
		},
		"an update mask": func() (*installation.Result, error) {
			ops, err := patch.FromMask([]byte(`{"url":"`+url+`","api_secret":null}`), "url")
			if err != nil {
				t.Fatal(err)
			}
			return w.Patch(ops...)
		},
	} {
		_, err := write()
		if diff := cmp.Diff(both("/url"), fixture.Violations(t, err)); diff != "" {
			t.Errorf("%s: %s", how, diff)
		}
	}
	if got := w.Get(t, "i").Revision; got != 1 {
		t.Errorf("revision %d after rejected writes, want 1", got)
	}
	withSecrets := keeping + `"api_secret":"n3w","webhook":{"token":"n3w"}}`
	if _, err := w.Configure("i", withSecrets); err != nil {
		t.Errorf("with new secrets: %v", err)
	}
}

// merge applies a merge patch to the configuration of i.
func merge(t testing.TB, w *fixture.World, text string) (*installation.Result, error) {
	t.Helper()
	ops, err := patch.FromMerge([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return w.Patch(ops...)
}

// patchParts replaces these parts of i.
func patchParts(t *testing.T, w *fixture.World, parts installation.Parts) error {
	t.Helper()
	_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
	return err
}
