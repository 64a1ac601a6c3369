package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
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
	key := keysOf(t, client, "*:r:*")[0]
	left, err := client.Do(t.Context(), "pttl", key).Int64()
	const century = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
	if err != nil || left < century {
		t.Errorf("%s expires in %d ms, error %v, want more than a century", key, left, err)
	}
	later := create(id("b"), "")
	later.Now = later.Now.AddDate(100, 0, 0)
	later.Idempotency = &installation.Outcome{Digest: installation.Digest{1}, Until: far}
	must(t, s, later) // it would remove an expired outcome
	o, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest)
	if err != nil || !o.Until.Equal(far) {
		t.Errorf("outcome %+v, error %v, want one until %v", o, err, far)
	}
}

// TestExpiry moves the clock of the server: only tombstones expire, at their deadlines. A record
// that replaces a tombstone does not expire with it.
func TestExpiry(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, redistest.NewClient(t, &redis.Options{Addr: server.Addr()}), nil)
	revive := func(r *installation.Record) {
		c := create(r.Key, "")
		c.If, c.Record.Revision = r.Revision, r.Revision+1
		must(t, s, c)
	}
	in := time.Now().Add(time.Hour)

	must(t, s, create(id("kept"), ""))
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
	server.FastForward(2 * time.Minute)
	for _, name := range []string{"kept", "buried for ever", "revived"} {
		get(t, s, id("%s", name))
	}
	for _, name := range []string{"buried", "touched"} {
		_, err := s.Get(t.Context(), id("%s", name))
		wantError(t, name, err, installation.ErrNotFound)
	}
	checkIndex(t, s)
}

// TestExpiredOutcomes checks that a request with the key of an expired outcome runs again, and that
// commits with a key remove expired outcomes, several at a time, and nothing else. Ends without an
// outcome do no harm.
func TestExpiredOutcomes(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "outcomes"})
	now := time.Now()
	isRepeated := func(name string, key byte) bool {
		c := create(id("%s", name), "")
		c.Now = now
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest{key}, Until: now.Add(time.Minute),
		}
		receipt, err := s.Commit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return receipt.Outcome != nil
	}
	const index, hash = "{outcomes:00}:x", "{outcomes:00}:h"
	client.ZAdd(t.Context(), index, redis.Z{Member: "o"}, redis.Z{Member: "o00000000000000000000"})
	const expired, again, kept, later = 10, 3, 100, 200
	for key := range byte(expired) {
		isRepeated(fmt.Sprint("expired ", key), key)
	}
	now = now.Add(50 * time.Second)
	isRepeated("kept", kept)
	now = now.Add(30 * time.Second)
	if isRepeated("again", again) {
		t.Error("a request with the key of an expired outcome did not run")
	}
	for n := range byte(3) {
		isRepeated(fmt.Sprint("later ", n), later+n)
	}
	for key := range byte(expired) {
		want := installation.ErrNotFound
		if key == again {
			want = nil
		}
		_, err := s.Outcome(t.Context(), "tenant", installation.Digest{key})
		wantError(t, fmt.Sprint("outcome ", key), err, want)
	}
	if !isRepeated("kept again", kept) || !isRepeated("again again", again) {
		t.Error("a request with the key of an outcome ran")
	}
	ends := client.ZLexCount(t.Context(), index, "[o", "(p").Val()
	outcomes := slices.DeleteFunc(client.HKeys(t.Context(), hash).Val(), func(f string) bool {
		return !strings.HasPrefix(f, "o")
	})
	if ends != 5 || len(outcomes) != 5 || !client.HExists(t.Context(), hash, "").Val() {
		t.Errorf("%d ends of outcomes, outcomes %q, want 5 of each, and the empty field",
			ends, outcomes)
	}
}

// TestFixedKeysStay removes from a bucket what can be removed, and moves its keys to another server
// before and after: the fixed keys stay.
func TestFixedKeysStay(t *testing.T) {
	server, another := redistest.Start(t), redistest.Start(t)
	options := &redisstore.Options{Namespace: "fixed"}
	open(t, server.Client(t), options)
	moveFixed(t, server, another)
	server, another = another, server
	client := server.Client(t)
	s := open(t, client, options)

	c := create(id("a"), "")
	c.Events = nil
	c.Idempotency = &installation.Outcome{Until: c.Now.Add(-time.Hour)}
	r := must(t, s, c)
	deleted := bury(r, c.Now.Add(-time.Hour))
	deleted.Events = nil
	deleted.Idempotency = &installation.Outcome{
		Digest: installation.Digest{1}, Until: c.Now.Add(-time.Hour),
	}
	must(t, s, deleted)
	redistest.Await(t, "the tombstone expires", func() bool {
		return len(keysOf(t, client, "*")) == 3
	})
	if n := client.ZCard(t.Context(), "{fixed:00}:x").Val(); n != 2 {
		t.Errorf("the index has %d members, want the meta and the end of the last outcome", n)
	}
	moveFixed(t, server, another)
	must(t, open(t, another.Client(t), options), create(id("b"), ""))
}

// moveFixed moves the three fixed keys of namespace "fixed" from one server to another.
func moveFixed(t *testing.T, from, to *redistest.Server) {
	t.Helper()
	host, port, _ := strings.Cut(to.Addr, ":")
	words := []any{"migrate", host, port, "", 0, 5000, "keys"}
	keys := keysOf(t, from.Client(t), "{fixed:00}:*")
	for _, key := range keys {
		words = append(words, key)
	}
	err := from.Client(t).Do(t.Context(), words...).Err()
	moved := keysOf(t, to.Client(t), "{fixed:00}:*")
	slices.Sort(moved)
	want := []string{"{fixed:00}:e", "{fixed:00}:h", "{fixed:00}:x"}
	if err != nil || len(keys) != len(want) || !slices.Equal(moved, want) {
		t.Errorf("moved %q to %q, error %v, want %q", keys, moved, err, want)
	}
}
