package pgstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// TestLostRaceLeavesNothing lets a transaction of the host win a race that a commit finds out about
// after it has written a claim and an outcome. The commit must take both back.
func TestLostRaceLeavesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		winner string // what the transaction of the host does
		want   error
	}{
		"claim": {"INSERT INTO {{schema}}.claims VALUES ('tenant', 'y', 'other')",
			installation.ErrExists},
		"record": {"INSERT INTO {{schema}}.records SELECT tenant, 'a', revision, deleted," +
			" created, deadline, ops, lists, claims, record FROM {{schema}}.records",
			installation.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions()
			s := newStore(t, o)
			commit(t, s, create(at("other")))
			tx := host(t)
			execute(t, tx, o, tc.winner)
			c := create(at("a"))
			c.Record.Claims = []string{"x", "y"}
			c.Idempotency = &installation.Outcome{
				Digest: installation.Digest{1}, Until: now.Add(time.Hour), Data: []byte("data"),
			}
			failed := make(chan error)
			go func() {
				_, err := s.Commit(t.Context(), c)
				failed <- err
			}()
			awaitBlocked(t, o, "commit_1")
			must(t, tx.Commit(t.Context()))
			if err := <-failed; !errors.Is(err, tc.want) {
				t.Errorf("got error %v, want %v", err, tc.want)
			}
			_, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest)
			if !errors.Is(err, installation.ErrNotFound) {
				t.Errorf("outcome: got error %v, want %v", err, installation.ErrNotFound)
			}
			next := create(at("next"))
			next.Record.Claims = []string{"x"}
			commit(t, s, next)
		})
	}
}
