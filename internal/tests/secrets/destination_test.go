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

// A write that changes where secrets go is refused unless they are given anew in it, however the others would be kept.
func TestInvariant11DestinationRule(t *testing.T) {
	const stored = `{"url":"https://u1@api.example:443/v1?k=1","host":"db.example","scheme":"https","note":"n","api_secret":"s3cr3t","webhook":{"token":"t0ken"}}`
	fresh := func(t *testing.T) *fixture.World {
		w := fixture.NewWorld(t)
		if _, err := w.Configure("i", stored); err != nil {
			t.Fatal(err)
		}
		return w
	}
	both := func(at string) []string {
		return []string{
			"configuration/api_secret destination configuration" + at, "configuration/webhook/token destination configuration" + at,
		}
	}

	// The url has user information and so is itself a secret; what is given in its place counts as another one.
	for part, url := range map[string]string{
		"scheme": "http://u1@api.example:443/v1?k=1", "userinfo": "https://u2@api.example:443/v1?k=1", "host": "https://u1@evil.example:443/v1?k=1",
		"port": "https://u1@api.example:444/v1?k=1", "path": "https://u1@api.example:443/v2?k=1", "query": "https://u1@api.example:443/v1?k=2",
		"no userinfo": "https://api.example:443/v1?k=1",
	} {
		t.Run("url "+part, func(t *testing.T) {
			w := fresh(t)
			keeping := `{"url":"` + url + `","host":"db.example","scheme":"https","note":"n",`
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
				"absence from a merge patch": func() (*installation.Result, error) { return merge(t, w, `{"url":"`+url+`"}`) },
				"a part that is not given": func() (*installation.Result, error) {
					ops, err := patch.FromJSON([]byte(`[{"op":"replace","path":"/url","value":"` + url + `"}]`))
					if err != nil {
						t.Fatal(err)
					}
					return w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}, Operations: ops})
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
				t.Errorf("revision %d after refusals", got)
			}
			if _, err := w.Configure("i", keeping+`"api_secret":"n3w","webhook":{"token":"n3w"}}`); err != nil {
				t.Errorf("given anew: %v", err)
			}
		})
	}

	for name, c := range map[string]struct {
		patch string
		want  []string
	}{
		"host":               {`{"host":"evil.example"}`, both("/host")},
		"scheme":             {`{"scheme":"http"}`, both("/scheme")},
		"removed":            {`{"host":null}`, both("/host")},
		"port added":         {`{"port":1}`, both("/port")},
		"proxy added":        {`{"proxy":{"address":"evil.example"}}`, both("/proxy/address")},
		"a mask beside":      {`{"host":"evil.example","api_secret":"***"}`, both("/host")},
		"one given anew":     {`{"host":"evil.example","api_secret":"x"}`, both("/host")[1:]},
		"one removed":        {`{"host":"evil.example","webhook":null}`, both("/host")[:1]},
		"both given anew":    {`{"host":"evil.example","url":"https://x.example","api_secret":"x","webhook":{"token":"x"}}`, nil},
		"both removed":       {`{"host":"evil.example","url":null,"api_secret":null,"webhook":null}`, nil},
		"something else":     {`{"note":"m"}`, nil},
		"the same once more": {`{"host":"db.example","scheme":"https"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := fresh(t)
			_, err := merge(t, w, c.patch)
			var got []string
			if err != nil {
				got = fixture.Violations(t, err)
			}
			// The url is a secret too, and named where it is kept.
			got = slices.DeleteFunc(got, func(v string) bool { return strings.HasPrefix(v, "configuration/url ") })
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("a first write, and a document without secrets", func(t *testing.T) {
		w := fixture.NewWorld(t)
		for _, document := range []string{`{"url":"https://a.example"}`, `{"url":"https://b.example"}`, `{"url":"https://c.example","token":"t"}`} {
			if _, err := w.Configure("i", document); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	})
	t.Run("unnamed fields", func(t *testing.T) {
		w := fresh(t)
		put := func(extra string) error {
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Extra: installation.Value(installation.JSON(extra))}})
			return err
		}
		if err := put(`{"callback":"https://a.example","token":"t"}`); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"extra/token destination extra/callback"}, fixture.Violations(t, put(`{"callback":"https://b.example","token":"***"}`))); diff != "" {
			t.Error(diff)
		}
	})
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

// The credentials of a connection go to its provider, its workspace, and the addresses in its metadata.
func TestInvariant11Connection(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *installation.Connection)
		want   []string
	}{
		"nothing":             {func(*installation.Connection) {}, nil},
		"its status":          {func(c *installation.Connection) { c.Status, c.ConsumerRef = "working", "x" }, nil},
		"credentials":         {func(c *installation.Connection) { c.AccessToken.Value = crypto.NewSecret("x") }, nil},
		"its provider":        {func(c *installation.Connection) { c.Provider = "evil" }, []string{"/access_token provider", "/refresh_token provider", ".metadata/token provider"}},
		"its workspace":       {func(c *installation.Connection) { c.WorkspaceRef = "evil" }, []string{"/access_token workspaceRef", "/refresh_token workspaceRef", ".metadata/token workspaceRef"}},
		"provider of its app": {func(c *installation.Connection) { c.App.Provider = "evil" }, []string{"/access_token app.provider", "/refresh_token app.provider", ".metadata/token app.provider"}},
		"no app":              {func(c *installation.Connection) { c.App = nil }, []string{"/access_token app.provider", "/refresh_token app.provider", ".metadata/token app.provider"}},
		// Names by which the provider and the host tell things apart, and which are of no use at another provider.
		"what says not where": {func(c *installation.Connection) {
			c.ID, c.Scheme, c.ConsumerRef, c.App.ID, c.App.ExternalRef, c.App.ClientID = "other", "basic", "other", "other", "other", "other"
		}, nil},
		"no workspace": {func(c *installation.Connection) { c.WorkspaceRef = "" }, []string{"/access_token workspaceRef", "/refresh_token workspaceRef", ".metadata/token workspaceRef"}},
		"its metadata": {func(c *installation.Connection) {
			c.Metadata = installation.JSON(`{"instance_url":"https://evil.example"}`)
		}, []string{"/access_token metadata/instance_url", "/refresh_token metadata/instance_url"}},
		"metadata with its own secret": {func(c *installation.Connection) {
			c.Metadata = installation.JSON(`{"instance_url":"https://evil.example","token":"***"}`)
		}, []string{".metadata/token metadata/instance_url"}},
		"one given anew": {func(c *installation.Connection) {
			c.Provider, c.AccessToken.Value = "evil", crypto.NewSecret("x")
		}, []string{"/refresh_token provider", ".metadata/token provider"}},
		"all given anew": {func(c *installation.Connection) {
			c.Provider, c.AccessToken.Value, c.RefreshToken.Value = "other", crypto.NewSecret("x"), crypto.NewSecret("y")
			c.Metadata = installation.JSON(`{"instance_url":"https://other.example","token":"z"}`)
		}, nil},
		"all removed": {func(c *installation.Connection) {
			c.Provider, c.AccessToken.Value, c.RefreshToken.Value, c.Metadata = "other", crypto.Secret{}, crypto.Secret{}, installation.Document{}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			parts := fixture.Parts()
			first, _ := parts.Connection.Get()
			first.App = &installation.ProviderApp{ID: "app-1", Provider: "salesforce", ExternalRef: "ext", ClientID: "client"}
			first.WorkspaceRef, first.Metadata = "acme", installation.JSON(`{"instance_url":"https://acme.example","token":"m3ta"}`)
			parts.Connection = installation.Value(first)
			if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts}); err != nil {
				t.Fatal(err)
			}
			next := *w.Get(t, "i").Connection
			c.change(&next)
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Connection: installation.Value(next)}})
			var got, want []string
			if err != nil {
				got = fixture.Violations(t, err)
			}
			for _, pair := range c.want {
				secret, destination, _ := strings.Cut(pair, " ")
				want = append(want, "connection"+secret+" destination connection."+destination)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An address among the unnamed fields may be that of the provider, so the credentials of the connection are exposed to it too, whether the
// write has the connection in it or not.
func TestInvariant11ConnectionAndExtra(t *testing.T) {
	credentials := []string{"connection/access_token destination extra/instance_url", "connection/refresh_token destination extra/instance_url"}
	const good, evil = `{"instance_url":"https://good.example","n":1}`, `{"instance_url":"https://evil.example","n":1}`
	fresh := func(c *installation.Connection) {
		c.AccessToken.Value, c.RefreshToken.Value = crypto.NewSecret("x"), crypto.NewSecret("y")
	}
	for name, c := range map[string]struct {
		extra  string
		change func(c *installation.Connection) // nil = the write has no connection
		want   []string
	}{
		"another":                 {evil, nil, credentials},
		"removed":                 {`{"n":1}`, nil, credentials},
		"something else":          {`{"instance_url":"https://good.example","n":2}`, nil, nil},
		"the same":                {good, nil, nil},
		"all removed":             {"", nil, nil},
		"another, masks":          {evil, func(*installation.Connection) {}, credentials},
		"another, given anew":     {evil, fresh, nil},
		"another, one given anew": {evil, func(c *installation.Connection) { c.AccessToken.Value = crypto.NewSecret("x") }, credentials[1:]},
		"another, removed":        {evil, func(c *installation.Connection) { *c = installation.Connection{ID: "c"} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			parts := fixture.Parts()
			parts.Extra = installation.Value(installation.JSON(good))
			if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts}); err != nil {
				t.Fatal(err)
			}
			next := installation.Parts{Extra: installation.Value(installation.JSON(c.extra))}
			if c.extra == "" {
				next.Extra = installation.Remove[installation.Document]()
			}
			if c.change != nil {
				connection := *w.Get(t, "i").Connection
				c.change(&connection)
				next.Connection = installation.Value(connection)
			}
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: next})
			var got []string
			if err != nil {
				got = fixture.Violations(t, err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	// The URL of the account is for people.
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	account := w.Get(t, "i").Account
	account.URL = "https://other.example"
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Account: installation.Value(account)}}); err != nil {
		t.Errorf("the URL of the account: %v", err)
	}
}
