package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// full returns a change that takes every lock that a commit can take: of a record, a claim, an
// outcome and an event.
func full(id string) installation.Change {
	c := withEvent(create(at(id)), id)
	c.Record.Claims = []string{"claim of " + id}
	c.Idempotency = usedKey()
	copy(c.Idempotency.Digest[:], id)
	return c
}

// TestOpenTransactionDelaysNobody keeps a transaction open after a write, while others work with
// other records: in transactions and without. They finish, a commit trims the log, and a follower
// misses no event of the transaction.
func TestOpenTransactionDelaysNobody(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		ctx, cancel := context.WithTimeout(t.Context(), pgtest.Patience)
		defer cancel()
		commit(t, h, withEvent(create(at("before")), "before"))
		tx := h.begin(t, pgx.TxOptions{})
		commit(t, tx, full("open"))

		for i := range pgstore.TrimEvery { // the last ones trim the log, to all that it has
			_, err := h.Commit(ctx, full(fmt.Sprintf("other %03d", i)))
			must(t, err)
		}
		second := h.begin(t, pgx.TxOptions{})
		_, err := second.Commit(ctx, full("second"))
		must(t, err)
		must(t, second.commit(ctx))
		if _, err := h.Get(ctx, at("open")); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("get of the open record: got error %v, want %v", err, installation.ErrNotFound)
		}
		must(t, h.Trim(ctx, now))
		seen, cursor := reasons(t, h.Store, "")
		if want := 1 + pgstore.TrimEvery + 1; len(seen) != want || slices.Contains(seen, "open") {
			t.Errorf("beside the transaction: got %d events, want %d of others", len(seen), want)
		}

		must(t, tx.commit(ctx))
		commit(t, h, withEvent(create(at("after")), "after"))
		late, _ := reasons(t, h.Store, cursor)
		if want := []string{"open", "after"}; !slices.Equal(late, want) {
			t.Errorf("after the transaction: got %v, want %v", late, want)
		}
		if all, _ := reasons(t, h.Store, ""); !slices.Equal(all, append(seen, late...)) {
			t.Errorf("from the start, a reader gets another order than the follower")
		}
	})
}

// TestFollowerBesideTransactions follows the log while many transactions commit or roll back. The
// follower gets each event of a commit once, and those of each record in their order.
func TestFollowerBesideTransactions(t *testing.T) {
	const writers, rounds = 8, 20
	forHosts(t, func(t *testing.T, h txHost) {
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				c := create(at(fmt.Sprint(w)))
				for round := range rounds {
					lost, kept := h.begin(t, pgx.TxOptions{}), h.begin(t, pgx.TxOptions{})
					_, err := lost.Commit(t.Context(), withEvent(c, "rolled back"))
					err = errors.Join(err, lost.rollback(t.Context()))
					c = withEvent(c, fmt.Sprintf("%d/%02d", w, round))
					_, err2 := kept.Commit(t.Context(), c)
					if err = errors.Join(err, err2, kept.commit(t.Context())); err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
					c = update(c.Record)
				}
			})
		}
		done := make(chan struct{})
		go func() { defer close(done); wait.Wait() }()
		var followed []string
		cursor := ""
		for running := true; running; {
			select {
			case <-done:
				running = false // and read what is left
			default:
			}
			var more []string
			more, cursor = reasons(t, h.Store, cursor)
			followed = append(followed, more...)
		}
		if all, _ := reasons(t, h.Store, ""); !slices.Equal(all, followed) {
			t.Errorf("the follower and a reader from the start differ:\n%v\n%v", followed, all)
		}
		for w := range writers {
			var got, want []string
			for round := range rounds {
				want = append(want, fmt.Sprintf("%d/%02d", w, round))
			}
			for _, reason := range followed {
				if reason[:2] == fmt.Sprint(w)+"/" {
					got = append(got, reason)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("writer %d: got events %v, want %v", w, got, want)
			}
		}
		if n := len(followed); n != writers*rounds {
			t.Errorf("got %d events, want %d", n, writers*rounds)
		}
	})
}

