package memstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

func TestTombstonesArePruned(t *testing.T) {
	s := New()
	const buried = 3*pruneBatch + 1
	deadline := now.Add(time.Hour)
	for i := range buried {
		key := installation.Key{Tenant: fmt.Sprint(i % 3), ID: fmt.Sprint(i)}
		commit(t, s, change(key, 1), tombstone(key, 2, deadline))
	}
	forever := installation.Key{ID: "forever"}
	commit(t, s, change(forever, 1), tombstone(forever, 2, time.Time{}))

	key := installation.Key{ID: "writer"}
	for i, want := range []int{buried, buried - pruneBatch, buried - 2*pruneBatch, 1, 0, 0} {
		c := change(key, int64(i)+1)
		c.Now = deadline
		if i == 0 {
			c.Now = deadline.Add(-time.Microsecond)
		}
		commit(t, s, c)
		// without the writer and the permanent one
		if got := rows(t, s, tableRecords) - 2; got != want {
			t.Errorf("after commit %d: %d tombstones, want %d", i, got, want)
		}
	}
	if _, err := s.Get(t.Context(), forever); err != nil {
		t.Errorf("get a tombstone without a deadline: %v", err)
	}
}

// TestRejectedCommitsPruneNothing proves that a rejected commit forgets nothing, so that its
// error stays true.
func TestRejectedCommitsPruneNothing(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	commit(t, s, change(key, 1), tombstone(key, 2, now))
	stale := change(key, 1)
	stale.Op[0]++
	stale.Now = now.Add(time.Hour)
	if _, err := s.Commit(t.Context(), stale); !errors.Is(err, installation.ErrConflict) {
		t.Errorf("commit: error %v, want %v", err, installation.ErrConflict)
	}
	if got, err := s.Get(t.Context(), key); err != nil || got.Revision != 2 {
		t.Errorf("get: %+v, error %v, want the tombstone", got, err)
	}
	// The revision in the error still counts, whatever the time.
	again := change(key, 3)
	again.Now = stale.Now
	commit(t, s, again)
}

// TestExpiredTombstoneKeepsOps proves that a change without a record keeps an expired tombstone
// and its op tokens, even though the commit prunes.
func TestExpiredTombstoneKeepsOps(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	commit(t, s, change(key, 1), tombstone(key, 2, now))
	touch := change(key, 3)
	touch.If, touch.Record, touch.Now = 2, nil, now.Add(time.Hour)
	commit(t, s, touch)
	if receipt, err := s.Commit(t.Context(), touch); err != nil || !receipt.Replayed ||
		receipt.Revision != 2 {
		t.Errorf("commit again: %+v, error %v, want a replay at revision 2", receipt, err)
	}
}

func TestOutcomesArePruned(t *testing.T) {
	s := New()
	const recorded = 3*pruneBatch + 1
	key := installation.Key{ID: "writer"}
	for i := range recorded {
		c := change(key, int64(i)+1)
		c.Idempotency = &installation.Outcome{Digest: digest(i), Until: now.Add(time.Hour)}
		commit(t, s, c)
	}
	for i, want := range []int{recorded, recorded - pruneBatch, recorded - 2*pruneBatch, 1, 0,
		0} {
		c := change(key, recorded+int64(i)+1)
		c.Now = now.Add(time.Hour)
		if i == 0 {
			c.Now = c.Now.Add(-time.Microsecond)
		}
		commit(t, s, c)
		if got := rows(t, s, tableOutcomes); got != want {
			t.Errorf("after commit %d: %d outcomes, want %d", i, got, want)
		}
	}
}

// TestExpiredOutcomeIsReplaced reuses a digest while there are more expired outcomes than one
// commit forgets.
func TestExpiredOutcomeIsReplaced(t *testing.T) {
	s := New()
	const recorded = pruneBatch + 2
	key := installation.Key{ID: "writer"}
	for i := range recorded {
		c := change(key, int64(i)+1)
		c.Idempotency = &installation.Outcome{Digest: digest(i),
			Until: now.Add(time.Duration(i) * time.Second)}
		commit(t, s, c)
	}
	c := change(key, recorded+1)
	c.Now = now.Add(time.Hour)
	c.Idempotency = &installation.Outcome{Digest: digest(recorded - 1),
		Until: c.Now.Add(time.Hour), Data: []byte("new")}
	commit(t, s, c)
	if o, err := s.Outcome(t.Context(), "", digest(recorded-1)); err != nil ||
		string(o.Data) != "new" {
		t.Errorf("outcome: %+v, error %v, want the new one", o, err)
	}
	c = change(key, recorded+2)
	c.Now = now.Add(time.Hour)
	commit(t, s, c)
	if got := rows(t, s, tableOutcomes); got != 1 {
		t.Errorf("%d outcomes, want the new one", got)
	}
}
