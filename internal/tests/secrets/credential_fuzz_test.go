package secrets

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// credentialModel is what the credentials of a connection should be: plain, and without a library.
type credentialModel struct {
	tokens    map[installation.Ref]installation.Token
	tokenType string
}

var credentialRefs = []installation.Ref{accessToken, refreshToken, apiKey}

// step applies one operation to the model. It returns the operation, and false if the service has
// to reject it.
func (m *credentialModel) step(what byte, value string) (installation.Operation, bool) {
	ref := credentialRefs[int(what>>2)%len(credentialRefs)]
	token := installation.Token{Value: crypto.NewSecret(value)}
	if what&64 != 0 {
		token.Expires = fixture.Start.Add(time.Duration(len(value)) * time.Minute)
	}
	switch what % 4 {
	case 0:
		m.tokenType = value
		return patch.SetTokenType(value), true
	case 1:
		_, stored := m.tokens[ref]
		delete(m.tokens, ref)
		if ref == accessToken {
			m.tokenType = ""
		}
		return patch.UnsetCredential(ref), stored
	default:
		m.tokens[ref] = token
		return patch.SetCredential(ref, token),
			value != "" && (ref != apiKey || token.Expires.IsZero())
	}
}

// plain returns the model as Opened.Credentials returns a connection.
func (m *credentialModel) plain() *installation.Connection {
	return &installation.Connection{
		ID: "c", TokenType: m.tokenType, AccessToken: m.tokens[accessToken],
		RefreshToken: m.tokens[refreshToken], APIKey: m.tokens[apiKey].Value,
		Metadata: installation.JSON(`{"token":"m3ta"}`),
	}
}

// FuzzCredentialOperations sends operations on credentials, several in a request, and compares the
// stored connection with a model. A rejected request changes nothing. Each byte of script is a
// step, and its highest bit ends a request.
func FuzzCredentialOperations(f *testing.F) {
	for _, seed := range []string{"\x82", "\x02\x86", "\x82\x81", "\x4a", "\x80\x06\x85\x82\x82",
		"\x02\x05\x86\x8a\x89\x80\x81"} {
		f.Add(seed, "Bearer")
	}
	f.Add("\x82", "***")
	f.Add("\x82", "\xff")
	f.Add("\x82\x7f", "") // an empty text is no zero Secret
	w := fixture.NewWorld(f)
	f.Fuzz(func(t *testing.T, script, value string) {
		connectAgain(t, w)
		defer w.Host.Delete(context.Background(), installation.DeleteRequest{ID: "i"})
		now := credentialModel{tokens: map[installation.Ref]installation.Token{}}
		for len(script) > 0 && len(script) < 100 {
			next := credentialModel{map[installation.Ref]installation.Token{}, now.tokenType}
			for ref, token := range now.tokens {
				next.tokens[ref] = token
			}
			var ops []installation.Operation
			good := true
			for ended := false; !ended && len(script) > 0; script = script[1:] {
				ended = script[0]&128 != 0
				op, ok := next.step(script[0]&127, value[:min(len(value), len(script))])
				ops, good = append(ops, op), good && ok
			}
			_, err := w.Patch(ops...)
			switch {
			case err != nil && !errors.Is(err, installation.ErrInvalid):
				t.Fatal(err)
			case err != nil && good && strings.HasPrefix("Bearer", value):
				t.Fatalf("good operations were rejected: %v", err)
			case err == nil && !good:
				t.Fatalf("%d operations were accepted", len(ops))
			case err == nil:
				now = next
			}
			checkCredentials(t, w, now.plain())
		}
	})
}

func connectAgain(t *testing.T, w *fixture.World) {
	t.Helper()
	parts := fixture.Parts()
	parts.Connection = installation.Value(installation.Connection{
		ID: "c", Metadata: installation.JSON(`{"token":"m3ta"}`),
	})
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
}

func checkCredentials(t *testing.T, w *fixture.World, want *installation.Connection) {
	t.Helper()
	o, err := w.Host.Open(t.Context(), installation.OpenRequest{ID: "i", Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got, err := o.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b crypto.Secret) bool { return a.Equal(b) })
	if !cmp.Equal(want, got, same, cmpopts.EquateEmpty()) {
		t.Fatalf("the credentials differ: %s", cmp.Diff(want, got, same, cmpopts.EquateEmpty()))
	}
}