// TestOthersWaitForSameRecord commits what an open transaction has written too. The commit waits,
// and its result depends on how the transaction ends.
func TestOthersWaitForSameRecord(t *testing.T) {
	sameClaim := full("b")
	sameClaim.Record.Claims = full("a").Record.Claims
	sameKey := full("c")
	sameKey.Idempotency = full("a").Idempotency
	for name, c := range map[string]installation.Change{
		"record": full("a"), "claim": sameClaim, "key": sameKey,
	} {
		for _, commits := range []bool{false, true} {
			o := newOptions()
			h := pgxHost(t, setUp(t, o), newPool(t, pgtest.Shared(t).URL("postgres"), 4))
			tx := h.begin(t, pgx.TxOptions{})
			commit(t, tx, full("a"))
			var receipt installation.Receipt
			result := make(chan error)
			go func() {
				var err error
				receipt, err = h.Commit(t.Context(), c)
				result <- err
			}()
			awaitBlocked(t, o, "commit_1")
			var want error
			if commits {
				want = map[string]error{
					"claim": installation.ErrExists,
				}[name]
				must(t, tx.commit(t.Context()))
			} else {
				must(t, tx.rollback(t.Context()))
			}
			err := <-result
			// The record of the transaction also brings the outcome, which comes first.
			wantOutcome := commits && name != "claim"
			if !errors.Is(err, want) || (receipt.Outcome != nil) != wantOutcome {
				t.Errorf("%s, commits %t: got receipt %v, error %v", name, commits, receipt, err)
			}
		}
	}
}

func setUp(t *testing.T, o *pgstore.Options) *pgstore.Options {
	t.Helper()
	migrate(t, pgtest.Shared(t).URL("postgres"), o)
	return o
}

// TestTxForgetsNothing commits in a transaction when an outcome and a tombstone have expired.
// Others can write at their places meanwhile. Trim deletes them.
func TestTxForgetsNothing(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		later := now.Add(2 * time.Hour)
		remove := func(id string, until time.Time) {
			c := full(id)
			commit(t, h, c)
			commit(t, h, installation.Change{
				Op: token(), Now: now, Key: c.Key, If: 1, Record: &installation.Record{
					Key: c.Key, Revision: 2, Generation: 1, Deleted: true, Deadline: until,
				},
			})
		}
		remove("gone", now.Add(time.Hour))
		remove("gone later", later.Add(time.Minute))
		lasting := full("lasting")
		lasting.Idempotency.Until = now.Add(48 * time.Hour)
		commit(t, h, lasting)

		tx := h.begin(t, pgx.TxOptions{})
		open := create(at("open"))
		open.Now = later
		commit(t, tx, open)
		again := full("gone")
		again.Now, again.If, again.Record.Revision = later, 2, 3
		again.Idempotency.Until = later.Add(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), pgtest.Patience)
		defer cancel()
		_, err := h.Commit(ctx, again)
		must(t, err)
		must(t, tx.commit(ctx))

		for _, want := range []error{nil, installation.ErrNotFound} {
			_, err := h.Outcome(ctx, "tenant", again.Idempotency.Digest)
			_, err2 := h.Get(ctx, at("gone later"))
			if !errors.Is(err, want) || !errors.Is(err2, want) {
				t.Errorf("outcome and tombstone: got errors %v and %v, want %v", err, err2, want)
			}
			must(t, h.Trim(ctx, later.Add(time.Minute)))
		}
		_, err = h.Outcome(ctx, "tenant", lasting.Idempotency.Digest)
		must(t, err)
	})
}

// TestAcceptRestoreBesideTransaction accepts a restore while a transaction that wrote is open. It
// fails, since the change of the transaction has the old epoch. Other commits go on. A change that
// was built before the restore is refused in a transaction too.
func TestAcceptRestoreBesideTransaction(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		tx := h.begin(t, pgx.TxOptions{})
		commit(t, tx, full("open"))
		ctx, cancel := context.WithCancel(t.Context())
		accepted := make(chan error)
		go func() {
			_, err := h.AcceptRestore(ctx, now)
			accepted <- err
		}()
		awaitBlocked(t, h.options, "accept_1")
		commit(t, h, full("other"))
		commit(t, tx, full("open too"))
		cancel()
		err := <-accepted
		if !errors.Is(err, context.Canceled) || !errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("accept restore: got error %v, want %v and %v", err, context.Canceled,
				installation.ErrUnavailable)
		}
		must(t, tx.commit(t.Context()))

		tx = h.begin(t, pgx.TxOptions{})
		_, err = tx.Get(t.Context(), at("open"))
		must(t, err)
		in, err := h.AcceptRestore(t.Context(), now)
		must(t, err)
		c := create(at("late"))
		if _, err := tx.Commit(t.Context(), c); !errors.Is(err, installation.ErrEpoch) {
			t.Errorf("change of the old epoch: got error %v, want %v", err, installation.ErrEpoch)
		}
		seen, err := tx.Namespace(t.Context())
		if err != nil || seen != in {
			t.Errorf("namespace in the transaction: got %v, error %v, want %v", seen, err, in)
		}
		c.Epoch = seen.Epoch
		commit(t, tx, c)
		must(t, tx.commit(t.Context()))
	})
}
