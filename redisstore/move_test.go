package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// scan returns how many rows Scan yields, and its error. It calls meanwhile after the first row.
func scan(t *testing.T, s *redisstore.Store, meanwhile func()) (rows int, err error) {
	t.Helper()
	for _, err := range s.Scan(t.Context()) {
		if err != nil {
			return rows, err
		}
		if rows++; rows == 1 {
			meanwhile()
		}
	}
	return rows, nil
}

// TestScanWhileSlotMoves scans while the slot of the only bucket is being moved, or moves the slot
// during the scan. These scans may have missed a key, so they fail. A scan after the move succeeds.
func TestScanWhileSlotMoves(t *testing.T) {
	m := startMoving(t)
	const records = 20
	var keys []string
	for i := range records {
		must(t, m.store, create(id("%d", i), ""))
		keys = append(keys, recordKey(id("%d", i)))
	}
	everything := append(keys, fixedKeys...)
	wantMoved := func(what string, err error) {
		t.Helper()
		wantUnavailable(t, what, err)
		if err == nil || !strings.Contains(err.Error(), "slot") {
			t.Errorf("%s: error %v, want one about a slot", what, err)
		}
	}

	m.open(t, keys[:records/2]...)
	_, err := scan(t, m.store, func() {})
	wantMoved("a slot that is open", err)
	m.close()
	_, err = scan(t, m.store, func() { m.open(t, everything...) })
	wantMoved("a slot that was opened", err)
	m.close()
	_, err = scan(t, m.store, func() {
		m.open(t, everything...)
		m.close()
	})
	wantMoved("a slot that has moved", err)
	if rows, err := scan(t, m.store, func() {}); err != nil || rows != records {
		t.Errorf("%d rows, error %v, want %d", rows, err, records)
	}
}

// TestScanOverRestart restarts the server during a scan. The new process returns its keys in
// another order, so the rest of the scan could miss some, and the scan fails.
func TestScanOverRestart(t *testing.T) {
	r := startRestorable(t, 1)
	s := r.open(t, &redisstore.Options{FailoverLoss: time.Hour})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	_, err := scan(t, s, func() { r.server.Restore(t, r.server.Snapshot(t)) })
	wantUnavailable(t, "scan", err)
	if rows, err := scan(t, s, func() {}); err != nil || rows != 2 {
		t.Errorf("%d rows, error %v, want 2", rows, err)
	}
}

// TestScanOfRestoredData restores an older state before a put and a scan. Both notice it.
func TestScanOfRestoredData(t *testing.T) {
	r := startRestorable(t, 1)
	must(t, r.store, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	must(t, r.store, create(id("b"), ""), create(id("c"), ""))
	get(t, r.store, id("c"))
	r.server.Restore(t, backup)
	_, err := r.store.Put(t.Context(), time.Now(), installation.Row{}.Apply(create(id("d"), "")))
	wantRestored(t, "put", err)
	_, err = scan(t, r.store, func() {})
	wantRestored(t, "scan", err)
}

// TestPutOnRestoredData restores an older state before a put. Nothing is written.
func TestPutOnRestoredData(t *testing.T) {
	outcome := &installation.Outcome{Until: time.Now().Add(time.Hour), Data: []byte("x")}
	for name, row := range map[string]installation.Row{
		"a record":   installation.Row{}.Apply(create(id("d"), "")),
		"an outcome": {Tenant: id("d").Tenant, Outcome: outcome},
	} {
		r := startRestorable(t, 1)
		must(t, r.store, create(id("a"), ""))
		backup := r.server.Snapshot(t)
		must(t, r.store, create(id("b"), ""), create(id("c"), ""))
		get(t, r.store, id("c"))
		r.server.Restore(t, backup)
		written, err := r.store.Put(t.Context(), time.Now(), row)
		wantRestored(t, "put of "+name, err)
		rows, err := scan(t, r.open(t, new(redisstore.Options)), func() {})
		if written || err != nil || rows != 1 {
			t.Errorf("put of %s: %t, %d rows, error %v, want false and 1 row", name, written,
				rows, err)
		}
	}
}

// TestScanDamaged proves that a scan fails at a record or outcome that it cannot read.
func TestScanDamaged(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.Client(t), &redisstore.Options{Namespace: "scanned", Buckets: 1})
	c := create(id("a"), "")
	c.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	must(t, s, c)
	client := server.Client(t)
	const bad = "{scanned:00}:r:6:tenant:bad"
	client.Set(t.Context(), bad, "damaged", 0)
	_, err := scan(t, s, func() {})
	wantUnavailable(t, "record", err)
	client.Del(t.Context(), bad)
	if rows, err := scan(t, s, func() {}); err != nil || rows != 2 {
		t.Errorf("%d rows, error %v, want 2", rows, err)
	}
	var digest installation.Digest
	client.HSet(t.Context(), "{scanned:00}:h", "o6:tenant"+string(digest[:]), "damaged")
	_, err = scan(t, s, func() {})
	wantUnavailable(t, "outcome", err)
}

// TestPutLostReplies puts rows through a connection that loses every third reply. All rows are
// written.
func TestPutLostReplies(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	flaky := redistest.NewClient(t, &redis.Options{Addr: proxy.Addr()})
	s := open(t, flaky, &redisstore.Options{Namespace: "put"})
	var scripts atomic.Int64
	proxy.LoseAnswers(func() bool { return scripts.Add(1)%3 == 0 }, func() {})
	const rows = 30
	for i := range rows {
		row := installation.Row{}.Apply(create(id("%d", i), ""))
		row.Record.Claims = []string{fmt.Sprint("of ", i)}
		for range i % installation.RememberedOps {
			row = row.Apply(update(row.Record, ""))
		}
		if written, err := s.Put(t.Context(), time.Now(), row); err != nil || !written {
			t.Errorf("put %d: %t, error %v, want true", i, written, err)
		}
		o := installation.Row{Tenant: "tenant", Outcome: &installation.Outcome{
			Digest: installation.Digest{byte(i)}, Until: time.Now().Add(time.Hour),
		}}
		if written, err := s.Put(t.Context(), time.Now(), o); err != nil || !written {
			t.Errorf("put outcome %d: %t, error %v, want true", i, written, err)
		}
	}
	proxy.LoseAnswers(nil, nil)
	if scripts.Load() < 2*rows+rows/2 {
		t.Errorf("%d scripts ran, want more: no answer was lost", scripts.Load())
	}
	if n, err := scan(t, s, func() {}); err != nil || n != 2*rows {
		t.Errorf("%d rows, error %v, want %d", n, err, 2*rows)
	}
	checkIndex(t, s)
}

// TestPutAgainstCommits puts a row while commits change the record at its key. The row has a higher
// revision than all of them, so it stays.
func TestPutAgainstCommits(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), &redisstore.Options{Namespace: "put"})
	must(t, s, create(id("a"), ""))
	const arriving = 1 << 40
	done := make(chan error, 1)
	go func() {
		for {
			r, err := s.Get(t.Context(), id("a"))
			if err == nil && r.Revision < arriving {
				_, err = s.Commit(t.Context(), update(r, ""))
			}
			switch {
			case errors.Is(err, installation.ErrConflict):
			case err != nil || r.Revision >= arriving:
				done <- err
				return
			}
		}
	}()
	c := create(id("a"), "")
	c.Record.Revision = arriving
	written, err := s.Put(t.Context(), time.Now(), installation.Row{}.Apply(c))
	if err != nil || !written {
		t.Fatalf("put: %t, error %v, want true", written, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	checkIndex(t, s)
}
