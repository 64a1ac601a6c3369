package secrets

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

const (
	accessToken  = installation.Ref("credential/access_token")
	refreshToken = installation.Ref("credential/refresh_token")
	apiKey       = installation.Ref("credential/api_key")
	metaToken    = installation.Ref("connection/token")
)

func tokenOf(value string, expires time.Time) installation.Token {
	return installation.Token{Value: crypto.NewSecret(value), Expires: expires}
}

// newConnected returns a world whose installation "i" has every kind of credential.
func newConnected(t testing.TB, opts ...func(*installation.Options)) *fixture.World {
	t.Helper()
	w := fixture.NewWorld(t, opts...)
	parts := fixture.Parts()
	c, _ := parts.Connection.Get()
	c.APIKey, c.TokenType = crypto.NewSecret("k3y"), "Bearer"
	c.RefreshToken.Expires = fixture.Start.Add(48 * time.Hour)
	c.Metadata = installation.JSON(`{"plan":"basic","token":"m3ta"}`)
	parts.Connection = installation.Value(c)
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// plainOf returns the plain secrets of the connection of "i", by ref.
func plainOf(t testing.TB, w *fixture.World) map[installation.Ref]string {
	t.Helper()
	plain := make(map[installation.Ref]string)
	for _, ref := range w.Get(t, "i").Sealed {
		if kind := ref.Kind(); kind == "credential" || kind == "connection" {
			plain[ref] = w.Reveal(t, "i", ref)
		}
	}
	return plain
}

// patched applies operations and checks what the connection and its secrets become.
func patched(
	t *testing.T, w *fixture.World, change func(c *installation.Connection,
		plain map[installation.Ref]string), ops ...installation.Operation,
) *installation.Result {
	t.Helper()
	want, wantPlain := *w.Get(t, "i").Connection, plainOf(t, w)
	change(&want, wantPlain)
	res, err := w.Patch(ops...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *w.Get(t, "i").Connection); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantPlain, plainOf(t, w)); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if len(res.Dropped) > 0 {
		t.Errorf("operations dropped %v", res.Dropped)
	}
	return res
}

// lastChanged returns the names in the last event that changed something.
func lastChanged(t *testing.T, w *fixture.World) []string {
	t.Helper()
	for _, e := range slices.Backward(w.Events(t)) {
		if e.Type == "updated" {
			return e.Changed
		}
	}
	return nil
}

