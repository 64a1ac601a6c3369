package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// txService is a service on a store of a host.
type txService struct {
	txHost
	service *installation.Service
	host    *installation.Service // the actor host
}

func newTxService(t *testing.T, h txHost, keys crypto.KeyWrapper) txService {
	t.Helper()
	service, err := installation.New(h, keys, &installation.Options{Now: fixture.NewClock().Now})
	must(t, err)
	service = service.In(fixture.Tenant)
	return txService{h, service, service.As(installation.Actor{Kind: installation.Host})}
}

// mixed calls f, for even i in a transaction of the host, and commits it unless f failed.
func (s txService) mixed(
	t *testing.T, i int, svc *installation.Service, f func(svc *installation.Service) error,
) error {
	t.Helper()
	if i%2 == 1 {
		return f(svc)
	}
	ctx := context.Background()
	tx := s.begin(t, pgx.TxOptions{})
	if err := f(svc.On(tx.Tx)); err != nil {
		return errors.Join(err, tx.rollback(ctx))
	}
	return tx.commit(ctx)
}

// forRaces runs a test for each kind of host, with pools of fewer connections than racers.
func forRaces(t *testing.T, test func(t *testing.T, s txService)) {
	t.Helper()
	for name, make := range hosts {
		t.Run(name, func(t *testing.T) {
			h := make(t, setUp(t, newOptions()), newPool(t, pgtest.Shared(t).URL("postgres"), 8))
			test(t, newTxService(t, h, fixture.Ring(t)))
		})
	}
}

// TestOneOfManyInstallsWins installs one extension in one account 64 times at once, each time with
// another ID, and half of them in transactions of the host.
func TestOneOfManyInstallsWins(t *testing.T) {
	forRaces(t, func(t *testing.T, s txService) {
		errs := make([]error, many)
		fixture.Parallel(many, func(i int) {
			errs[i] = s.mixed(t, i, s.host, func(svc *installation.Service) error {
				_, err := svc.Upsert(context.Background(), installation.UpsertRequest{
					ID: fmt.Sprint("i-", i), Parts: fixture.Parts(),
				})
				return err
			})
		})
		winner := ""
		for i, err := range errs {
			if err == nil {
				if winner != "" {
					t.Fatalf("both %s and i-%d are installed", winner, i)
				}
				winner = fmt.Sprint("i-", i)
			}
		}
		for i, err := range errs {
			exists, ok := errors.AsType[*installation.ExistsError](err)
			if err != nil && (!ok || exists.Holder != winner) {
				t.Errorf("racer %d: got error %v, want that %s exists", i, err, winner)
			}
		}
		n, err := s.host.Count(t.Context(), installation.ListRequest{})
		if n != 1 || err != nil {
			t.Errorf("got %d installations, error %v, want 1", n, err)
		}
		wantEvents(t, s, 1)
	})
}

// TestOneOfManyAcceptsWins accepts one invitation for 64 accounts at once, half of them in
// transactions of the host.
func TestOneOfManyAcceptsWins(t *testing.T) {
	forRaces(t, func(t *testing.T, s txService) {
		invited, err := s.host.Invite(t.Context(), installation.InviteRequest{
			ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension},
		})
		must(t, err)
		won := make([]bool, many)
		fixture.Parallel(many, func(i int) {
			account := fmt.Sprint("ACC-", i)
			customer := s.service.As(installation.Actor{
				Kind: installation.Customer, ID: account,
				User: installation.Reference{ID: "USR-" + account},
			})
			err := s.mixed(t, i, customer, func(svc *installation.Service) error {
				_, err := svc.Accept(context.Background(), installation.AcceptRequest{
					ID: "i", Code: invited.Code, Account: installation.Account{ID: account},
				})
				return err
			})
			if won[i] = err == nil; !won[i] && !errors.Is(err, installation.ErrInvitation) {
				t.Errorf("racer %d: got error %v, want %v", i, err, installation.ErrInvitation)
			}
		})
		stored, err := s.host.Get(t.Context(), "i")
		must(t, err)
		for i, w := range won {
			if w != (stored.Account.ID == fmt.Sprint("ACC-", i)) {
				t.Errorf("racer %d: won %t, and the account is %s", i, w, stored.Account.ID)
			}
		}
		wantEvents(t, s, 2)
	})
}

