package pgstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// TestCommitForgetsInBatches leaves expired outcomes and tombstones behind. Some commits forget
// them, and do not wait for one that a transaction of the host has locked.
func TestCommitForgetsInBatches(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	for i := range 40 {
		c := create(at(fmt.Sprint(i)))
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest{byte(i)}, Until: now.Add(time.Hour), Data: []byte("x"),
		}
		commit(t, s, c)
		grave := update(c.Record)
		grave.Record = &installation.Record{
			Key: c.Key, Revision: 2, Deleted: true, Deadline: now.Add(time.Hour),
		}
		commit(t, s, grave)
	}
	tx := host(t)
	execute(t, tx, o, "SELECT FROM {{schema}}.outcomes WHERE digest < '\\x01' FOR UPDATE")
	execute(t, tx, o, "SELECT FROM {{schema}}.records WHERE id = '0' FOR UPDATE")
	count := func() string {
		return pgtest.Shared(t).SQL(t, "postgres", fmt.Sprintf("SELECT (SELECT count(*) FROM"+
			" %[1]q.outcomes), (SELECT count(*) FROM %[1]q.records WHERE deleted)", o.Schema))
	}
	c := create(at("young"))
	for i, want := range []string{"40|40", "40|40", "24|24", "24|24", "8|8", "1|1", "1|1"} {
		if got := count(); got != want {
			t.Errorf("got %s outcomes and tombstones, want %s", got, want)
		}
		c.Now, c.Op[0] = now.Add(time.Hour), []byte{1, 8, 7, 16, 0, 0, 0}[i]
		commit(t, s, c)
		c = update(c.Record)
	}
	must(t, s.Trim(t.Context(), now.Add(time.Hour)))
	if got := count(); got != "1|1" {
		t.Errorf("got %s outcomes and tombstones after a trim, want those that are locked", got)
	}
	must(t, tx.Rollback(t.Context()))
	must(t, s.Trim(t.Context(), now.Add(time.Hour-time.Microsecond)))
	if got := count(); got != "1|1" {
		t.Errorf("got %s outcomes and tombstones before they expire, want 1|1", got)
	}
	must(t, s.Trim(t.Context(), now.Add(time.Hour)))
	if got := count(); got != "0|0" {
		t.Errorf("got %s outcomes and tombstones after the transaction, want none", got)
	}
}

// TestCommitDoesNotWaitForTrim makes a commit trim the log while another session keeps the lock for
// that. The commit is done, and returns.
func TestCommitDoesNotWaitForTrim(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	s.SetRetryFor(50 * time.Millisecond) // commits have a deadline, so this limits only the trim
	execute(t, host(t), o, "SELECT pg_advisory_xact_lock({{events_lock}})")
	ctx, cancel := context.WithTimeout(t.Context(), pgtest.Patience)
	defer cancel()
	c := create(at("a"))
	for range pgstore.TrimEvery {
		if _, err := s.Commit(ctx, withEvent(c, "")); err != nil || ctx.Err() != nil {
			t.Fatalf("got error %v, context error %v, want none", err, ctx.Err())
		}
		c = update(c.Record)
	}
}

// TestTrimTrimsLog trims a log that no commit has trimmed yet.
func TestTrimTrimsLog(t *testing.T) {
	o := newOptions()
	o.MaxEvents = 3
	s := newStore(t, o)
	for i := range 7 {
		commit(t, s, withEvent(create(at(fmt.Sprint(i))), fmt.Sprint(i)))
	}
	must(t, s.Trim(t.Context(), now))
	if got, _ := reasons(t, s, ""); !slices.Equal(got, []string{"4", "5", "6"}) {
		t.Errorf("got events %v, want the last 3", got)
	}
}
