// Package lifecycle checks how an installation moves between statuses, and that each write
// is one commit under retries, late requests and races.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

const (
	none        = installation.Status("")
	invited     = installation.StatusInvited
	installed   = installation.StatusInstalled
	expired     = installation.StatusExpired
	uninstalled = installation.StatusUninstalled
)

// moves says for each status and call which status and generation follow, or which error.
var moves = []struct {
	call       string
	from, to   installation.Status
	generation int64
	err        error
}{
	{"upsert", none, installed, 1, nil},
	{"upsert", invited, invited, 1, nil},
	{"upsert", installed, installed, 1, nil},
	{"upsert", expired, installed, 2, nil},
	{"upsert", uninstalled, installed, 2, nil},
	{"patch", none, "", 0, installation.ErrNotFound},
	{"patch", invited, invited, 1, nil},
	{"patch", installed, installed, 1, nil},
	{"patch", expired, "", 0, installation.ErrConflict},
	{"patch", uninstalled, "", 0, installation.ErrConflict},
	{"invite", none, invited, 1, nil},
	{"invite", invited, "", 0, installation.ErrConflict},
	{"invite", installed, "", 0, installation.ErrConflict},
	{"invite", expired, invited, 2, nil},
	{"invite", uninstalled, invited, 2, nil},
	{"resend", none, "", 0, installation.ErrNotFound},
	{"resend", invited, invited, 1, nil},
	{"resend", installed, "", 0, installation.ErrConflict},
	{"resend", expired, "", 0, installation.ErrConflict},
	{"resend", uninstalled, "", 0, installation.ErrConflict},
	{"expire", none, "", 0, installation.ErrNotFound},
	{"expire", invited, expired, 1, nil},
	{"expire", installed, "", 0, installation.ErrConflict},
	{"expire", expired, expired, 1, nil},
	{"expire", uninstalled, "", 0, installation.ErrConflict},
	{"uninstall", none, "", 0, installation.ErrNotFound},
	{"uninstall", invited, uninstalled, 1, nil},
	{"uninstall", installed, uninstalled, 1, nil},
	{"uninstall", expired, "", 0, installation.ErrConflict},
	{"uninstall", uninstalled, uninstalled, 1, nil},
	{"delete", none, "", 0, installation.ErrNotFound},
	{"delete", invited, "", 1, nil},
	{"delete", installed, "", 1, nil},
	{"delete", expired, "", 1, nil},
	{"delete", uninstalled, "", 1, nil},
}

// moveCalls has the calls that [moves] names.
var moveCalls = map[string]func(
	ctx context.Context, host *installation.Service,
) (*installation.Result, error){
	"upsert": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Upsert(ctx,
			installation.UpsertRequest{ID: "i", Parts: fixture.Parts()})
	},
	"patch": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Patch(ctx, installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
		})
	},
	"invite": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Invite(ctx, installation.InviteRequest{
			ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension},
		})
	},
	"resend": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Resend(ctx, installation.ResendRequest{ID: "i"})
	},
	"expire": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Expire(ctx, installation.ExpireRequest{ID: "i"})
	},
	"uninstall": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Uninstall(ctx, installation.UninstallRequest{ID: "i"})
	},
	"delete": func(ctx context.Context, s *installation.Service) (*installation.Result, error) {
		return s.Delete(ctx, installation.DeleteRequest{ID: "i"})
	},
}

