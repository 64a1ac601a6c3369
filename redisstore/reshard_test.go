package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestTrafficWhileSlotsMove makes every kind of change while slots move throughout, one key at a
// time and whole. All that is stored must be what the writers were told, and no call may fail.
func TestTrafficWhileSlotsMove(t *testing.T) {
	calls, records := 4000, 50
	if long() {
		calls, records = 200_000, 500
	}
	cluster := redistest.StartCluster(t, 3, 0)
	tr := &traffic{store: openTraffic(t, cluster)}
	startTraffic(t, tr, 8, 16, records)
	m := newMover(cluster, tr)
	for int(tr.changes.Load()) < calls || m.moves < 2*len(tr.areas) {
		m.move(t)
	}
	torn := tr.check(t)
	t.Logf("seen: %d changes, %d slots moved one key at a time, %d whole, %d torn records; %s",
		tr.changes.Load(), m.moves-m.whole, m.whole, torn, tr.figures.summary())
	t.Logf("\n%s", &tr.figures)
	if !long() {
		return
	}
	tr.figures.checkOpen(t)
	acknowledged := func(n *figure) int { return n.acknowledged }
	for _, kind := range []string{deleteOne, createAgain} {
		if n := tr.figures.total(acknowledged, kind); n < 10_000 {
			t.Errorf("%s: %d were acknowledged, want 10,000", kind, n)
		}
	}
}

// TestTrafficIntoAbandonedMoves leaves slots open. Every call must end before its deadline in
// success, or in an error that names the slot. Calls for other slots succeed.
func TestTrafficIntoAbandonedMoves(t *testing.T) {
	timeout, leave, writers := time.Second, time.Duration(0), 16
	if long() {
		timeout, leave, writers = 3*time.Second, time.Minute, 64
	}
	cluster := redistest.StartCluster(t, 3, 0)
	tr := &traffic{store: openTraffic(t, cluster)}
	startTraffic(t, tr, 4, writers, 4*writers) // 4 records each
	tr.stop()
	tr.wait.Wait()

	abandoned := tr.areas[:3] // calls for the last area go on
	var named atomic.Int64    // errors that name the slot
	tr.mayFail = func(a *area, err error) bool {
		if strings.Contains(err.Error(), fmt.Sprintf("slot %d is being moved", a.slot)) {
			named.Add(1)
			return slices.Contains(abandoned, a)
		}
		// On a slow machine, a short deadline can come before the first answer.
		return !long() && slices.Contains(abandoned, a) && errors.Is(err, context.DeadlineExceeded)
	}
	m := newMover(cluster, tr)
	for i, a := range abandoned {
		m.abandon(t, a, i)
		a.timeout = timeout
	}
	tr.start(t, writers)
	began := time.Now()
	redistest.Await(t, "calls fail with the slot in the error", func() bool {
		return named.Load() >= 20 && time.Since(began) >= leave
	})
	tr.stop()
	tr.wait.Wait()
	left := time.Since(began)
	for _, a := range abandoned {
		m.end(t, a)
	}
	torn := tr.check(t)
	t.Logf("seen: %d changes, slots left open for %.0f s, %d ended with the slot in the error, "+
		"%d torn records", tr.changes.Load(), left.Seconds(), named.Load(), torn)
	t.Logf("\n%s", &tr.figures)
}

func openTraffic(t *testing.T, cluster *redistest.Cluster) *redisstore.Store {
	return open(t, cluster.Client(t, nil), &redisstore.Options{
		Namespace: trafficNamespace, Buckets: trafficBuckets,
	})
}

// mover moves the slots of a traffic between the masters of a cluster.
type mover struct {
	cluster *redistest.Cluster
	traffic *traffic
	places  map[*area]*place
	moves   int
	whole   int // of these, slots that moved in one step
}

// place is where the slot of an area is.
type place struct {
	owner, next *redistest.Server // next is where it moves to
	arrived     time.Time
}

// restBetween is how long a slot stays before it moves on. Valkey 8.1.1 loses members of a slot
// that moves on within a few milliseconds of its arrival. Other slots move meanwhile.
const restBetween = 2 * time.Second

func newMover(cluster *redistest.Cluster, tr *traffic) *mover {
	m := &mover{cluster: cluster, traffic: tr, places: make(map[*area]*place)}
	for _, a := range tr.areas {
		p := &place{owner: cluster.Owner(a.slot)}
		i := slices.Index(cluster.Masters, p.owner)
		p.next = cluster.Masters[(i+1)%len(cluster.Masters)]
		m.places[a] = p
	}
	return m
}

// move moves the slot that has not moved for longest, while most changes are made to its records.
// Every third slot moves whole.
func (m *mover) move(t *testing.T) {
	t.Helper()
	areas := m.traffic.areas
	a := areas[m.moves%len(areas)]
	p := m.places[a]
	time.Sleep(restBetween - time.Since(p.arrived)) // see restBetween
	m.traffic.target.Store(a)
	defer m.traffic.target.Store(nil)
	m.moves++
	if m.moves%3 == 0 {
		m.whole++
		m.cluster.MoveSlotWhole(t, a.slot, p.owner, p.next)
		p.arrive()
		return
	}
	w := new(window)
	m.cluster.OpenSlot(t, a.slot, p.owner, p.next)
	a.open.Store(w)
	for {
		keys := m.cluster.KeysInSlot(t, a.slot, p.owner, 10)
		if len(keys) == 0 {
			break
		}
		m.cluster.MoveKeys(t, p.owner, p.next, keys...)
	}
	w.closed.Store(true)
	a.open.Store(nil)
	m.end(t, a)
}

// arrive makes the next move go back.
func (p *place) arrive() { p.owner, p.next, p.arrived = p.next, p.owner, time.Now() }

// end moves what is left in an open slot and closes it.
func (m *mover) end(t *testing.T, a *area) {
	t.Helper()
	p := m.places[a]
	m.cluster.CloseSlot(t, a.slot, p.owner, p.next)
	p.arrive()
}

// abandon opens a slot, moves half of its records, and this many of the three fixed keys.
func (m *mover) abandon(t *testing.T, a *area, fixed int) {
	t.Helper()
	p := m.places[a]
	m.cluster.OpenSlot(t, a.slot, p.owner, p.next)
	a.open.Store(new(window))
	const all = 1 << 20
	var records, others []string
	for _, k := range m.cluster.KeysInSlot(t, a.slot, p.owner, all) {
		if strings.Contains(k, ":r:") {
			records = append(records, k)
		} else {
			others = append(others, k)
		}
	}
	m.cluster.MoveKeys(t, p.owner, p.next, records[:len(records)/2]...)
	if fixed == 2 { // all of them, so that changes can be made there
		fixed = len(others)
	}
	m.cluster.MoveKeys(t, p.owner, p.next, others[:fixed]...)
}
