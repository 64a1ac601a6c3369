package rotation

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Rekey is one commit and one event. It changes no value and loses no secret.
func TestRekeyKeepsValues(t *testing.T) {
	w := fixture.NewWorld(t)
	first := w.Install(t, "i")
	commits := len(w.Store.Changes())
	res, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{
		ID: "i", Reason: "laptop lost",
	})
	if err != nil || !res.Changed || res.Revision != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	if n := len(w.Store.Changes()) - commits; n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	want := *first.Installation
	want.Revision, want.Audit.Updated = 2, res.Audit.Updated
	if diff := cmp.Diff(&want, w.Get(t, "i")); diff != "" {
		t.Errorf("rekeying changed something (-before +after):\n%s", diff)
	}
	last := w.Events(t)[1]
	if last.Type != event.Rekeyed || last.Reason != "laptop lost" || last.Revision != 2 {
		t.Errorf("event %+v", last)
	}
	if len(first.Sealed) != 4 {
		t.Fatalf("the sample has %d secrets, want 4", len(first.Sealed))
	}
	for _, ref := range first.Sealed {
		if got := w.Reveal(t, "i", ref); got == "" {
			t.Errorf("%s is lost", ref)
		}
	}
	if got := w.Reveal(t, "i", first.Sealed[0]); got != "s3cr3t-config" {
		t.Errorf("%s is now %q", first.Sealed[0], got)
	}
}

// Rekey seals everything again: no 16 sealed bytes in a row are left of a value, the manifest
// or the wrapped key. Only the key check value stays.
func TestRekeyReplacesSealedBytes(t *testing.T) {
	w := fixture.NewWorld(t)
	guard := installation.Guard{IdempotencyKey: "before"} // the record seals its answer
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		Guard: guard, ID: "i", Parts: fixture.Parts(),
	}); err != nil {
		t.Fatal(err)
	}
	before := w.Store.Last(fixture.KeyAt("i")).Body
	if _, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	now := w.Store.Last(fixture.KeyAt("i")).Body.Bytes()
	check := fixture.DecodeBody(t, before).Key.Bytes[7:39]
	if !bytes.Contains(now, check) {
		t.Error("the check value of the same key-encryption key differs")
	}
	old := bytes.ReplaceAll(before.Bytes(), check, nil)
	shared := 0
	for i := 0; i+16 <= len(old); i++ {
		if bytes.Contains(now, old[i:i+16]) && !printable(old[i:i+16]) {
			shared++
		}
	}
	if shared > 16 { // the encoding around them may be the same
		t.Errorf("%d places of the old body are in the new one", shared)
	}
}

// printable reports whether b is plain text of a body.
func printable(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x7f })
}

// A retry of a request from before a rekey returns the present state, since its first answer
// cannot be read. Another request with the key is still rejected.
func TestRekeyAnswersRetriesWithPresentState(t *testing.T) {
	w := fixture.NewWorld(t)
	req := installation.UpsertRequest{
		Guard: installation.Guard{IdempotencyKey: "before"}, ID: "i", Parts: fixture.Parts(),
	}
	if _, err := w.Host.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	again, err := w.Host.Upsert(t.Context(), req)
	if err != nil || !again.Replayed || again.Revision != 2 || again.Name != "Stock Sync" {
		t.Errorf("retry: %+v, %v", again, err)
	}
	req.Parts.Name = installation.Value("other")
	_, err = w.Host.Upsert(t.Context(), req)
	fixture.WantErr(t, "another request with the key", err, installation.ErrIdempotencyMismatch)
}

// A rekey takes a guard and an idempotency key, and only the host may call it.
func TestRekeyIsGuarded(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	req := installation.RekeyRequest{
		Guard: installation.Guard{IdempotencyKey: "rekey", Revision: 1}, ID: "i",
	}
	for try := range 2 {
		res, err := w.Host.Rekey(t.Context(), req)
		if err != nil || res.Revision != 2 || res.Replayed != (try == 1) {
			t.Errorf("try %d: %+v, %v", try, res, err)
		}
	}
	_, err := w.Vendor.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
	fixture.WantErr(t, "by a vendor", err, installation.ErrForbidden)
	_, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "none"})
	fixture.WantErr(t, "of an absent installation", err, installation.ErrNotFound)
	_, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{
		ID: "i", Guard: installation.Guard{Revision: 1},
	})
	fixture.WantErr(t, "of an older revision", err, installation.ErrConflict)
}

// Rekey keeps the claims, even in a program with other rules for claims or none.
func TestRekeyKeepsClaims(t *testing.T) {
	r := fixture.NewWorld(t)
	service := func(claims func(*installation.Installation) []string) *installation.Service {
		t.Helper()
		svc, err := installation.New(r.Store, fixture.RingOf(t, r.K1),
			&installation.Options{Now: r.Now, Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		return svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	}
	before := service(func(*installation.Installation) []string { return []string{"one", "two"} })
	r.Add(t, before, "a")
	for name, host := range map[string]*installation.Service{
		"none":   service(func(*installation.Installation) []string { return nil }),
		"others": service(func(*installation.Installation) []string { return []string{"three"} }),
		"same":   before,
	} {
		if _, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		record, err := r.Store.Get(t.Context(), installation.Key{Tenant: "tenant-1", ID: "a"})
		if err != nil || !slices.Equal(record.Claims, []string{"one", "two"}) {
			t.Errorf("%s: claims %q, %v", name, record.Claims, err)
		}
		fixture.WantReadable(t, before, "a")
	}
	// An uninstalled one has no claims.
	_, err := before.Uninstall(t.Context(), installation.UninstallRequest{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}); err != nil {
		t.Error(err)
	}
}

// Rekey seals nothing under a primary key that has the id of another key.
func TestRekeyTriesPrimary(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	r.Add(t, r.With(t, r.K2, r.K1), "x")
	commits := len(r.Store.Changes())
	wrong := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1)
	_, err := wrong.Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"})
	fixture.WantErr(t, "rekey", err, installation.ErrSealed)
	if len(r.Store.Changes()) != commits || err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("%d commits, %v", len(r.Store.Changes())-commits, err)
	}
	fixture.WantReadable(t, r.With(t, r.K1), "i-0")

	keys := &fixture.KeyRecorder{KeyWrapper: fixture.RingOf(t, r.K2, r.K1)}
	for range 2 {
		keys.Forget()
		host := r.On(t, r.Store, keys)
		if _, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"}); err != nil {
			t.Fatal(err)
		}
		fixture.WantReadable(t, r.With(t, r.K2), "i-0")
	}
	// A record under the primary key has shown that the key is right, so only its data key and
	// the new one are used.
	if len(keys.Seen()) != 2 {
		t.Errorf("%d data keys were wrapped or unwrapped, want 2", len(keys.Seen()))
	}
}

// A retry of an invite after a rekey returns no code. The code of the first answer works.
func TestRekeyKeepsCode(t *testing.T) {
	r := fixture.NewWorld(t)
	req := installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "x"}, ID: "i",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	}
	first, err := r.Host.Invite(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	again, err := r.Host.Invite(t.Context(), req)
	if err != nil || !again.Replayed || !again.Code.IsZero() {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if _, err := r.Customer.Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"},
	}); err != nil {
		t.Error(err)
	}
}