// Each call moves an installation from its status as [moves] says.
func TestMovesBetweenStatuses(t *testing.T) {
	for _, move := range moves {
		t.Run(fmt.Sprintf("%s of %q", move.call, move.from), func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.MakeInStatus(t, move.from)
			res, err := moveCalls[move.call](t.Context(), w.Host)
			if move.err != nil {
				fixture.WantErr(t, move.call, err, move.err)
				conflict, ok := errors.AsType[*installation.ConflictError](err)
				if move.err == installation.ErrConflict &&
					(!ok || conflict.From != move.from || conflict.To == "") {
					t.Errorf("the conflict does not name both states: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != move.to || res.Generation != move.generation {
				t.Errorf("now %s in generation %d, want %s in %d",
					res.Status, res.Generation, move.to, move.generation)
			}
			if move.call == "delete" {
				_, err := w.Host.Get(t.Context(), "i")
				fixture.WantErr(t, "get", err, installation.ErrNotFound)
				return
			}
			if diff := cmp.Diff(res.Installation, w.Get(t, "i")); diff != "" {
				t.Errorf("the answer and the stored installation differ:\n%s", diff)
			}
		})
	}
}

// A new generation keeps only the id, the name, the extension and its creation. Another account
// learns only the time of that.
func TestReinstallStartsEmpty(t *testing.T) {
	for _, id := range []string{"ACC-1", "ACC-2"} {
		t.Run(id, func(t *testing.T) { reinstall(t, installation.Account{ID: id}) })
	}
}

func reinstall(t *testing.T, account installation.Account) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, installation.StatusUninstalled)
	created := w.Get(t, "i").Audit.Created
	if account.ID != "ACC-1" {
		created = &installation.AuditEntry{At: created.At}
	}
	w.Advance(time.Hour)
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Account: installation.Value(account)},
	})
	if err != nil {
		t.Fatal(err)
	}
	extension, _ := fixture.Parts().Extension.Get()
	want := &installation.Installation{
		ID: "i", Tenant: "tenant-1", Name: "Stock Sync", Extension: extension,
		Account: account,
		Status:  installation.StatusInstalled, Generation: 2, Revision: 3,
		Audit: installation.Audit{
			Created: created, Updated: res.Audit.Updated, Installed: res.Audit.Installed,
		},
	}
	if diff := cmp.Diff(want, res.Installation); diff != "" {
		t.Errorf("re-installed (-want +got):\n%s", diff)
	}
	if at := res.Audit.Installed.At; !at.Equal(w.Now()) {
		t.Errorf("installed at %v, want %v", at, w.Now())
	}
}

// An uninstall keeps the secrets until the grace is over. With Final it purges them at
// once. The row stays.
func TestUninstallPurges(t *testing.T) {
	ref := installation.Ref("config/api_secret")
	gone := func(t *testing.T, w *fixture.World) {
		t.Helper()
		i := w.Get(t, "i")
		if !i.Purged || i.Configuration != nil || i.Connection != nil ||
			i.Invitation != nil || len(i.Sealed) != 0 {
			t.Errorf("secrets are left: %+v", i)
		}
		if i.Name == "" || i.Extension.ID == "" ||
			i.Account.ID == "" || i.Audit.Uninstalled == nil {
			t.Errorf("the purge removed more than the secrets: %+v", i)
		}
	}
	t.Run("after the grace", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.MakeInStatus(t, installation.StatusUninstalled)
		if got := w.Reveal(t, "i", ref); got != "s3cr3t-config" {
			t.Errorf("within the grace the secret is %q", got)
		}
		w.Advance(24*time.Hour - time.Microsecond)
		report, err := w.Host.Sweep(t.Context(), installation.SweepRequest{})
		if err != nil || report != (installation.SweepReport{}) {
			t.Errorf("swept too early: %+v, %v", report, err)
		}
		w.Advance(time.Microsecond)
		report, err = w.Host.Sweep(t.Context(), installation.SweepRequest{})
		if err != nil || report.Purged != 1 {
			t.Errorf("sweep: %+v, %v", report, err)
		}
		gone(t, w)
	})
	t.Run("final", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.MakeInStatus(t, installation.StatusInstalled)
		if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{
			ID: "i", Final: true,
		}); err != nil {
			t.Fatal(err)
		}
		gone(t, w)
	})
	t.Run("final after uninstalled", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.MakeInStatus(t, installation.StatusUninstalled)
		for range 2 {
			if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{
				ID: "i", Final: true,
			}); err != nil {
				t.Fatal(err)
			}
		}
		gone(t, w)
		if n := w.Get(t, "i").Revision; n != 3 {
			t.Errorf("revision %d, want 3: the second Final changes nothing", n)
		}
	})
}

