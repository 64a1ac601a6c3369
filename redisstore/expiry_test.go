package redisstore_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// TestFarDeadlines gives a tombstone and an outcome an end that is too far for a time.Duration:
// they must not expire at once.
func TestFarDeadlines(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, nil)
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	r := must(t, s, create(id("a"), ""))
	c := bury(r, far)
	c.Idempotency = &installation.Outcome{Until: far}
	must(t, s, c)
	for _, pattern := range []string{"*:r:*", "*:o:*"} {
		key := keysOf(t, client, pattern)[0]
		left, err := client.Do(t.Context(), "pttl", key).Int64()
		const century = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
		if err != nil || left < century {
			t.Errorf("%s expires in %d ms, error %v, want more than a century", key, left, err)
		}
	}
}

// TestExpiry moves the clock of the server: only tombstones and outcomes expire, at their
// deadlines. A record that replaces a tombstone does not expire with it.
func TestExpiry(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, redistest.NewClient(t, &redis.Options{Addr: server.Addr()}), nil)
	revive := func(r *installation.Record) {
		c := create(r.Key, "")
		c.If, c.Record.Revision = r.Revision, r.Revision+1
		must(t, s, c)
	}
	in := time.Now().Add(time.Hour)

	c := create(id("kept"), "")
	c.Idempotency = &installation.Outcome{Until: in}
	must(t, s, c)
	made := func(name string) *installation.Record {
		return must(t, s, create(id("%s", name), ""))
	}
	must(t, s, bury(made("buried"), in), bury(made("buried for ever"), time.Time{}))
	revive(must(t, s, bury(made("revived"), in)))
	touched := must(t, s, bury(made("touched"), in))
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
		_, err := s.Get(t.Context(), id("%s", name))
		wantError(t, name, err, installation.ErrNotFound)
	}
	_, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest)
	wantError(t, "outcome", err, installation.ErrNotFound)
	checkIndex(t, s)
}
