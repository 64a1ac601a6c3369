package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// openedConfig is a host's struct for the configuration of fixture.Parts.
type openedConfig struct {
	APISecret crypto.Secret `json:"api_secret"`
	Warehouse string        `json:"warehouse"`
	Nested    struct {
		Token crypto.Secret `json:"token"`
		Depth int           `json:"depth"`
	} `json:"nested"`
}

func openRequest() installation.OpenRequest {
	return installation.OpenRequest{ID: "i", Reason: "sync"}
}

func mustOpen(t testing.TB, s *installation.Service) *installation.Opened {
	t.Helper()
	o, err := s.Open(t.Context(), openRequest())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOpenFillsStruct(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	o := mustOpen(t, w.Extension)
	defer o.Close()
	if diff := fixture.Diff(w.Get(t, "i"), o.Installation); diff != "" {
		t.Errorf("the opened installation differs from that of Get (-want +got):\n%s", diff)
	}
	var cfg openedConfig
	if err := o.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	got := []string{
		cfg.APISecret.RevealString(), cfg.Warehouse, cfg.Nested.Token.RevealString(),
		fmt.Sprint(cfg.Nested.Depth),
	}
	if diff := cmp.Diff([]string{"s3cr3t-config", "EU-2", "t0ken-nested", "2"}, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestOpenReturnsCredentials(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	c, _ := parts.Connection.Get()
	c.Metadata = installation.JSON(`{"region":"eu","client_secret":"s3cr3t-metadata"}`)
	parts.Connection = installation.Value(c)
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	o := mustOpen(t, w.Host)
	defer o.Close()
	got, err := o.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	var metadata map[string]string
	if err := got.Metadata.Decode(&metadata); err != nil {
		t.Fatal(err)
	}
	texts := []string{
		got.AccessToken.Value.RevealString(), got.RefreshToken.Value.RevealString(),
		got.APIKey.RevealString(), got.Provider, metadata["client_secret"], metadata["region"],
	}
	want := []string{
		"acc3ss-token", "r3fresh-token", "", "salesforce", "s3cr3t-metadata", "eu",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	if !got.AccessToken.Expires.Equal(c.AccessToken.Expires) {
		t.Errorf("the access token expires at %s", got.AccessToken.Expires)
	}
}

// A secret goes into another type than a crypto.Secret only if the caller asks for it.
func TestOpenedPutsNoSecretIntoPlainTypes(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Patch(patch.Set("/pin", installation.JSON(`1234`))); err != nil {
		t.Fatal(err)
	}
	o := mustOpen(t, w.Host)
	defer o.Close()
	before := "before"
	for name, v := range map[string]any{
		"string":     &secretIn[string]{before},
		"own string": &secretIn[event.Type]{"before"},
		"bytes":      &secretIn[[]byte]{[]byte("before")},
		"any":        &secretIn[any]{before},
		"pointer":    &secretIn[*string]{},
		"in any":     &secretIn[any]{new(string)},
		"raw":        &secretIn[json.RawMessage]{json.RawMessage("0")},
		"number":     &secretIn[int]{7},
		"time":       &secretIn[time.Time]{},
		"pin":        &struct{ Pin int }{7},
		"map":        &map[string]any{"before": true},
		"strings":    &map[string]string{},
		"whole":      new(any),
		"whole text": &json.RawMessage{},
		"own method": &selfDecoding{},
	} {
		before := fmt.Sprintf("%+v", v)
		if err := o.Decode(v); err == nil || !strings.Contains(err.Error(), "DecodePlain") {
			t.Errorf("%s: got error %v", name, err)
		}
		if after := fmt.Sprintf("%+v", v); after != before {
			t.Errorf("%s: Decode failed and changed the value from %s to %s", name, before, after)
		}
	}
	var plain struct {
		Secret string `json:"api_secret"`
		Pin    int
		Nested map[string]any
	}
	if err := o.DecodePlain(&plain); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %d %s", plain.Secret, plain.Pin, plain.Nested["token"])
	if want := "s3cr3t-config 1234 t0ken-nested"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var secret struct{ Pin crypto.Secret }
	if err := o.Decode(&secret); err != nil || secret.Pin.RevealString() != "1234" {
		t.Errorf("a number: %v", err)
	}
}

// secretIn has a place for a secret.
type secretIn[T any] struct {
	V T `json:"api_secret"`
}

// selfDecoding keeps its text in an unexported field.
type selfDecoding struct{ text string }

func (s *selfDecoding) UnmarshalJSON(b []byte) error {
	s.text = string(b)
	return nil
}

func TestOpenedRefusesOtherTargets(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	o := mustOpen(t, w.Host)
	defer o.Close()
	var missing *openedConfig
	for name, v := range map[string]any{
		"nothing": nil, "no pointer": openedConfig{}, "nil": missing, "other": new(int),
	} {
		for method, decode := range map[string]func(any) error{
			"Decode": o.Decode, "DecodePlain": o.DecodePlain,
		} {
			err := fixture.Call(t, method+" "+name, func() error { return decode(v) })
			if err == nil || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s into %s: got error %v", method, name, err)
			}
		}
	}
}

// A secret can be the text of the mask. It must not be taken for a mask.
func TestOpenedSaysThatSecretIsTextOfMask(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	mask := crypto.NewSecret(crypto.Mask)
	if _, err := w.Patch(patch.SetSecret("/api_secret", mask)); err != nil {
		t.Fatal(err)
	}
	o := mustOpen(t, w.Host)
	defer o.Close()
	if err := o.Decode(new(openedConfig)); err == nil || !strings.Contains(err.Error(), "Reveal") {
		t.Errorf("got error %v", err)
	}
}

func TestOpenedRefusesUseAfterClose(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	o := mustOpen(t, w.Host)
	var cfg openedConfig
	if err := o.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for method, call := range map[string]func() error{
		"Decode":      func() error { return o.Decode(new(openedConfig)) },
		"DecodePlain": func() error { return o.DecodePlain(new(any)) },
		"Credentials": func() error { _, err := o.Credentials(); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "after Close") {
			t.Errorf("%s: got error %v", method, err)
		}
	}
	if got := cfg.APISecret.RevealString(); got != "s3cr3t-config" {
		t.Errorf("what was decoded before Close is %q after it", got)
	}
}

// Close can run beside the other methods. They then succeed or say that it is closed.
func TestOpenedIsSafeForConcurrentUse(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	o := mustOpen(t, w.Host)
	fixture.Parallel(16, func(n int) {
		if n == 7 {
			_ = o.Close()
			return
		}
		var cfg openedConfig
		err := o.Decode(&cfg)
		if err == nil && cfg.APISecret.RevealString() != "s3cr3t-config" {
			t.Error("a secret was decoded while it was wiped")
		}
		if err != nil && !strings.Contains(err.Error(), "after Close") {
			t.Error(err)
		}
	})
}

// Open and Reveal answer for the revision that the caller names, or say which one is stored.
func TestOpenAndRevealNameRevision(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Patch(patch.Set("/api_secret", installation.JSON(`"n3w"`))); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, w.Host) // it is recorded now, so the calls below are of both kinds
	for revision, want := range map[int64]error{
		0: nil, 1: installation.ErrConflict, 2: nil, 3: installation.ErrConflict,
		-1: installation.ErrInvalid,
	} {
		what := fmt.Sprintf("revision %d", revision)
		open, reveal := openRequest(), revealRequest("r", "config/api_secret", "config/none")
		open.Revision, reveal.Revision = revision, revision
		o, err := w.Host.Open(t.Context(), open)
		fixture.WantErr(t, "open "+what, err, want)
		if err == nil && o.Revision != 2 {
			t.Errorf("open %s: got revision %d", what, o.Revision)
		}
		answers, err := w.Host.Reveal(t.Context(), reveal)
		fixture.WantErr(t, "reveal "+what, err, want)
		for _, a := range answers {
			if a.Revision != 2 {
				t.Errorf("reveal %s: %s is of revision %d", what, a.Ref, a.Revision)
			}
		}
		conflict, ok := errors.AsType[*installation.ConflictError](err)
		if want == installation.ErrConflict && (!ok || conflict.Revision != 2) {
			t.Errorf("%s: the conflict is %v", what, err)
		}
	}
}

// An actor who may reveal secrets and not see the configuration does not see it through Open.
func TestOpenHidesConfiguration(t *testing.T) {
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Policy = func(
			a installation.Actor, do installation.Action, inst *installation.Installation,
		) bool {
			return do != installation.ActionSeeConfiguration &&
				installation.DefaultPolicy(a, do, inst)
		}
	})
	w.Install(t, "i")
	o := mustOpen(t, w.Host)
	defer o.Close()
	fixture.WantErr(t, "Decode", o.Decode(new(openedConfig)), installation.ErrForbidden)
	fixture.WantErr(t, "DecodePlain", o.DecodePlain(new(any)), installation.ErrForbidden)
	if o.Configuration != nil {
		t.Errorf("the configuration is %v", o.Configuration)
	}
	if _, err := o.Credentials(); err != nil {
		t.Error(err)
	}
}