// TestManyUnguardedUpdates updates one installation 64 times at once, half of them in transactions
// of the host. None is lost.
func TestManyUnguardedUpdates(t *testing.T) {
	forRaces(t, func(t *testing.T, s txService) {
		_, err := s.host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: fixture.Parts(),
		})
		must(t, err)
		fixture.Parallel(many, func(i int) {
			err := s.mixed(t, i, s.host, func(svc *installation.Service) error {
				_, err := svc.Patch(context.Background(), installation.PatchRequest{
					ID: "i", Operations: []installation.Operation{
						patch.Set(fmt.Sprint("/writer-", i), installation.JSON(`true`)),
					},
				})
				return err
			})
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
		stored, err := s.host.Get(t.Context(), "i")
		must(t, err)
		var document map[string]any
		must(t, stored.Configuration.Document.Decode(&document))
		if stored.Revision != 1+many || len(document) != 3+many {
			t.Errorf("got revision %d and %d members, want %d and %d", stored.Revision,
				len(document), 1+many, 3+many)
		}
		wantEvents(t, s, 1+many)
	})
}

func wantEvents(t *testing.T, s txService, want int) {
	t.Helper()
	page, err := s.host.Events(t.Context(), "", installation.MaxPage)
	if err != nil || len(page.Events) != want {
		t.Errorf("got %d events, error %v, want %d", len(page.Events), err, want)
	}
}

// TestHostEndsTransaction installs beside a row of the host. If the host rolls back, nothing is
// left: no installation, event, outcome or claim. If it commits, all of it is there.
func TestHostEndsTransaction(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		calls := fixture.NewKeyService(t, fixture.ServiceSecret)
		cache := fixture.NewCache(t, calls.Key(t, "kms", crypto.KMSOptions{}), nil)
		s := newTxService(t, h, cache)
		request := installation.UpsertRequest{
			ID: "i", Parts: fixture.Parts(), Guard: installation.Guard{IdempotencyKey: "key"},
		}
		install := func() hostTx {
			tx := s.begin(t, pgx.TxOptions{})
			on := s.host.On(tx.Tx)
			res, err := on.Upsert(t.Context(), request)
			if err != nil || !res.Created || res.Replayed {
				t.Fatalf("upsert: got result %+v, error %v, want a new installation", res, err)
			}
			_, err = on.Get(t.Context(), "i")
			must(t, err)
			_, err = s.host.Get(t.Context(), "i")
			fixture.WantErr(t, "get before the end", err, installation.ErrNotFound)
			return tx
		}
		must(t, install().rollback(t.Context()))
		_, err := s.host.Get(t.Context(), "i")
		fixture.WantErr(t, "get after rollback", err, installation.ErrNotFound)
		wantEvents(t, s, 0)
		wantRows(t, s, 0)

		must(t, install().commit(t.Context())) // the key is unused, and so is the claim
		wantEvents(t, s, 1)
		wantRows(t, s, 1)
		for _, want := range []int64{1, 0} { // the first get fills the cache, not the transaction
			before := calls.Calls.Load()
			_, err := s.host.Get(t.Context(), "i")
			must(t, err)
			if n := calls.Calls.Load() - before; n != want {
				t.Errorf("get after commit: %d calls of the key service, want %d", n, want)
			}
		}
		res, err := s.host.Upsert(t.Context(), request)
		if err != nil || !res.Replayed {
			t.Errorf("used key: got result %+v, error %v, want the first result", res, err)
		}
		request.ID, request.Guard.IdempotencyKey = "other", ""
		_, err = s.host.Upsert(t.Context(), request)
		fixture.WantErr(t, "taken claim", err, installation.ErrExists)
	})
}

// wantRows counts the rows of each table that a commit writes.
func wantRows(t *testing.T, s txService, want int) {
	t.Helper()
	for _, table := range []string{"records", "claims", "outcomes", "events"} {
		if got := pgtest.Shared(t).SQL(t, "postgres", fmt.Sprintf("SELECT count(*) FROM %q.%s",
			s.options.Schema, table)); got != fmt.Sprint(want) {
			t.Errorf("%s: got %s rows, want %d", table, got, want)
		}
	}
}

// TestTakenClaimLeavesTransaction installs what is installed already, beside a row of the host. The
// host commits its row all the same.
func TestTakenClaimLeavesTransaction(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		s := newTxService(t, h, fixture.Ring(t))
		_, err := s.host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: fixture.Parts(),
		})
		must(t, err)
		tx := s.begin(t, pgx.TxOptions{})
		table := fmt.Sprintf("%q.orders", s.options.Schema)
		must(t, tx.exec(t.Context(), "CREATE TABLE "+table+" (n int)"))
		must(t, tx.exec(t.Context(), "INSERT INTO "+table+" VALUES (1)"))
		_, err = s.host.On(tx.Tx).Upsert(t.Context(), installation.UpsertRequest{
			ID: "other", Parts: fixture.Parts(),
		})
		exists, ok := errors.AsType[*installation.ExistsError](err)
		if !ok || exists.Holder != "i" {
			t.Errorf("got error %v, want that i exists", err)
		}
		must(t, tx.exec(t.Context(), "INSERT INTO "+table+" VALUES (2)"))
		must(t, tx.commit(t.Context()))
		got := pgtest.Shared(t).SQL(t, "postgres", "SELECT count(*) FROM "+table)
		if got != "2" {
			t.Errorf("got %s rows of the host, want 2", got)
		}
	})
}

