package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// growthRows compare a large store with a small one, each on a server of its own: all records are of one tenant, which is the
// worst case for its lists, and have a deadline. A service works beside them, in another tenant of the same bucket. In the largest, those that
// are due are looked for. Several callers keep the cores awake: one alone would measure how the machine falls asleep between two calls.
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
		row := func(name string, ours, base Work) {
			rows = append(rows, Row{Name: name + at, Against: against, Reach: 1.3, Goroutines: growthCallers, Ours: ours, Base: base})
		}
		row("Get, masked", many.world.get, few.world.get)
		row("create", many.world.create, few.world.create)
		row("update, masks sent back", many.world.update, few.world.update)
		row("Store.Get", many.get, few.get)
		row("Store.Commit create", many.create, few.create)
		row("Store.Get, Commit update", many.update, few.update)
		row("Store.List page of 100", many.page, few.page)
	}
	return append(rows, dueRows(tb, stores[len(stores)-1])...)
}

// growthCallers is how many callers there are at once.
const growthCallers = 8

// grown is a store of n records.
type grown struct {
	tb     testing.TB
	n      int
	server *redistest.Server
	store  installation.Store
	world  *world // of its own tenant
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
	g.world = newWorld(tb, g.store, newRing(tb, "bench"), 2*pageSize)
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
