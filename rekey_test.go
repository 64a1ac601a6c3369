package installation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// Rekeying changes no claim, though the program that does it has other rules by now, or none, as one for maintenance may.
func TestRekeyKeepsClaims(t *testing.T) {
	r := newRotation(t)
	service := func(claims func(*installation.Installation) []string) *installation.Service {
		t.Helper()
		svc, err := installation.New(r.store, testRingOf(t, r.k1), &installation.Options{Now: r.Now, Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		return svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	}
	before := service(func(*installation.Installation) []string { return []string{"one", "two"} })
	r.add(t, before, "a")
	for name, host := range map[string]*installation.Service{
		"none":   service(func(*installation.Installation) []string { return nil }),
		"others": service(func(*installation.Installation) []string { return []string{"three"} }),
		"same":   before,
	} {
		if _, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		record, err := r.store.Get(t.Context(), installation.Key{Tenant: "tenant-1", ID: "a"})
		if err != nil || !slices.Equal(record.Claims, []string{"one", "two"}) {
			t.Errorf("%s: claims %q, %v", name, record.Claims, err)
		}
		opens(t, before, "a")
	}
	// One that ended has given them up.
	if _, err := before.Uninstall(t.Context(), installation.UninstallRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := before.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}); err != nil {
		t.Error(err)
	}
}

// Nothing is brought under a primary key that has the id of another by rekeying either.
func TestRekeyTriesPrimary(t *testing.T) {
	r := newRotation(t)
	r.fill(t, r.with(t, r.k1), 1)
	r.add(t, r.with(t, r.k2, r.k1), "x")
	commits := len(r.store.commits)
	_, err := r.with(t, rotationKey(t, "k2", otherSecret), r.k1).Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"})
	if wantErr(t, "rekey", err, installation.ErrSealed); len(r.store.commits) != commits || err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("%d commits, %v", len(r.store.commits)-commits, err)
	}
	opens(t, r.with(t, r.k1), "i-0")

	keys := &recording{KeyWrapper: testRingOf(t, r.k2, r.k1)}
	for range 2 {
		keys.seen = nil
		if _, err := r.on(t, r.store, keys).Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"}); err != nil {
			t.Fatal(err)
		}
		opens(t, r.with(t, r.k2), "i-0")
	}
	if len(keys.seen) != 2 { // that of the record, and its new one
		t.Errorf("%d data keys passed for a record under the primary key, want 2: it has shown that the key is the right one", len(keys.seen))
	}
}

// An invitation that is sent again after a rekey has no code in its answer; the one that was given out works.
func TestRekeyKeepsCode(t *testing.T) {
	r := newRotation(t)
	req := installation.InviteRequest{Guard: installation.Guard{IdempotencyKey: "x"}, ID: "i", Parts: installation.Parts{Extension: sample().Extension}}
	first, err := r.host.Invite(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	again, err := r.host.Invite(t.Context(), req)
	if err != nil || !again.Replayed || !again.Code.IsZero() {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if _, err := r.customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}}); err != nil {
		t.Error(err)
	}
}
