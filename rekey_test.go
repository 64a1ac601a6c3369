package installation_test

import (
	"slices"
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
