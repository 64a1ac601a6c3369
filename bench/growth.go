package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/internal/redistest"
)

// growthRows returns rows that compare large stores with a small one, each on a server of its own.
// All records have a deadline and are in one tenant, which is the worst case for its lists. Several
// callers keep the cores from going to sleep.
func growthRows(tb testing.TB, s Scale) []Row {
	few := newGrown(tb, s.Growth[0])
	var rows []Row
	var many *grown
	for _, n := range s.Growth[1:] {
		many = newGrown(tb, n)
		row := func(name string, reach float64, ours, base Work) {
			rows = append(rows, Row{
				Name: fmt.Sprintf("%s at %d", name, n), Reach: reach, Goroutines: 8,
				Against: fmt.Sprintf("the same at %d", few.n), Ours: ours, Base: base,
			})
		}
		row("Get, masked", 1.1, many.world.get, few.world.get)
		row("create", 1.3, many.world.create, few.world.create)
		row("update, masks sent back", 1.3, many.world.update, few.world.update)
		row("Store.Get", 1.3, many.get, few.get)
		row("Store.Commit create", 1.3, many.create, few.create)
		row("Store.Get, Commit update", 1.3, many.update, few.update)
		row("Store.List page of 100", 1.3, many.page, few.page)
	}
	return append(rows, dueRows(tb, many)...)
}

// grown is a store of n records, with a service that works in another tenant of the same store.
type grown struct {
	tb     testing.TB
	n      int
	server *redistest.Server
	store  installation.Store
	world  *world
	key    func(i int) installation.Key
	create Work
	middle installation.Query // of a page in the middle of the list
}

func newGrown(tb testing.TB, n int) *grown {
	tb.Helper()
	g := &grown{tb: tb, n: n, server: redistest.Start(tb)}
	g.store = openStore(tb, g.server.Client(tb))
	g.key = fill(tb, g.store, n, time.Now().AddDate(1, 0, 0))
	g.create = creating(tb, g.store)
	g.world = newWorld(tb, g.store, newRing(tb, "bench"), 2*base.PageSize)
	g.middle = installation.Query{
		Tenant: "other", Term: "all", Limit: 1, Skip: min(n/2, installation.MaxSkip),
	}
	page := must(g.store.List(tb.Context(), g.middle))(tb)
	g.middle.Skip, g.middle.After, g.middle.Limit = 0, page.Next, base.PageSize
	return g
}

func (g *grown) anyKey() installation.Key { return g.key(int(numbers.Add(1)*7919) % g.n) }

func (g *grown) get() error { return failure(g.store.Get(g.tb.Context(), g.anyKey())) }

func (g *grown) update() error {
	r, err := g.store.Get(g.tb.Context(), g.anyKey())
	if err == nil {
		_, err = g.store.Commit(g.tb.Context(), update(r))
	}
	return err
}

func (g *grown) page() error { return listing(g.tb.Context(), g.store, g.middle) }

// listing lists a page, and fails unless the page is full.
func listing(ctx context.Context, store installation.Store, q installation.Query) error {
	page, err := store.List(ctx, q)
	if err == nil && len(page.Records) != q.Limit {
		err = fmt.Errorf("a page of %d", len(page.Records))
	}
	return err
}

// dueCount is how many records are due, which means that their deadline has passed.
const dueCount = 1000

// dueRows returns rows that find and sweep 1,000 due records among many that are not due yet.
func dueRows(tb testing.TB, among *grown) []Row {
	client := among.server.Client(tb)
	watch := &waits{command: "zrange"}
	client.AddHook(watch)
	store, ring := openStore(tb, client), newRing(tb, "k1")
	w := newWorld(tb, store, ring, 1)
	lastMonth := func() time.Time { return time.Now().AddDate(0, -1, 0) }
	svc := w.service(tb, ring, &installation.Options{Now: lastMonth})
	past := &invitations{world: &world{ctx: w.ctx, svc: svc}}
	check(tb, past.prepare(dueCount)) // for the row find; each call of sweep prepares its own
	raw := must(base.NewRedis(tb.Context(), client))(tb)

	query := installation.Query{AllTenants: true, DueBefore: time.Now(), Limit: dueCount}
	find := side{goroutines: 1, work: func() error { return listing(w.ctx, store, query) }}
	sweep := func() error {
		report, err := w.svc.Sweep(w.ctx, installation.SweepRequest{Limit: dueCount})
		if err == nil && report.Expired != dueCount {
			err = fmt.Errorf("%d expired", report.Expired)
		}
		return err
	}
	due := fmt.Sprintf(" %d due among %d", dueCount, among.n)
	return []Row{
		{
			Name: "find" + due, Against: "SET 2 KiB", Reach: 5,
			Count: func(time.Duration) (ours, base float64, err error) {
				if _, ours, err = watch.measure(find); err != nil {
					return 0, 0, err
				}
				s := side{work: raw.Set, goroutines: 1, calls: 100}
				err = s.sample()
				return ours, s.each, err
			},
		},
		{
			Name: "sweep" + due + ", each", Against: "GET, SET 2 KiB", Per: dueCount,
			Lacks: "compare-and-swap, event, encryption", Ours: sweep, Base: raw.GetSet,
			Prepare: func(n int) error { return past.prepare(n * dueCount) },
		},
	}
}
