package rotation

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Rekeying changes no claim, though the program that does it has other rules by now, or none, as one for maintenance may.
func TestRekeyKeepsClaims(t *testing.T) {
	r := fixture.NewWorld(t)
	service := func(claims func(*installation.Installation) []string) *installation.Service {
		t.Helper()
		svc, err := installation.New(r.Store, fixture.RingOf(t, r.K1), &installation.Options{Now: r.Now, Claims: claims})
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
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	r.Add(t, r.With(t, r.K2, r.K1), "x")
	commits := len(r.Store.Changes())
	_, err := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1).Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"})
	if fixture.WantErr(t, "rekey", err, installation.ErrSealed); len(r.Store.Changes()) != commits || err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("%d commits, %v", len(r.Store.Changes())-commits, err)
	}
	fixture.WantReadable(t, r.With(t, r.K1), "i-0")

	keys := &fixture.KeyRecorder{KeyWrapper: fixture.RingOf(t, r.K2, r.K1)}
	for range 2 {
		keys.Forget()
		if _, err := r.On(t, r.Store, keys).Rekey(t.Context(), installation.RekeyRequest{ID: "i-0"}); err != nil {
			t.Fatal(err)
		}
		fixture.WantReadable(t, r.With(t, r.K2), "i-0")
	}
	if len(keys.Seen()) != 2 { // that of the record, and its new one
		t.Errorf("%d data keys passed for a record under the primary key, want 2: it has shown that the key is the right one", len(keys.Seen()))
	}
}

// An invitation that is sent again after a rekey has no code in its answer; the one that was given out works.
func TestRekeyKeepsCode(t *testing.T) {
	r := fixture.NewWorld(t)
	req := installation.InviteRequest{Guard: installation.Guard{IdempotencyKey: "x"}, ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension}}
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
	if _, err := r.Customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}}); err != nil {
		t.Error(err)
	}
}
