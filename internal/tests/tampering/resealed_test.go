package tampering

import (
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// Numbers of fields in a manifest, and within its content.
const (
	manifestRule    = protowire.Number(7)
	contentDocument = protowire.Number(5) // in configuration
	contentExtra    = protowire.Number(15)
	contentConfig   = protowire.Number(6)
	manifestIndex   = protowire.Number(8)
)

// reseal seals the manifest of a stored record again after an edit, as only someone with the
// keys could.
func reseal(t *testing.T, w *fixture.World, id string, edit func(m message)) {
	t.Helper()
	keys := fixture.Ring(t)
	w.EditRecord(t, id, func(r *installation.Record) {
		k := fixture.Unwrap(t, keys, r)
		m := parseMessage(t, manifestMessages, "", fixture.OpenManifest(t, keys, r))
		m.at(t, fixture.ManifestRevision).varint++ // which the edit of the record takes
		edit(m)
		sealed, err := k.SealBinary(nil, fixture.ManifestPlace(r.Key), m.encode())
		if err != nil {
			t.Fatal(err)
		}
		body := fixture.DecodeBody(t, r.Body)
		body.Manifest = sealed
		r.Body = fixture.EncodeBody(body)
	})
}

// A record whose parts contradict each other is damaged, whoever sealed it, and nothing is
// written over it.
func TestWritesRejectInconsistentRecord(t *testing.T) {
	document := func(text string) func(t *testing.T, m message) {
		return func(t *testing.T, m message) {
			m.at(t, fixture.ManifestContent, contentConfig, contentDocument).bytes = []byte(text)
		}
	}
	extra := func(text string) func(t *testing.T, m message) {
		return func(t *testing.T, m message) {
			m.at(t, fixture.ManifestContent, contentExtra).bytes = []byte(text)
			m.at(t, manifestRule).bytes = []byte("old/1") // so a write of anything masks it again
		}
	}
	for name, edit := range map[string]func(t *testing.T, m message){
		"a secret without a place":             document(`{"a":1}`),
		"a place that is no mask":              document(`{"a":1,"token":"x"}`),
		"a document that is not JSON":          document(`{"a":`),
		"a secret without a place, other part": extra(`{"b":1}`),
		"a document that is not JSON, other":   extra(`{`),
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", `{"a":1,"token":"s3cr3t"}`); err != nil {
				t.Fatal(err)
			}
			parts := installation.Parts{
				Extra: installation.Value(installation.JSON(`{"signature":"s1gn"}`)),
			}
			req := installation.PatchRequest{ID: "i", Parts: parts}
			if _, err := w.Host.Patch(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			reseal(t, w, "i", func(m message) { edit(t, m) })
			changes := len(w.Store.Changes())
			_, putErr := w.Configure("i", `{"a":2,"token":"***"}`)
			_, patchErr := w.Patch(patch.Set("/a", installation.JSON(`3`)))
			for what, err := range map[string]error{"put": putErr, "patch": patchErr} {
				fixture.WantErr(t, what, err, installation.ErrSealed)
			}
			if len(w.Store.Changes()) != changes {
				t.Error("something was written over it")
			}
		})
	}
}

// The same edit with the right parts is no damage, so the test above rejects for the right
// reason.
func TestResealedRecordOpens(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := w.Configure("i", `{"a":1,"token":"s3cr3t"}`); err != nil {
		t.Fatal(err)
	}
	reseal(t, w, "i", func(m message) {
		document := m.at(t, fixture.ManifestContent, contentConfig, contentDocument)
		document.bytes = []byte(`{"a":7,"token":"***"}`)
	})
	if got := w.Configuration(t); got != `{"a":7,"token":"***"}` {
		t.Errorf("got %s", got)
	}
	if _, err := w.Patch(patch.Set("/a", installation.JSON(`3`))); err != nil {
		t.Error(err)
	}
	// An index of a later release is named.
	reseal(t, w, "i", func(m message) { m.at(t, manifestIndex).varint = 3 })
	_, err := w.Host.Get(t.Context(), "i")
	version, ok := errors.AsType[*crypto.VersionError](err)
	if !ok || version.What != "index" || version.Version != 3 {
		t.Errorf("index of version 3: %v", err)
	}
}

// A data key with the highest number has no successor: whatever needs one is rejected, and
// nothing changes.
func TestHighestDataKeyNumberHasNoSuccessor(t *testing.T) {
	w := fixture.NewWorld(t)
	keys := fixture.Ring(t)
	if _, err := w.Configure("i", `{"a":1}`); err != nil {
		t.Fatal(err)
	}
	w.EditRecord(t, "i", func(r *installation.Record) {
		m := parseMessage(t, manifestMessages, "", fixture.OpenManifest(t, keys, r))
		m.at(t, fixture.ManifestRevision).varint++
		last, err := crypto.NewDataKey(math.MaxUint32, keys.Suite())
		if err != nil {
			t.Fatal(err)
		}
		body := fixture.DecodeBody(t, r.Body)
		binding := crypto.Binding{Tenant: r.Key.Tenant, Record: r.Key.ID}
		if body.Key, err = keys.Wrap(t.Context(), last, binding); err != nil {
			t.Fatal(err)
		}
		body.Manifest, err = last.SealBinary(nil, fixture.ManifestPlace(r.Key), m.encode())
		if err != nil {
			t.Fatal(err)
		}
		r.Body = fixture.EncodeBody(body)
	})
	before := w.Get(t, "i")
	changes := len(w.Store.Changes())
	_, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
	fixture.WantErr(t, "rekey", err, crypto.ErrKeyring)
	if len(w.Store.Changes()) != changes || fixture.Diff(before, w.Get(t, "i")) != "" {
		t.Error("a rejected rekey changed something")
	}
	// Other writes need no new key.
	if _, err := w.Patch(patch.Set("/token", installation.JSON(`"s3cr3t"`))); err != nil {
		t.Errorf("patch: %v", err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/token")); got != "s3cr3t" {
		t.Errorf("the new secret is %q", got)
	}
}
