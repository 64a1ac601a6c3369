package tampering

import (
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// A service never stores secrets in plain text, and never reads plain text as a secret.
func TestInvariant7NoPathBackToPlain(t *testing.T) {
	t.Run("no service without keys and store", noServiceWithoutKeysAndStore)
	t.Run("plain text in place of a sealed value", plainTextIsDetected)
	t.Run("sealed text from a user is a string", sealedTextFromUserIsAString)
}

func noServiceWithoutKeysAndStore(t *testing.T) {
	ring := fixture.RingWith(t, "k1", fixture.KEK)
	var noStore *memstore.Store
	var noRing *crypto.Keyring
	for name, c := range map[string]struct {
		store installation.Store
		keys  crypto.KeyWrapper
	}{
		"no store":        {nil, ring},
		"nil *Store":      {noStore, ring},
		"no keys":         {memstore.New(), nil},
		"nil *Keyring":    {memstore.New(), noRing},
		"zero Keyring":    {memstore.New(), &crypto.Keyring{}},
		"nil in a struct": {memstore.New(), struct{ *crypto.Keyring }{}},
		"neither":         {nil, nil},
	} {
		err := fixture.Call(t, name, func() error {
			svc, err := installation.New(c.store, c.keys, nil)
			if svc != nil {
				t.Errorf("%s: got a service", name)
			}
			return err
		})
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func plainTextIsDetected(t *testing.T) {
	const secret = installation.Ref("config/adobe_secret")
	x := attacked(t)
	lifecycle := fixture.DecodeBody(t, x.record.Body).Body.Lifecycle
	for _, plain := range []string{
		`"plain"`, "plain", "", "***", "null",
		strings.Repeat(" ", 110), strings.Repeat("a", 110),
		fixture.SealedText(x.sealedAt(t, "/adobe_secret")),
	} {
		x.bodyDetected(t, "value", func(body *fixture.Body) {
			body.ValueAt(t, secret).Sealed = []byte(plain)
		})
		x.bodyDetected(t, "manifest", func(body *fixture.Body) { body.Manifest = []byte(plain) })
		x.bodyDetected(t, "key", func(body *fixture.Body) { body.Key.Bytes = []byte(plain) })
	}
	m := record.Manifest{
		ID: "EXI-1", Generation: 1, Revision: 1, IndexVersion: record.IndexVersion,
		Lifecycle: lifecycle,
	}
	b := m.Append(nil, func(*record.Coder) {})
	x.bodyDetected(t, "a manifest that was never sealed", func(body *fixture.Body) {
		body.Manifest = b
	})
	x.detected(t, "a JSON body", rawBody(func([]byte) []byte { return []byte(`{"id":"EXI-1"}`) }))
}

func sealedTextFromUserIsAString(t *testing.T) {
	x := attacked(t)
	host := x.h.Host()
	stolen := fixture.SealedText(x.sealedAt(t, "/adobe_secret"))
	parts := fixture.SecretParts("ACC-2", stolen)
	parts.Configuration = installation.Value(installation.Configuration{
		Document: installation.JSON(`{"note":"` + stolen + `","adobe_secret":"` + stolen + `"}`),
	})
	req := installation.UpsertRequest{ID: "EXI-2", Parts: parts}
	res, err := host.Upsert(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"note":"` + stolen + `","adobe_secret":"***"}`
	if got := res.Configuration.Document.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	revealed, err := host.Reveal(t.Context(), installation.RevealRequest{
		ID: "EXI-2", Reason: "test", Refs: res.Sealed,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range revealed {
		if r.Err != nil || r.Value.RevealString() != stolen {
			t.Errorf("%v: got another string, error %v: a write opened the text", r.Ref, r.Err)
		}
	}
}
