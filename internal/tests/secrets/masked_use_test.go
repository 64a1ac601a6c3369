package secrets

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A program that uses a masked value as if it were the secret fails. It does not send an empty key,
// nor the mask.
func TestInvariant19MaskedValueFailsLoudly(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	got := w.Get(t, "i")

	var secrets struct {
		Key crypto.Secret `json:"api_secret"`
	}
	if err := got.Configuration.Document.Decode(&secrets); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]crypto.Secret{
		"decoded":       secrets.Key,
		"access token":  got.Connection.AccessToken.Value,
		"refresh token": got.Connection.RefreshToken.Value,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a masked secret reveals a text", name)
				}
			}()
			s.Reveal()
		}()
	}

	var text struct {
		Key string `json:"api_secret"`
	}
	var nested struct{ Nested struct{ Token *string } }
	var key struct {
		Key hostKey `json:"api_secret"`
	}
	hidden := struct {
		Key any `json:"api_secret"`
	}{new(string)}
	for name, v := range map[string]any{
		"string": &text, "nested": &nested, "type of the host": &key,
		"pointer in any": &hidden,
		"raw":            new(map[string]json.RawMessage),
	} {
		err := got.Configuration.Document.Decode(v)
		if refused := err != nil; refused != (name != "raw") {
			t.Errorf("%s: Decode returned %v", name, err)
		}
	}
}

// hostKey is a type of a host for secrets.
type hostKey struct{ text string }

func (k *hostKey) UnmarshalText(b []byte) error {
	k.text = string(b)
	return nil
}

// storedToken is a token of the generation n.
func storedToken(n int) installation.Token {
	at := fixture.Start.Add(time.Duration(n) * time.Hour)
	value := crypto.NewSecret("token-" + at.Format(time.Kitchen))
	return installation.Token{Value: value, Issued: at, Expires: at.Add(time.Hour)}
}

func writeConnection(t *testing.T, w *fixture.World, c installation.Connection) {
	t.Helper()
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Connection: installation.Value(c)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A masked token in a write is the stored token with its type and times, also if the writer read
// the token before it was refreshed.
func TestMaskedTokenKeepsItsTimes(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	first := installation.Connection{
		TokenType: "Bearer", AccessToken: storedToken(0), RefreshToken: storedToken(1),
	}
	writeConnection(t, w, first)
	old := *w.Get(t, "i").Connection

	refreshed := *w.Get(t, "i").Connection
	refreshed.TokenType, refreshed.AccessToken = "DPoP", storedToken(2)
	writeConnection(t, w, refreshed)
	before := w.Get(t, "i").Connection

	old.Status = "working"
	old.RefreshToken.Expires = time.Time{}
	writeConnection(t, w, old)
	got := w.Get(t, "i").Connection
	before.Status = "working"
	want := &installation.Installation{Connection: before}
	if diff := fixture.Diff(want, &installation.Installation{Connection: got}); diff != "" {
		t.Errorf("the old copy changed more than the status:\n%s", diff)
	}
	if !got.AccessToken.Expires.Equal(storedToken(2).Expires) || got.TokenType != "DPoP" {
		t.Errorf("a new token with times %v to %v and type %s",
			got.AccessToken.Issued, got.AccessToken.Expires, got.TokenType)
	}

	// Who gives a token again decides about all of it.
	next := *got
	next.AccessToken = storedToken(2)
	next.AccessToken.Expires = fixture.Start
	next.RefreshToken = installation.Token{}
	writeConnection(t, w, next)
	got = w.Get(t, "i").Connection
	if !got.AccessToken.Expires.Equal(fixture.Start) || !got.RefreshToken.Expires.IsZero() {
		t.Errorf("the given expiry became %v, that of a removed token %v",
			got.AccessToken.Expires, got.RefreshToken.Expires)
	}
}
