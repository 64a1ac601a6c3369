package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/patch"
)

// world is a service on a store that has installations of one tenant.
type world struct {
	ctx   context.Context
	store installation.Store
	svc   *installation.Service // in the tenant, as the host
	ids   []string
	next  atomic.Int64
}

// newWorld returns a world in which a service has created n installations.
func newWorld(tb testing.TB, store installation.Store, keys crypto.KeyWrapper, n int) *world {
	tb.Helper()
	w := &world{ctx: tb.Context(), store: store, ids: make([]string, n)}
	w.svc = w.service(tb, keys, nil)
	_, err := concurrently(16, n, func(i int) error {
		res, err := w.svc.Upsert(w.ctx, installation.UpsertRequest{Parts: parts(numbers.Add(1))})
		if err == nil {
			w.ids[i] = res.ID
		}
		return err
	})
	check(tb, err)
	return w
}

// service returns another service on the same store.
func (w *world) service(
	tb testing.TB, keys crypto.KeyWrapper, o *installation.Options,
) *installation.Service {
	tb.Helper()
	svc := must(installation.New(w.store, keys, o))(tb)
	return svc.In(tenant).As(installation.Actor{Kind: installation.Host})
}

// on returns a world with the same installations, but with other keys or with a store that wraps
// the store of w.
func (w *world) on(tb testing.TB, store installation.Store, keys crypto.KeyWrapper) *world {
	tb.Helper()
	other := &world{ctx: w.ctx, store: store, ids: w.ids}
	other.svc = other.service(tb, keys, nil)
	return other
}

// id returns the IDs of the installations in turn. It steps by a prime number, so that neighbours
// in the store are not used one after the other.
func (w *world) id() string { return w.ids[int(w.next.Add(1)*7919)%len(w.ids)] }

// Calls on any store.

func (w *world) get() error { return failure(w.svc.Get(w.ctx, w.id())) }

func (w *world) storeGet() error {
	return failure(w.store.Get(w.ctx, installation.Key{Tenant: tenant, ID: w.id()}))
}

func (w *world) getNothing() error {
	_, err := w.store.Get(w.ctx, installation.Key{Tenant: tenant, ID: "x" + w.id()})
	if !errors.Is(err, installation.ErrNotFound) {
		return fmt.Errorf("a record that is not there: %w", err)
	}
	return nil
}

func (w *world) create() error {
	parts := parts(numbers.Add(1))
	return failure(w.svc.Upsert(w.ctx, installation.UpsertRequest{Parts: parts}))
}

func (w *world) update() error {
	c := installation.Configuration{Document: masked(numbers.Add(1))}
	p := installation.Parts{Configuration: installation.Value(c)}
	return changed(w.svc.Upsert(w.ctx, installation.UpsertRequest{ID: w.id(), Parts: p}))
}

func (w *world) patch() error {
	branch := installation.JSON(fmt.Sprintf(`"eu-%d"`, numbers.Add(1)))
	return changed(w.svc.Patch(w.ctx, installation.PatchRequest{
		ID: w.id(), Operations: []installation.Operation{patch.Set("/branch", branch)},
	}))
}

func (w *world) reveal() error {
	answers, err := w.svc.Reveal(w.ctx, installation.RevealRequest{
		ID: w.id(), Reason: "call the customer's shop",
		Refs: []installation.Ref{installation.Ref("config/client_secret")},
	})
	if err != nil {
		return err
	}
	return answers[0].Err
}

func (w *world) open() error {
	o, err := w.svc.Open(w.ctx, installation.OpenRequest{
		ID: w.id(), Reason: "call the customer's shop",
	})
	if err != nil {
		return err
	}
	return o.Close()
}

// openAll opens each installation once. Later calls of open are not recorded.
func (w *world) openAll(int) error {
	for range w.ids {
		if err := w.open(); err != nil {
			return err
		}
	}
	return nil
}