// Sweeps of several nodes at once expire each overdue invitation exactly once. A sweep with
// a limit stops there.
func TestConcurrentSweepsExpireOnce(t *testing.T) {
	w := fixture.NewWorld(t)
	const each = 150 // more than a page
	for n := range each {
		w.Invite(t, fmt.Sprintf("invited-%d", n))
	}
	w.Install(t, "live")
	w.Advance(8 * 24 * time.Hour)
	limited, err := w.Host.Sweep(t.Context(), installation.SweepRequest{Limit: 20})
	if err != nil || limited.Expired != 20 {
		t.Fatalf("limited sweep: %+v, %v", limited, err)
	}
	reports := make([]installation.SweepReport, 4)
	fixture.Parallel(len(reports), func(n int) {
		var err error
		if reports[n], err = w.Host.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
			t.Error(err)
		}
	})
	sum := limited.Expired
	for _, r := range reports {
		sum += r.Expired
	}
	if sum != each {
		t.Errorf("%d expired in all, want %d", sum, each)
	}
	expired := 0
	for _, e := range w.Events(t) {
		if e.Type == event.Expired {
			expired++
		}
	}
	if expired != each {
		t.Errorf("%d events of expiry, want %d", expired, each)
	}
	again, err := w.Host.Sweep(t.Context(), installation.SweepRequest{})
	if err != nil || again != (installation.SweepReport{}) {
		t.Errorf("a sweep with nothing due: %+v, %v", again, err)
	}
	if i := w.Get(t, "invited-0"); i.Audit.Expired == nil ||
		i.Status != installation.StatusExpired {
		t.Errorf("not stored as expired: %+v", i)
	}
	_, err = w.Vendor.Sweep(t.Context(), installation.SweepRequest{})
	fixture.WantErr(t, "sweep by a vendor", err, installation.ErrForbidden)
}

// The audit has the last time of each move, its actor and the account. Moves that never
// happened are absent.
func TestAuditOfAcceptedInvitation(t *testing.T) {
	w := fixture.NewWorld(t)
	code := w.Invite(t, "i").Code
	start := w.Now()
	w.Advance(time.Hour)
	res, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: code, Account: installation.Account{ID: "ACC-1", Name: "Harbor Foods"},
	})
	if err != nil {
		t.Fatal(err)
	}
	host := &installation.AuditEntry{At: start, Kind: installation.Host}
	customer := &installation.AuditEntry{
		At: start.Add(time.Hour), Kind: installation.Customer,
		By: installation.Reference{ID: "USR-ACC-1"},
		Of: installation.Reference{ID: "ACC-1", Name: "Harbor Foods"},
	}
	want := installation.Audit{
		Created: host, Invited: host, Installed: customer, Updated: customer,
	}
	if diff := cmp.Diff(want, res.Audit); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// Removing the connection removes its credentials too. Removing it again changes nothing.
func TestRemovedConnectionTakesCredentials(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if w.Get(t, "i").Connection == nil {
		t.Fatal("the sample has no connection")
	}
	for i, changes := range []bool{true, false} {
		res, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID: "i",
			Parts: installation.Parts{
				Connection: installation.Remove[installation.Connection](),
			},
		})
		if err != nil || res.Changed != changes || res.Connection != nil {
			t.Errorf("%d: %+v, %v", i, res, err)
		}
	}
	i := w.Get(t, "i")
	sealed := slices.ContainsFunc(i.Sealed, func(r installation.Ref) bool {
		return r.Kind() == "credential" || r.Kind() == "connection"
	})
	if i.Connection != nil || sealed {
		t.Errorf("left: %+v, %v", i.Connection, i.Sealed)
	}
}