func TestOpenedWithoutParts(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	parts.Configuration = installation.Optional[installation.Configuration]{}
	parts.Connection = installation.Optional[installation.Connection]{}
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	o := mustOpen(t, w.Host)
	defer o.Close()
	fixture.WantErr(t, "Decode", o.Decode(new(openedConfig)), installation.ErrNotFound)
	_, err = o.Credentials()
	fixture.WantErr(t, "Credentials", err, installation.ErrNotFound)
}

// When the grace period ends, nothing can be opened, even before a sweep purges it.
func TestOpenFailsAfterGrace(t *testing.T) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, installation.StatusUninstalled)
	if err := mustOpen(t, w.Host).Close(); err != nil {
		t.Fatal(err)
	}
	w.Advance(24 * time.Hour)
	_, err := w.Host.Open(t.Context(), openRequest())
	fixture.WantErr(t, "open after the grace", err, installation.ErrShredded)
}

// No printer, encoder or logger shows a secret of what Open returns. The sinks of the leak test
// include a dump of unexported fields.
func TestOpenedPrintsNoSecret(t *testing.T) {
	h := fixture.NewAttack(t)
	_, err := h.Host().Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: leakParts("ACC-1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var f leakFinder
	for name, secret := range leakCanaries {
		f.add(name, secret)
	}
	o := mustOpen(t, h.Host())
	cfg := make(map[string]crypto.Secret)
	var all map[string]any
	if err := o.DecodePlain(&all); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprint(all); len(f.find([]byte(shown))) == 0 {
		t.Fatal("the configuration has no canary")
	}
	var document struct {
		AdobeSecret crypto.Secret `json:"adobe_secret"`
	}
	if err := o.Decode(&document); err != nil || document.AdobeSecret.IsZero() {
		t.Fatalf("decode: %v", err)
	}
	cfg["adobe_secret"] = document.AdobeSecret
	connection, err := o.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{
		"Opened": o, "Opened by value": *o, "decoded": document, "pointer to decoded": &document,
		"map": cfg, "credentials": connection, "secret": document.AdobeSecret,
	} {
		for name, sink := range leakSinks {
			if found := f.find([]byte(leakCatch(sink, v))); len(found) != 0 {
				t.Errorf("%s shows %v of %s", name, found, what)
			}
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

// A secret that does not open is named, and nothing is opened.
func TestOpenNamesDamagedSecret(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	r := w.Store.Last(fixture.KeyAt("i"))
	body := fixture.DecodeBody(t, r.Body)
	sealed := body.ValueAt(t, "config/nested/token").Sealed
	sealed[len(sealed)/2] ^= 1
	r.Body = fixture.EncodeBody(body)
	w.Store.Forge(r.Key, r)
	o, err := w.Host.Open(t.Context(), openRequest())
	fixture.WantErr(t, "open", err, installation.ErrSealed)
	if o != nil || !strings.Contains(fmt.Sprint(err), "config/nested/token") {
		t.Errorf("opened %v, %v", o, err)
	}
}
