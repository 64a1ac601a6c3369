package secrets

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

type droppedCase struct {
	change func(c *installation.Connection)
	ops    []installation.Operation
	want   []installation.Ref
}

var droppedCases = map[string]droppedCase{
	"nothing": {change: func(c *installation.Connection) { c.Status = "working" }},
	"what it leaves out": {
		change: func(c *installation.Connection) {
			*c = installation.Connection{ID: c.ID, AccessToken: tokenOf("n3w", time.Time{})}
		},
		want: []installation.Ref{
			"connection/list/0/token", "connection/list/1/token", metaToken, apiKey, refreshToken,
		},
	},
	"a secret of the metadata": {
		change: func(c *installation.Connection) {
			c.Metadata = installation.JSON(`{"plan":"basic","list":[{"token":"x"},{"token":"y"}]}`)
		},
		want: []installation.Ref{metaToken},
	},
	"nothing that it replaces": {change: func(c *installation.Connection) {
		c.APIKey = crypto.NewSecret("n3w")
		c.Metadata = installation.JSON(
			`{"plan":"basic","token":"n3w","list":[{"token":"x"},{"token":"y"}]}`)
	}},
	"nothing that an operation sets again": {
		change: func(c *installation.Connection) {
			c.RefreshToken, c.APIKey = installation.Token{}, crypto.Secret{}
		},
		ops: []installation.Operation{
			patch.SetCredential(refreshToken, tokenOf("r", time.Time{})),
		},
		want: []installation.Ref{apiKey},
	},
	"nothing that an operation removes": {ops: []installation.Operation{
		patch.UnsetCredential(apiKey), patch.Unset("/token").InMetadata(),
	}},
}

// newListed is newConnected with secrets in an array of the metadata.
func newListed(t *testing.T) *fixture.World {
	t.Helper()
	w := newConnected(t)
	c := *w.Get(t, "i").Connection
	c.Metadata = installation.JSON(
		`{"plan":"basic","token":"m3ta","list":[{"token":"a"},{"token":"b"}]}`)
	if err := patchParts(t, w, installation.Parts{Connection: installation.Value(c)}); err != nil {
		t.Fatal(err)
	}
	return w
}

// A connection that is given as a whole says which stored secrets it removed.
func TestWholeConnectionNamesWhatItDrops(t *testing.T) {
	for name, c := range droppedCases {
		t.Run(name, func(t *testing.T) {
			w := newListed(t)
			req := installation.PatchRequest{ID: "i", Operations: c.ops}
			if c.change != nil {
				next := *w.Get(t, "i").Connection
				c.change(&next)
				req.Connection = installation.Value(next)
			}
			checkDropped(t, w, c.want, func() (*installation.Result, error) {
				return w.Host.Patch(t.Context(), req)
			})
		})
	}
	t.Run("all, if the connection is removed", func(t *testing.T) {
		w := newListed(t)
		all := []installation.Ref{"connection/list/0/token", "connection/list/1/token", metaToken,
			accessToken, apiKey, refreshToken}
		checkDropped(t, w, all, func() (*installation.Result, error) {
			return w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID:    "i",
				Parts: installation.Parts{Connection: installation.Remove[connection]()},
			})
		})
	})
}

func checkDropped(
	t *testing.T, w *fixture.World, want []installation.Ref,
	write func() (*installation.Result, error),
) {
	t.Helper()
	before := w.Get(t, "i").Sealed
	res, err := write()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, res.Dropped, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	after := w.Get(t, "i").Sealed
	for _, ref := range res.Dropped {
		if !slices.Contains(before, ref) || slices.Contains(after, ref) {
			t.Errorf("%s was not stored, or still is", ref)
		}
	}
}

// A masked credential in a whole connection keeps the stored one, beside a field that does change.
func TestMaskedCredentialIsKeptBesideAChange(t *testing.T) {
	w := newConnected(t)
	old := *w.Get(t, "i").Connection // read before the refresh
	expires := fixture.Start.Add(time.Hour)
	if _, err := w.Patch(patch.SetCredential(accessToken, tokenOf("n3w", expires))); err != nil {
		t.Fatal(err)
	}
	old.Status = "working"
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Connection: installation.Value(old)},
	})
	if err != nil || !res.Changed || res.Connection.Status != "working" {
		t.Fatalf("changed %v, %v", res.Changed, err)
	}
	want := map[installation.Ref]string{
		accessToken: "n3w", refreshToken: "r3fresh-token", apiKey: "k3y", metaToken: "m3ta",
	}
	if diff := cmp.Diff(want, plainOf(t, w)); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got := res.Connection.AccessToken.Expires; !got.Equal(expires) {
		t.Errorf("the new token expires at %s, want %s", got, expires)
	}
	if len(res.Dropped) > 0 {
		t.Errorf("dropped %v", res.Dropped)
	}
}

// An empty text, as from a provider that answers without a refresh token, replaces no credential.
func TestEmptyCredentialIsRejected(t *testing.T) {
	w := newConnected(t)
	next := *w.Get(t, "i").Connection
	next.RefreshToken.Value, next.APIKey = crypto.NewSecret(""), crypto.NewSecret("")
	err := patchParts(t, w, installation.Parts{Connection: installation.Value(next)})
	want := []string{"connection/api_key empty-secret", "connection/refresh_token empty-secret"}
	if diff := cmp.Diff(want, violations(t, err)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
