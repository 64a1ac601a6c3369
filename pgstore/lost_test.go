package pgstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
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

// TestLostLook loses the look for a restore that comes before a commit. The commit was not sent, so
// its outcome is known.
func TestLostLook(t *testing.T) {
	s, p := newLossyStore(t, func(o *pgstore.Options) { o.FailoverLoss = 1 }) // every call looks
	c := create(at("a"))
	commit(t, s, c)
	stale := update(c.Record)
	for range installation.RememberedOps {
		c = update(c.Record)
		commit(t, s, c)
	}
	lost := 0
	p.Lose("reached_1", func() pgtest.Loss {
		if lost++; lost > 1 {
			return pgtest.LoseNothing
		}
		return pgtest.LoseAnswer
	})
	_, err := s.Commit(t.Context(), stale)
	if !errors.Is(err, installation.ErrConflict) || lost < 2 {
		t.Errorf("got error %v after %d looks, want %v after 2", err, lost,
			installation.ErrConflict)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.Lose("reached_1", func() pgtest.Loss {
		if lost++; lost == 5 {
			cancel()
		}
		return pgtest.LoseAnswer
	})
	_, err = s.Commit(ctx, update(c.Record))
	wantUnavailable(t, "no look succeeds", err, "the connection failed")
}

// TestLostBeforeAcceptance loses the answer to a commit that was applied. Before the retry, other
// changes follow, and a restore is accepted. The epoch alone does not prove that the change was
// never applied: the record may have forgotten it.
func TestLostBeforeAcceptance(t *testing.T) {
	for name, tc := range map[string]struct {
		loss   pgtest.Loss
		others int
		want   error
	}{
		"remembered":  {pgtest.LoseAnswer, 7, nil},
		"forgotten":   {pgtest.LoseAnswer, 8, installation.ErrUnknownOutcome},
		"not applied": {pgtest.LoseStatement, 7, installation.ErrEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			var o *pgstore.Options
			lossy, p := newLossyStore(t, func(options *pgstore.Options) { o = options })
			direct := open(t, newPool(t, pgtest.Shared(t).URL("postgres"), 2), o)
			first := create(at("a"))
			commit(t, direct, first)
			meanwhile := func() error {
				for range tc.others {
					stored, err := direct.Get(t.Context(), first.Key)
					if err != nil {
						return err
					}
					if _, err := direct.Commit(t.Context(), update(stored)); err != nil {
						return err
					}
				}
				_, err := direct.AcceptRestore(t.Context(), now)
				return err
			}
			tries := 0
			p.Lose("commit_1", func() pgtest.Loss {
				if tries++; tries == 1 {
					return tc.loss
				}
				if err := meanwhile(); err != nil {
					t.Errorf("other changes: %v", err)
				}
				return pgtest.LoseNothing
			})
			_, err := lossy.Commit(t.Context(), update(first.Record))
			if !errors.Is(err, tc.want) || tries != 2 {
				t.Errorf("got error %v after %d tries, want %v after 2", err, tries, tc.want)
			}
			if errors.Is(tc.want, installation.ErrUnknownOutcome) &&
				errors.Is(err, installation.ErrEpoch) {
				t.Errorf("got error %v, which makes the service write again", err)
			}
		})
	}
}