// TestCodeIsVoidUntilCommit invites in a transaction. Nobody can accept the invitation before the
// host commits, except in the transaction.
func TestCodeIsVoidUntilCommit(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		s := newTxService(t, h, fixture.Ring(t))
		customer := s.service.As(installation.Actor{
			Kind: installation.Customer, ID: "ACC-1", User: installation.Reference{ID: "USR-1"},
		})
		for _, commits := range []bool{false, true} {
			tx := s.begin(t, pgx.TxOptions{})
			invited, err := s.host.On(tx.Tx).Invite(t.Context(), installation.InviteRequest{
				ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension},
			})
			must(t, err)
			accept := func(svc *installation.Service) error {
				_, err := svc.Accept(t.Context(), installation.AcceptRequest{
					ID: "i", Code: invited.Code, Account: installation.Account{ID: "ACC-1"},
				})
				return err
			}
			fixture.WantErr(t, "before the end", accept(customer), installation.ErrInvitation)
			if commits {
				must(t, tx.commit(t.Context()))
				must(t, accept(customer))
			} else {
				must(t, accept(customer.On(tx.Tx)))
				must(t, tx.rollback(t.Context()))
				fixture.WantErr(t, "after rollback", accept(customer), installation.ErrInvitation)
			}
		}
	})
}

// TestServiceOnTxRefuses calls the methods that a service refuses in a transaction.
func TestServiceOnTxRefuses(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		s := newTxService(t, h, fixture.Ring(t))
		tx := s.begin(t, pgx.TxOptions{})
		on, ctx := s.host.On(tx.Tx), t.Context()
		_, err := on.Upsert(ctx, installation.UpsertRequest{ID: "i", Parts: fixture.Parts()})
		must(t, err)
		for name, call := range map[string]func() error{
			"Open": func() error {
				_, err := on.Open(ctx, installation.OpenRequest{ID: "i", Reason: "test"})
				return err
			},
			"Reveal": func() error {
				_, err := on.Reveal(ctx, installation.RevealRequest{
					ID: "i", Reason: "test", Refs: []installation.Ref{"config/api_secret"},
				})
				return err
			},
			"Sweep": func() error {
				_, err := on.Sweep(ctx, installation.SweepRequest{})
				return err
			},
			"Rewrap": func() error {
				_, err := on.Rewrap(ctx, installation.RewrapRequest{})
				return err
			},
			"Events":          func() error { _, err := on.Events(ctx, "", 0); return err },
			"AcceptRestore":   func() error { _, err := on.AcceptRestore(ctx); return err },
			"Check":           func() error { _, err := on.Check(ctx); return err },
			"CanRetire":       func() error { return on.CanRetire(ctx, "k1") },
			"VoidInvitations": func() error { _, err := on.VoidInvitations(ctx, ""); return err },
			"a list of all tenants": func() error {
				_, err := on.List(ctx, installation.ListRequest{AllTenants: true})
				return err
			},
		} {
			fixture.WantErr(t, name, call(), installation.ErrUnsupported)
		}
		must(t, tx.commit(ctx))
		_, err = s.host.Get(ctx, "i")
		must(t, err)
	})
}

// TestTxLacksAbilities asks a Tx for each ability that it does not have.
func TestTxLacksAbilities(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		tx, ctx := h.begin(t, pgx.TxOptions{}), t.Context()
		d := installation.Decorator{Store: tx.Tx}
		for name, call := range map[string]func() error{
			"Events": func() error {
				_, err := d.Events(ctx, installation.EventQuery{Limit: 1})
				return err
			},
			"Health":        func() error { _, err := d.Health(ctx); return err },
			"AcceptRestore": func() error { _, err := d.AcceptRestore(ctx, now); return err },
			"Scan": func() error {
				for _, err := range d.Scan(ctx) {
					return err
				}
				return nil
			},
			"Trim": func() error { return d.Trim(ctx, now) },
			"Put": func() error {
				_, err := d.Put(ctx, now, installation.Row{Record: create(at("a")).Record})
				return err
			},
		} {
			fixture.WantErr(t, name, call(), installation.ErrUnsupported)
		}
		if n, err := d.Count(ctx, installation.Query{Tenant: "tenant", Term: "all"}); err != nil {
			t.Errorf("count: got %d, error %v, want 0", n, err)
		}
	})
}