// A new access token leaves the refresh token, the API key, the token type and the metadata.
func TestOneTokenChangesAlone(t *testing.T) {
	w := newConnected(t)
	expires := fixture.Start.Add(time.Hour)
	patched(t, w, func(c *installation.Connection, plain map[installation.Ref]string) {
		c.AccessToken.Issued, c.AccessToken.Expires = fixture.Start, expires
		plain[accessToken] = "n3w"
	}, patch.SetCredential(accessToken, installation.Token{
		Value: crypto.NewSecret("n3w"), Issued: fixture.Start, Expires: expires,
	}))
	if diff := cmp.Diff([]string{string(accessToken)}, lastChanged(t, w)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// A refresh is two operations. A time that is left out removes the stored one.
func TestRefreshWritesTwoTokensAndTheirTimes(t *testing.T) {
	w := newConnected(t)
	expires := fixture.Start.Add(time.Hour)
	patched(t, w, func(c *installation.Connection, plain map[installation.Ref]string) {
		c.AccessToken.Expires, c.RefreshToken.Expires = expires, time.Time{}
		plain[accessToken], plain[refreshToken] = "n3w", "n3w-refresh"
	},
		patch.SetCredential(accessToken, tokenOf("n3w", expires)),
		patch.SetCredential(refreshToken, tokenOf("n3w-refresh", time.Time{})),
	)
	want := []string{string(accessToken), string(refreshToken)}
	if diff := cmp.Diff(want, lastChanged(t, w)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// Each credential can be removed alone. The token type goes with the access token.
func TestOneCredentialIsRemovedAlone(t *testing.T) {
	for ref, unset := range map[installation.Ref]func(c *installation.Connection){
		accessToken: func(c *installation.Connection) {
			c.AccessToken, c.TokenType = installation.Token{}, ""
		},
		refreshToken: func(c *installation.Connection) {
			c.RefreshToken = installation.Token{}
		},
		apiKey: func(c *installation.Connection) { c.APIKey = crypto.Secret{} },
	} {
		t.Run(ref.Pointer()[1:], func(t *testing.T) {
			w := newConnected(t)
			change := func(c *installation.Connection, plain map[installation.Ref]string) {
				unset(c)
				delete(plain, ref)
			}
			patched(t, w, change, patch.UnsetCredential(ref))
			_, err := w.Patch(patch.UnsetCredential(ref))
			want := []string{"connection" + ref.Pointer() + " not-found"}
			if diff := cmp.Diff(want, violations(t, err)); diff != "" {
				t.Errorf("removed again: %s", diff)
			}
		})
	}
}

// The token type changes alone, and the same type again changes nothing.
func TestTokenTypeChangesAlone(t *testing.T) {
	w := newConnected(t)
	set := func(c *installation.Connection, _ map[installation.Ref]string) { c.TokenType = "mac" }
	patched(t, w, set, patch.SetTokenType("mac"))
	res, err := w.Patch(patch.SetTokenType("mac"))
	if err != nil || res.Changed {
		t.Errorf("the same again: changed %v, %v", res.Changed, err)
	}
}

// Operations of every kind reach the metadata, and leave the configuration and the credentials.
func TestOperationsInMetadata(t *testing.T) {
	merge, err := patch.FromMerge([]byte(`{"tier":"gold","plan":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		op       installation.Operation
		metadata string
		plain    map[installation.Ref]string // of the metadata
	}{
		"set": {patch.Set("/plan", installation.JSON(`"pro"`)),
			`{"plan":"pro","token":"***"}`, map[installation.Ref]string{metaToken: "m3ta"}},
		"set a secret": {patch.SetSecret("/pin", crypto.NewSecret("1234")),
			`{"plan":"basic","token":"***","pin":"***"}`,
			map[installation.Ref]string{metaToken: "m3ta", "connection/pin": "1234"}},
		"unset": {patch.Unset("/token"), `{"plan":"basic"}`, nil},
		"merge": {merge[0], `{"token":"***","tier":"gold"}`,
			map[installation.Ref]string{metaToken: "m3ta"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newConnected(t)
			configuration := w.Configuration(t)
			if _, err := w.Patch(c.op.InMetadata()); err != nil {
				t.Fatal(err)
			}
			want := map[installation.Ref]string{
				accessToken: "acc3ss-token", refreshToken: "r3fresh-token", apiKey: "k3y",
			}
			for ref, plain := range c.plain {
				want[ref] = plain
			}
			if diff := cmp.Diff(want, plainOf(t, w)); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
			if got := w.Get(t, "i").Connection.Metadata.String(); got != c.metadata {
				t.Errorf("metadata %s, want %s", got, c.metadata)
			}
			if got := w.Configuration(t); got != configuration {
				t.Errorf("the configuration is now %s", got)
			}
		})
	}
}

// Metadata that no connection has yet starts as an empty object.
func TestFirstOperationMakesMetadata(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Patch(patch.Set("/tier", installation.JSON(`1`)).InMetadata()); err != nil {
		t.Fatal(err)
	}
	if got := w.Get(t, "i").Connection.Metadata.String(); got != `{"tier":1}` {
		t.Errorf("metadata %s", got)
	}
	if diff := cmp.Diff([]string{"connection.metadata"}, lastChanged(t, w)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// badCredentialCases are operations that are rejected. No rejection quotes "canary".
var badCredentialCases = map[string]struct {
	op   installation.Operation
	want string
}{
	"an unknown credential": {
		patch.SetCredential("credential/canary", tokenOf("canary", time.Time{})),
		"connection unknown"},
	"another kind":  {patch.UnsetCredential(metaToken), "connection unknown"},
	"no credential": {patch.UnsetCredential(""), "connection unknown"},
	"no value": {patch.SetCredential(accessToken, installation.Token{}),
		"connection/access_token required"},
	"an empty value": {patch.SetCredential(accessToken, tokenOf("", time.Time{})),
		"connection/access_token empty-secret"},
	"a mask": {patch.SetCredential(accessToken, installation.Token{Value: crypto.Masked()}),
		"connection/access_token mask-without-stored-value"},
	"the mask of another program": {
		patch.SetCredential(apiKey, tokenOf("********", time.Time{})),
		"connection/api_key mask-without-stored-value"},
	"too large": {
		patch.SetCredential(apiKey, tokenOf(strings.Repeat("canary", 20000), time.Time{})),
		"connection/api_key too-large"},
	"an expiry of the API key": {
		patch.SetCredential(apiKey, tokenOf("canary", fixture.Start)),
		"connection/api_key exclusive"},
	"a time out of bounds": {
		patch.SetCredential(refreshToken, tokenOf("canary", time.Unix(-1<<40, 0))),
		"connection.refreshToken.expires range"},
	"a long token type": {patch.SetTokenType(strings.Repeat("canary", 1000)),
		"connection.tokenType too-long"},
	"a failed test": {patch.Test("/plan", installation.JSON(`"canary"`)).InMetadata(),
		"connection.metadata/plan test-failed"},
	"a test of a secret": {patch.Test("/token", installation.JSON(`"canary"`)).InMetadata(),
		"connection.metadata/token sealed"},
	"a mask without a secret": {patch.Set("/x", installation.JSON(`"***"`)).InMetadata(),
		"connection.metadata/x mask-without-stored-value"},
}

// A rejected operation changes nothing, not even through the good operations beside it.
func TestBadCredentialOperations(t *testing.T) {
	for name, c := range badCredentialCases {
		t.Run(name, func(t *testing.T) {
			w := newConnected(t)
			before := w.Get(t, "i")
			_, err := w.Patch(patch.Set("/n", installation.JSON(`1`)),
				patch.SetCredential(refreshToken, tokenOf("canary-2", time.Time{})), c.op)
			if diff := cmp.Diff([]string{c.want}, violations(t, err)); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the request: %v", err)
			}
			if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
				t.Errorf("it changed something:\n%s", diff)
			}
		})
	}
}

// Operations on a connection need one that is stored, or given in the same request.
func TestOperationsNeedAConnection(t *testing.T) {
	for name, op := range map[string]installation.Operation{
		"set":        patch.SetCredential(apiKey, tokenOf("k", time.Time{})),
		"unset":      patch.UnsetCredential(apiKey),
		"token type": patch.SetTokenType("Bearer"),
		"metadata":   patch.Set("/plan", installation.JSON(`"eu"`)).InMetadata(),
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", `{}`); err != nil {
				t.Fatal(err)
			}
			_, err := w.Patch(op)
			if diff := cmp.Diff([]string{"connection required"}, violations(t, err)); diff != "" {
				t.Error(diff)
			}
			given := installation.Value(installation.Connection{ID: "c",
				APIKey: crypto.NewSecret("old")})
			_, err = w.Host.Patch(t.Context(), installation.PatchRequest{
				ID: "i", Parts: installation.Parts{Connection: given},
				Operations: []installation.Operation{op},
			})
			if err != nil {
				t.Errorf("with a connection in the request: %v", err)
			}
		})
	}
}
