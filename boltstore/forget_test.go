package boltstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/health"
)

// TestForgetting proves that commits forget expired tombstones and outcomes in batches.
func TestForgetting(t *testing.T) {
	s := open(t, &boltstore.Options{NoSync: true})
	const expired = 40
	deadline := now.Add(time.Hour)
	for i := range expired {
		key := installation.Key{Tenant: fmt.Sprint(i % 3), ID: fmt.Sprint(i)}
		c := change(key, 1)
		c.Idempotency = &installation.Outcome{Digest: installation.Digest{byte(i)}, Until: deadline}
		commit(t, s, c, tombstone(key, 2, deadline))
	}
	forever := installation.Key{ID: "forever"}
	commit(t, s, change(forever, 1), tombstone(forever, 2, time.Time{}))
	key := installation.Key{ID: "writer"}
	for i, want := range []int{expired, expired - 16, expired - 32, 0, 0} {
		c := change(key, int64(i)+1)
		if c.Now = deadline; i == 0 {
			c.Now = deadline.Add(-time.Microsecond)
		}
		commit(t, s, c)
		report, err := s.Verify(t.Context())
		if err != nil || !report.Clean() || report.Records != int64(want)+2 ||
			report.Outcomes != int64(want) {
			t.Errorf("after commit %d: got %+v, error %v, want %d tombstones and outcomes", i,
				report, err, want)
		}
	}
	if _, err := s.Get(t.Context(), forever); err != nil {
		t.Errorf("get a tombstone without a deadline: %v", err)
	}
}

// TestTrimming opens a log with a smaller limit than before.
func TestTrimming(t *testing.T) {
	path := t.TempDir() + "/store.db"
	s := openAt(t, path, &boltstore.Options{NoSync: true})
	quiet := installation.Key{Tenant: "quiet", ID: "a"}
	commit(t, s, change(quiet, 1))
	for i := range 300 {
		commit(t, s, change(installation.Key{Tenant: "loud", ID: fmt.Sprint(i)}, 1))
	}
	page, err := s.Events(t.Context(), installation.EventQuery{Tenant: "quiet", Limit: 10})
	if err != nil || len(page.Events) != 1 {
		t.Fatalf("got %+v, error %v, want one event", page, err)
	}
	closeStore(t, s)
	s = openAt(t, path, &boltstore.Options{NoSync: true, MaxEvents: 10})
	for i := range 3 {
		commit(t, s, change(installation.Key{Tenant: "loud", ID: fmt.Sprint("more ", i)}, 1))
	}
	report, err := s.Verify(t.Context())
	if err != nil || !report.Clean() || report.Events != 10 {
		t.Errorf("got %+v, error %v, want 10 events", report, err)
	}
	_, err = s.Events(t.Context(), installation.EventQuery{Tenant: "loud", After: "2", Limit: 10})
	if !errors.Is(err, installation.ErrTrimmed) {
		t.Errorf("a cursor of the loud tenant: error %v, want %v", err, installation.ErrTrimmed)
	}
	for _, q := range []installation.EventQuery{{Tenant: "loud"}, {AllTenants: true}} {
		q.After, q.Limit = "9999", 10
		if _, err := s.Events(t.Context(), q); !errors.Is(err, installation.ErrTrimmed) {
			t.Errorf("a cursor ahead of the log: error %v, want %v", err, installation.ErrTrimmed)
		}
	}
	// The quiet tenant has read all its events before they were trimmed.
	got, err := s.Events(t.Context(),
		installation.EventQuery{Tenant: "quiet", After: page.Next, Limit: 10})
	if err != nil || len(got.Events) > 0 || got.Next != page.Next {
		t.Errorf("a cursor of the quiet tenant: %+v, error %v, want no event", got, err)
	}
}

// TestScanWhileTheFileGrows writes from within a scan, so that the file has to be mapped again.
// With an open transaction, the commit would wait for the scan forever.
func TestScanWhileTheFileGrows(t *testing.T) {
	s := open(t, &boltstore.Options{NoSync: true})
	for i := range 250 {
		commit(t, s, change(installation.Key{ID: fmt.Sprintf("old-%03d", i)}, 1))
	}
	seen := 0
	for row, err := range s.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen < 40 {
			c := change(installation.Key{ID: fmt.Sprintf("new-%03d", seen)}, 1)
			c.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 100_000))
			commit(t, s, c)
		}
		if strings.HasPrefix(row.Record.Key.ID, "old-") {
			seen++
		}
	}
	if seen != 250 {
		t.Errorf("got %d old records, want 250", seen)
	}
}

// TestLongTenant rejects a tenant beyond its bound, and finds nothing in it.
func TestLongTenant(t *testing.T) {
	s := open(t, nil)
	for _, tenant := range []string{strings.Repeat("t", 300), strings.Repeat("\xff", 300)} {
		key := installation.Key{Tenant: tenant, ID: "a"}
		if _, err := s.Commit(t.Context(), change(key, 1)); !errors.Is(err,
			installation.ErrInvalid) {
			t.Errorf("commit: error %v, want %v", err, installation.ErrInvalid)
		}
		row := installation.Row{Record: change(key, 1).Record,
			Ops: []installation.Op{{Revision: 1, WithRecord: true}}}
		if _, err := s.Put(t.Context(), now, row); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("put: error %v, want %v", err, installation.ErrInvalid)
		}
		if _, err := s.Get(t.Context(), key); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
		}
		_, err := s.Outcome(t.Context(), tenant, installation.Digest{})
		if !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("outcome: error %v, want %v", err, installation.ErrNotFound)
		}
		page, err := s.List(t.Context(), installation.Query{Tenant: tenant, Term: "all", Limit: 1})
		if err != nil || len(page.Records) > 0 {
			t.Errorf("list: %+v, error %v, want nothing", page, err)
		}
		events, err := s.Events(t.Context(), installation.EventQuery{Tenant: tenant, Limit: 1})
		if err != nil || len(events.Events) > 0 {
			t.Errorf("events: %+v, error %v, want nothing", events, err)
		}
	}
	long := change(installation.Key{ID: strings.Repeat("i", 40_000)}, 1)
	if _, err := s.Commit(t.Context(), long); !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("commit: error %v, want %v", err, installation.ErrInvalid)
	}
}

// TestHealth reads the findings of a store with and without syncing.
func TestHealth(t *testing.T) {
	for _, c := range []struct {
		noSync bool
		want   health.Level
	}{{false, health.OK}, {true, health.Warning}} {
		s := open(t, &boltstore.Options{NoSync: c.noSync})
		findings, err := s.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		levels := map[string]health.Level{}
		for _, f := range findings {
			levels[f.Rule] = f.Level
		}
		if levels["durability"] != c.want || levels["file"] != health.OK || levels["room"] == "" {
			t.Errorf("NoSync %t: got %v, want durability %s", c.noSync, findings, c.want)
		}
	}
}
