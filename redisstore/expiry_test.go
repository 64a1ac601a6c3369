package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// TestFarDeadlines gives a tombstone and an outcome an end beyond what a duration can say: it is far off, not at once.
func TestFarDeadlines(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, nil)
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	r := must(t, s, create(id("a"), ""))
	c := update(r, "")
	c.Record = &installation.Record{Key: r.Key, Revision: r.Revision + 1, Generation: 1, Deleted: true, Deadline: far}
	c.Idempotency = &installation.Outcome{Until: far}
	must(t, s, c)
	for _, pattern := range []string{"*:r:*", "*:o:*"} {
		key := keysOf(t, client, pattern)[0]
		left, err := client.Do(t.Context(), "pttl", key).Int64()
		if century := int64(100 * 365 * 24 * time.Hour / time.Millisecond); err != nil || left < century {
			t.Errorf("%s expires in %d ms, error %v, want more than a century", key, left, err)
		}
	}
}

// TestExpiry lets time pass on the server: what may be forgotten is, and nothing else. A record made in the place of a
// tombstone does not end with it.
func TestExpiry(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, nil)
	bury := func(r *installation.Record, deadline time.Time) *installation.Record {
		c := update(r, "")
		c.Record = &installation.Record{Key: r.Key, Revision: r.Revision + 1, Generation: 1, Deleted: true, Deadline: deadline}
		return must(t, s, c)
	}
	revive := func(r *installation.Record) {
		c := create(r.Key, "")
		c.If, c.Record.Revision = r.Revision, r.Revision+1
		must(t, s, c)
	}
	in := time.Now().Add(time.Hour)

	c := create(id("kept"), "")
	c.Idempotency = &installation.Outcome{Until: in}
	must(t, s, c)
	bury(must(t, s, create(id("buried"), "")), in)
	bury(must(t, s, create(id("buried for ever"), "")), time.Time{})
	revive(bury(must(t, s, create(id("revived"), "")), in))
	touched := bury(must(t, s, create(id("touched"), "")), in)
	touch := update(touched, "")
	touch.Record = nil
	must(t, s, touch)

	server.FastForward(59 * time.Minute)
	for _, name := range []string{"kept", "buried", "buried for ever", "revived", "touched"} {
		get(t, s, id("%s", name))
	}
	if _, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest); err != nil {
		t.Errorf("outcome: %v", err)
	}
	server.FastForward(2 * time.Minute)
	for _, name := range []string{"kept", "buried for ever", "revived"} {
		get(t, s, id("%s", name))
	}
	for _, name := range []string{"buried", "touched"} {
		if r, err := s.Get(t.Context(), id("%s", name)); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("%s: %+v, error %v, want %v", name, r, err, installation.ErrNotFound)
		}
	}
	if _, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("outcome: error %v, want %v", err, installation.ErrNotFound)
	}
	agree(t, s)
}
