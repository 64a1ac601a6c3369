package redisstore_test

import (
	"math"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestRejectsWhatCannotBeRead commits numbers and times that the stored form cannot hold.
func TestRejectsWhatCannotBeRead(t *testing.T) {
	s := open(t, dialMini(t), nil)
	far := time.UnixMicro(math.MaxInt64).Add(time.Hour)
	for name, edit := range map[string]func(*installation.Change){
		"negative generation": func(c *installation.Change) { c.Record.Generation = -1 },
		"far creation":        func(c *installation.Change) { c.Record.Created = far },
		"far deadline":        func(c *installation.Change) { c.Record.Deadline = far },
		"early deadline": func(c *installation.Change) {
			c.Record.Deadline = time.UnixMicro(math.MinInt64)
		},
		"far outcome": func(c *installation.Change) {
			c.Idempotency = &installation.Outcome{Until: far}
		},
	} {
		c := create(id("a"), "")
		edit(&c)
		_, err := s.Commit(t.Context(), c)
		wantError(t, name, err, installation.ErrInvalid)
		_, err = s.Get(t.Context(), c.Key)
		wantError(t, name, err, installation.ErrNotFound)
	}
	c := create(id("a"), "")
	c.Record.Deadline = time.Now()
	must(t, s, c)
	for _, before := range []time.Time{time.UnixMicro(math.MaxInt64), far} {
		n, err := s.Count(t.Context(), installation.Query{Tenant: "tenant", DueBefore: before})
		if err != nil || n != 1 {
			t.Errorf("due before %v: %d, error %v, want 1", before, n, err)
		}
	}
}

// TestLostHash removes the hash of a bucket. Without its outcomes and the ends of its logs, nothing
// is said to be absent.
func TestLostHash(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "lost"})
	c := create(id("a"), "")
	c.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	must(t, s, c)
	drop(t, client, "{lost:00}:h")
	_, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest)
	wantUnavailable(t, "outcome", err)
	for _, all := range []bool{false, true} {
		_, err = s.Events(t.Context(), installation.EventQuery{
			Tenant: "tenant", AllTenants: all, Limit: 10,
		})
		wantUnavailable(t, "events", err)
	}
	_, err = s.Commit(t.Context(), create(id("b"), ""))
	wantUnavailable(t, "commit", err)
}

// TestOpenRejectsRecordsWithoutMeta removes the fixed keys of a namespace. A new one in its place
// would forget the claims of the records.
func TestOpenRejectsRecordsWithoutMeta(t *testing.T) {
	client := redistest.Start(t).Client(t)
	must(t, open(t, client, &redisstore.Options{Namespace: "lost"}), create(id("a"), ""))
	for _, key := range []string{"x", "e", "h"} {
		drop(t, client, "{lost:00}:"+key)
	}
	rejected(t, client, &redisstore.Options{Namespace: "lost"}, "has records and no meta")
}

// TestOutcomeStoredAgain loses an outcome and stores it again with a later end. The first end does
// not remove it.
func TestOutcomeStoredAgain(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "again"})
	now := time.Now()
	keyed := func(name string, key byte, at time.Time, keep time.Duration) {
		c := create(id("%s", name), "")
		c.Now = at
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest{key}, Until: at.Add(keep),
		}
		must(t, s, c)
	}
	keyed("a", 1, now, time.Minute)
	for _, field := range client.HKeys(t.Context(), "{again:00}:h").Val() {
		if field != "" && field[0] == 'o' {
			client.HDel(t.Context(), "{again:00}:h", field)
		}
	}
	keyed("b", 1, now, time.Hour)
	keyed("c", 2, now.Add(2*time.Minute), time.Hour)
	if _, err := s.Outcome(t.Context(), "tenant", installation.Digest{1}); err != nil {
		t.Errorf("an outcome that is kept for an hour: %v", err)
	}
}
