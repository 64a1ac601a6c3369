package formats

import (
	"bytes"
	"crypto/fips140"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// A record that is decoded and encoded again has the same bytes: no number of a field changes,
// and a field that a later version adds is absent from a record that lacks it.
func TestFormatIsWrittenAsRead(t *testing.T) {
	for _, e := range readFormat(t) {
		if fips140.Enforced() && e.Suite == crypto.SuiteXChaCha20Poly1305 {
			continue
		}
		same := func(what string, stored, written []byte) {
			t.Helper()
			if !bytes.Equal(stored, written) {
				t.Errorf("%s: %s\n stored %x\nwritten %x", e.Name, what, stored, written)
			}
		}
		body, err := record.DecodeBody(e.Record.Body)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		same("body", e.Record.Body, body.Append(nil))
		again := fixture.EncodeBody(fixture.DecodeBody(t, e.Record.Stored().Body))
		same("lifecycle", e.Record.Body, again.Bytes())
		for _, b := range e.Record.Events {
			var event installation.Event
			if err := event.UnmarshalBinary(b); err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			written, err := event.MarshalBinary()
			if err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			same("event", b, written)
		}
		if e.Record.Outcome != nil {
			o, err := record.DecodeOutcome(e.Record.Outcome)
			if err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			same("outcome", e.Record.Outcome, o.Append(nil))
		}
		if body.Manifest != nil {
			sealed, again := manifests(t, e.Record)
			same("manifest", sealed, again)
		}
	}
}

// manifests returns the opened manifest of a record as it was stored, and as this version
// writes it when the record comes under another key. Both lack what that changes: the revision,
// the version of the index, and the lifecycle of a record that moved without the key.
func manifests(t *testing.T, g *fixture.GoldenRecord) (stored, written []byte) {
	t.Helper()
	store := memstore.New()
	clock := fixture.NewClock()
	fixture.Load(t, store, clock.Now(), g.Stored())
	keys := fixture.GoldenKeys(t)
	another := fixture.NewKeySet(t, fixture.RingWith(t, "k9", fixture.ServiceSecret), keys)
	svc, err := installation.New(store, another, &installation.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	report, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || report.Rewrapped != 1 {
		t.Fatalf("rewrap: %v", err)
	}
	next, err := store.Get(t.Context(), g.Key)
	if err != nil {
		t.Fatal(err)
	}
	before := fixture.OpenManifest(t, keys, g.Stored())
	after := fixture.OpenManifest(t, another, next)
	const index = 8
	drop := []protowire.Number{fixture.ManifestRevision, index}
	m := fixture.ReadManifest(t, before)
	if !bytes.Equal(m.Lifecycle, fixture.DecodeBody(t, g.Stored().Body).Body.Lifecycle) {
		const lifecycle, claims = 5, 9
		drop = append(drop, lifecycle, claims)
	}
	return fixture.DropFields(t, before, drop...), fixture.DropFields(t, after, drop...)
}
