package secrets

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// An operation on the metadata that may redirect credentials has to come with all of them.
func TestInvariant11OperationsOnAConnection(t *testing.T) {
	address := patch.Set("/instance_url", installation.JSON(`"https://evil.example"`)).InMetadata()
	token := patch.SetSecret("/token", crypto.NewSecret("x")).InMetadata()
	access := patch.SetCredential(accessToken, tokenOf("x", time.Time{}))
	refresh := patch.SetCredential(refreshToken, tokenOf("x", time.Time{}))
	const destination = " destination connection.metadata/instance_url"
	for name, c := range map[string]struct {
		ops  []installation.Operation
		want []string
	}{
		"an address alone": {[]installation.Operation{address}, []string{
			"connection.metadata/token" + destination, "connection/access_token" + destination,
			"connection/api_key" + destination, "connection/refresh_token" + destination,
		}},
		"some given again": {[]installation.Operation{access, address, token}, []string{
			"connection/api_key" + destination, "connection/refresh_token" + destination,
		}},
		"all given again or removed": {[]installation.Operation{
			address, token, access, refresh, patch.UnsetCredential(apiKey),
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newConnected(t).Patch(c.ops...)
			if diff := cmp.Diff(c.want, violations(t, err)); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// A part and operations of one request are judged together: the operations give again what the part
// would send elsewhere.
func TestInvariant11OperationsGiveAgain(t *testing.T) {
	w := newConnected(t)
	next := *w.Get(t, "i").Connection
	next.Provider, next.Metadata = "other", installation.Document{}
	req := installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Connection: installation.Value(next)},
		Operations: []installation.Operation{
			patch.SetCredential(accessToken, tokenOf("x", time.Time{})),
			patch.SetCredential(refreshToken, tokenOf("x", time.Time{})),
		},
	}
	_, err := w.Host.Patch(t.Context(), req)
	want := []string{"connection/api_key destination connection.provider"}
	if diff := cmp.Diff(want, violations(t, err)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	req.Operations = append(req.Operations, patch.UnsetCredential(apiKey))
	if _, err := w.Host.Patch(t.Context(), req); err != nil {
		t.Error(err)
	}
}

// Operations on a connection need the right to write parts. Operations on the configuration need
// the right to configure as well.
func TestRightsOfOperations(t *testing.T) {
	config := patch.Set("/n", installation.JSON(`1`))
	metadata := patch.Set("/n", installation.JSON(`1`)).InMetadata()
	credential := patch.SetCredential(apiKey, tokenOf("x", time.Time{}))
	for name, c := range map[string]struct {
		without installation.Action
		ops     []installation.Operation
		want    error
	}{
		"credential, no configure": {installation.ActionConfigure,
			[]installation.Operation{credential, patch.SetTokenType("t")}, nil},
		"metadata, no configure": {installation.ActionConfigure,
			[]installation.Operation{metadata}, nil},
		"configuration, no configure": {installation.ActionConfigure,
			[]installation.Operation{credential, config}, installation.ErrForbidden},
		"credential, no upsert": {installation.ActionUpsert,
			[]installation.Operation{credential}, installation.ErrForbidden},
		"metadata, no upsert": {installation.ActionUpsert,
			[]installation.Operation{metadata}, installation.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			w := newConnected(t, func(o *installation.Options) {
				o.Policy = func(
					a installation.Actor, do installation.Action, _ *installation.Installation,
				) bool {
					return a.Kind == installation.Host || do != c.without
				}
			})
			_, err := w.Customer.Patch(t.Context(), installation.PatchRequest{
				ID: "i", Operations: c.ops,
			})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A secret that moves to another account must not be kept, and an operation gives it again.
func TestOperationsGiveAgainForAnotherAccount(t *testing.T) {
	w := newConnected(t)
	req := installation.PatchRequest{ID: "i", Parts: installation.Parts{
		Account:       installation.Value(installation.Account{ID: "ACC-9"}),
		Configuration: installation.Remove[installation.Configuration](),
	}}
	req.Operations = []installation.Operation{
		patch.SetCredential(accessToken, tokenOf("x", time.Time{})),
		patch.SetCredential(refreshToken, tokenOf("x", time.Time{})),
		patch.Unset("/token").InMetadata(),
	}
	_, err := w.Host.Patch(t.Context(), req)
	if diff := cmp.Diff([]string{"account.id destination"}, violations(t, err)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	req.Operations = append(req.Operations, patch.UnsetCredential(apiKey))
	if _, err := w.Host.Patch(t.Context(), req); err != nil {
		t.Error(err)
	}
}

// An idempotency key repeats an operation only if all of it is the same.
func TestFingerprintCoversCredentialOperations(t *testing.T) {
	at := fixture.Start
	first := patch.SetCredential(accessToken, installation.Token{
		Value: crypto.NewSecret("t"), Issued: at, Expires: at.Add(time.Hour),
	})
	w := newConnected(t)
	send := func(op installation.Operation) error {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Guard: installation.Guard{IdempotencyKey: "k"},
			Operations: []installation.Operation{op},
		})
		return err
	}
	for n := range 2 {
		if err := send(first); err != nil {
			t.Fatalf("sent %d times: %v", n+1, err)
		}
	}
	token := func(value string, issued, expires time.Time) installation.Token {
		return installation.Token{
			Value: crypto.NewSecret(value), Issued: issued, Expires: expires,
		}
	}
	for name, op := range map[string]installation.Operation{
		"another credential": patch.SetCredential(refreshToken, token("t", at, at.Add(time.Hour))),
		"another value":      patch.SetCredential(accessToken, token("u", at, at.Add(time.Hour))),
		"another issue": patch.SetCredential(accessToken,
			token("t", at.Add(time.Second), at.Add(time.Hour))),
		"another expiry": patch.SetCredential(accessToken, token("t", at, at.Add(2*time.Hour))),
		"removed":        patch.UnsetCredential(accessToken),
		"token type":     patch.SetTokenType("t"),
	} {
		if err := send(op); !errors.Is(err, installation.ErrIdempotencyMismatch) {
			t.Errorf("%s: %v, want a mismatch", name, err)
		}
	}
	op := patch.Set("/n", installation.JSON(`1`))
	guard := installation.Guard{IdempotencyKey: "k2"}
	for _, step := range []struct {
		op   installation.Operation
		want error
	}{{op, nil}, {op.InMetadata(), installation.ErrIdempotencyMismatch}} {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Guard: guard, Operations: []installation.Operation{step.op},
		})
		if !errors.Is(err, step.want) {
			t.Errorf("got %v, want %v", err, step.want)
		}
	}
}

// Patches of one credential and writes of the whole connection meet. Nothing is lost, and the value
// of a token never meets the times of another.
func TestCredentialPatchesMeetWholeConnections(t *testing.T) {
	const writers = 16
	w := newConnected(t)
	expires := func(n int) time.Time { return fixture.Start.Add(time.Duration(n) * time.Hour) }
	fixture.Parallel(2*writers, func(n int) {
		ctx := context.Background()
		if n%2 == 0 {
			token := tokenOf(fmt.Sprintf("token-%d", n), expires(n))
			_, err := w.Host.Patch(ctx, installation.PatchRequest{
				ID:         "i",
				Operations: []installation.Operation{patch.SetCredential(accessToken, token)},
			})
			if err != nil {
				t.Errorf("patch %d: %v", n, err)
			}
			return
		}
		i, err := w.Host.Get(ctx, "i")
		if err != nil {
			t.Error(err)
			return
		}
		i.Connection.Status = fmt.Sprintf("status-%d", n)
		res, err := w.Host.Patch(ctx, installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Connection: installation.Value(*i.Connection)},
		})
		if err != nil || len(res.Dropped) > 0 {
			t.Errorf("whole connection %d: %v", n, err)
		}
	})
	i, plain := w.Get(t, "i"), plainOf(t, w)
	if want := int64(1 + 2*writers); i.Revision != want {
		t.Errorf("revision %d, want %d", i.Revision, want)
	}
	var last int
	if _, err := fmt.Sscanf(plain[accessToken], "token-%d", &last); err != nil {
		t.Fatalf("the access token is %q", plain[accessToken])
	}
	if got := i.Connection.AccessToken.Expires; !got.Equal(expires(last)) {
		t.Errorf("token %d expires at %s, want %s", last, got, expires(last))
	}
	delete(plain, accessToken)
	want := map[installation.Ref]string{
		refreshToken: "r3fresh-token", apiKey: "k3y", metaToken: "m3ta",
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}