// getAndOpenValues returns a call that reads an installation, masked, and opens as many values as
// it has secrets.
func (w *world) getAndOpenValues(tb testing.TB) Work {
	tb.Helper()
	inst := must(w.svc.Get(w.ctx, w.ids[0]))(tb)
	key := must(crypto.NewDataKey(1, crypto.SuiteXChaCha20Poly1305))(tb)
	places := make([]crypto.Place, len(inst.Sealed))
	values := make([][]byte, len(inst.Sealed))
	for i, ref := range inst.Sealed {
		places[i] = crypto.Place{
			Tenant: tenant, Record: inst.ID, Kind: ref.Kind(), Pointer: ref.Pointer(),
		}
		values[i] = must(key.Seal(nil, places[i], []byte(`"a secret of the usual size"`)))(tb)
	}
	return func() error {
		if err := w.get(); err != nil {
			return err
		}
		for i, sealed := range values {
			if _, err := key.Open(nil, places[i], sealed); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *world) page() error {
	list, err := w.svc.List(w.ctx, installation.ListRequest{Limit: base.PageSize})
	if err == nil && len(list.Installations) != base.PageSize {
		err = fmt.Errorf("a page of %d", len(list.Installations))
	}
	return err
}

func (w *world) count() error {
	return failure(w.svc.Count(w.ctx, installation.ListRequest{Extension: extension}))
}

// failure returns the error of a call whose result does not matter.
func failure[T any](_ T, err error) error { return err }

func changed(res *installation.Result, err error) error {
	if err == nil && !res.Changed {
		err = errors.New("nothing was changed")
	}
	return err
}

// invitations holds invitations that are ready to be accepted.
type invitations struct {
	*world
	ready chan installation.AcceptRequest
}

func (v *invitations) prepare(n int) error {
	v.ready = make(chan installation.AcceptRequest, n)
	for range n {
		i := numbers.Add(1)
		p := parts(i)
		p.Account = installation.Optional[installation.Account]{}
		res, err := v.svc.Invite(v.ctx, installation.InviteRequest{Parts: p})
		if err != nil {
			return err
		}
		v.ready <- installation.AcceptRequest{
			ID: res.ID, Code: res.Code, Account: installation.Account{ID: accountID(i)},
		}
	}
	return nil
}

func (v *invitations) accept() error {
	req := <-v.ready
	customer := v.svc.As(installation.Actor{Kind: installation.Customer, ID: req.Account.ID})
	return changed(customer.Accept(v.ctx, req))
}

// fill stores n records of another tenant and returns a function for the key of each. Their
// deadlines begin at due and are a millisecond apart. If due is zero, the records have no deadline.
func fill(
	tb testing.TB, store installation.Store, n int, due time.Time,
) (key func(i int) installation.Key) {
	tb.Helper()
	first := numbers.Add(int64(n)) - int64(n)
	_, err := concurrently(32, n, func(i int) error {
		c := creation("other", first+int64(i))
		c.Idempotency = nil
		if !due.IsZero() {
			at := due.Add(time.Duration(i) * time.Millisecond)
			c.Record.Deadline = at.UTC().Truncate(time.Microsecond)
		}
		return failure(store.Commit(tb.Context(), c))
	})
	check(tb, err)
	return func(i int) installation.Key { return keyOf("other", first+int64(i)) }
}

// updating returns a call that commits an update of one of n records.
func updating(tb testing.TB, store installation.Store, n int) Work {
	tb.Helper()
	records := make(chan *installation.Record, n)
	for range n {
		c := creation("updated", numbers.Add(1))
		must(store.Commit(tb.Context(), c))(tb)
		records <- c.Record
	}
	return func() error {
		c := update(<-records)
		_, err := store.Commit(tb.Context(), c)
		records <- c.Record
		return err
	}
}

// creating returns a call that commits a creation.
func creating(tb testing.TB, store installation.Store) Work {
	return func() error {
		return failure(store.Commit(tb.Context(), creation("created", numbers.Add(1))))
	}
}
