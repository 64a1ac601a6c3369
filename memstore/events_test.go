package memstore

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation"
)

// log appends one event to the log of each tenant, in separate commits.
func log(t *testing.T, s *Store, tenants ...string) {
	t.Helper()
	for _, tenant := range tenants {
		key := installation.Key{Tenant: tenant, ID: "logged"}
		revision := int64(1)
		if r, err := s.Get(t.Context(), key); err == nil {
			revision = r.Revision + 1
		}
		c := change(key, revision)
		c.Events = []installation.Event{{Key: key, Revision: revision}}
		commit(t, s, c)
	}
}

// read returns the ids of the events of q and the next cursor.
func read(t *testing.T, s *Store, q installation.EventQuery) ([]string, string) {
	t.Helper()
	q.Limit = 100
	page, err := s.Events(t.Context(), q)
	if err != nil {
		t.Fatalf("events %+v: %v", q, err)
	}
	var ids []string
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	return ids, page.Next
}

func TestTrimming(t *testing.T) {
	s := NewWithOptions(&Options{MaxEvents: 3})
	log(t, s, "quiet", "loud")
	_, quiet := read(t, s, installation.EventQuery{Tenant: "quiet"})
	_, loud := read(t, s, installation.EventQuery{Tenant: "loud"})
	_, all := read(t, s, installation.EventQuery{AllTenants: true})
	log(t, s, "loud", "loud", "loud", "loud")

	if n := rows(t, s, tableEvents); n != 3 {
		t.Errorf("%d events are kept, want 3", n)
	}
	for _, q := range []installation.EventQuery{
		{Tenant: "loud", After: loud},
		{AllTenants: true, After: all},
	} {
		q.Limit = 10
		if page, err := s.Events(t.Context(), q); !errors.Is(err, installation.ErrTrimmed) {
			t.Errorf("events %+v: %+v, error %v, want %v", q, page, err,
				installation.ErrTrimmed)
		}
	}
	for _, q := range []installation.EventQuery{{Tenant: "loud"}, {AllTenants: true}} {
		ids, next := read(t, s, q)
		if !slices.Equal(ids, []string{"4", "5", "6"}) {
			t.Errorf("events %+v: %q, want the kept events", q, ids)
		}
		q.After = next
		if ids, _ := read(t, s, q); len(ids) > 0 {
			t.Errorf("events %+v: %q, want none", q, ids)
		}
		q.After = "3" // the newest trimmed event: everything after it exists
		if ids, _ := read(t, s, q); len(ids) != 3 {
			t.Errorf("events %+v: %q, want the kept events", q, ids)
		}
	}
	// The quiet tenant read all its events before they were trimmed, so it misses nothing.
	ids, next := read(t, s, installation.EventQuery{Tenant: "quiet", After: quiet})
	if len(ids) > 0 || next != quiet {
		t.Errorf("events of the quiet tenant: %q and cursor %q, want none and %q", ids, next,
			quiet)
	}
	ids, next = read(t, s, installation.EventQuery{Tenant: "quiet"})
	if len(ids) > 0 || next != "" {
		t.Errorf("events of the quiet tenant: %q and cursor %q, want none", ids, next)
	}
}

// TestTrimmingOneCommit appends more events at once than the log keeps.
func TestTrimmingOneCommit(t *testing.T) {
	s := NewWithOptions(&Options{MaxEvents: 3})
	c := change(installation.Key{ID: "a"}, 1)
	for range 5 {
		c.Events = append(c.Events, installation.Event{Key: c.Key})
	}
	commit(t, s, c)
	ids, _ := read(t, s, installation.EventQuery{})
	if !slices.Equal(ids, []string{"3", "4", "5"}) {
		t.Errorf("events: %q, want the last three", ids)
	}
}

func TestCursorAheadOfTheLog(t *testing.T) {
	s := New()
	log(t, s, "a")
	for _, q := range []installation.EventQuery{{Tenant: "a"}, {AllTenants: true}} {
		q.After, q.Limit = "2", 1
		if page, err := s.Events(t.Context(), q); !errors.Is(err, installation.ErrTrimmed) {
			t.Errorf("events %+v: %+v, error %v, want %v", q, page, err,
				installation.ErrTrimmed)
		}
	}
}

func TestMaxEventsDefault(t *testing.T) {
	for _, o := range []*Options{nil, {}, {MaxEvents: -1}} {
		if got := NewWithOptions(o).maxEvents; got != DefaultMaxEvents {
			t.Errorf("options %+v: %d events, want %d", o, got, DefaultMaxEvents)
		}
	}
}
