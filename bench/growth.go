package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// growthRows compare a large store with a small one, each on a server of its own: all records are of one tenant, which is the
// worst case for its lists, and have a deadline. In the largest, those that are due are looked for.
func growthRows(tb testing.TB, s Scale) []Row {
	stores := make([]*grown, len(s.Growth))
	for i, n := range s.Growth {
		stores[i] = newGrown(tb, n)
	}
	few := stores[0]
	against := fmt.Sprintf("the same at %d", few.n)
	var rows []Row
	for _, many := range stores[1:] {
		at := fmt.Sprintf(" at %d", many.n)
		rows = append(rows,
			Row{Name: "Store.Get" + at, Against: against, Reach: 1.3, Ours: many.get, Base: few.get},
			Row{Name: "Store.Commit create" + at, Against: against, Reach: 1.3, Ours: many.create, Base: few.create},
			Row{Name: "Store.Get, Commit update" + at, Against: against, Reach: 1.3, Ours: many.update, Base: few.update},
			Row{Name: "Store.List page of 100" + at, Against: against, Reach: 1.3, Ours: many.page, Base: few.page},
		)
	}
	return append(rows, dueRows(tb, stores[len(stores)-1])...)
}

// grown is a store of n records.
type grown struct {
	tb     testing.TB
	n      int
	server *redistest.Server
	store  installation.Store
	key    func(i int) installation.Key
	create Work
	cursor string // to the middle of the list
}

func newGrown(tb testing.TB, n int) *grown {
	tb.Helper()
	g := &grown{tb: tb, n: n, server: redistest.Start(tb)}
	g.store = openStore(tb, g.server.Client(tb))
	g.key = fill(tb, g.store, n, time.Now().AddDate(1, 0, 0))
	g.create = creating(tb, g.store)
	page, err := g.store.List(tb.Context(), installation.Query{Tenant: "other", Term: "all", Limit: 1, Skip: min(n/2, installation.MaxSkip)})
	check(tb, err)
	g.cursor = page.Next
	return g
}

func (g *grown) anyKey() installation.Key { return g.key(int(numbers.Add(1)*7919) % g.n) }

func (g *grown) get() error {
	_, err := g.store.Get(g.tb.Context(), g.anyKey())
	return err
}

func (g *grown) update() error {
	r, err := g.store.Get(g.tb.Context(), g.anyKey())
	if err != nil {
		return err
	}
	_, err = g.store.Commit(g.tb.Context(), update(r))
	return err
}

func (g *grown) page() error {
	page, err := g.store.List(g.tb.Context(), installation.Query{Tenant: "other", Term: "all", Limit: pageSize, After: g.cursor})
	if err == nil && len(page.Records) != pageSize {
		err = fmt.Errorf("a page of %d", len(page.Records))
	}
	return err
}
