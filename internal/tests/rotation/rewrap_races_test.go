package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// hookedStore is a store whose commits go through a function of the test.
type hookedStore struct {
	installation.Store
	commit func(ctx context.Context, c installation.Change) (installation.Receipt, error)
}

func (s *hookedStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	return s.commit(ctx, c)
}

// rewrapRace is an event during the commit of a rewrap of i-0, and its effect on the report.
type rewrapRace struct {
	name   string
	commit func(
		t *testing.T, r *fixture.World, try int, c installation.Change,
	) (installation.Receipt, error)
	rewrapped, skipped, failed int
	err                        error
	commits                    int
}

var errReset = fmt.Errorf("connection reset: %w", installation.ErrUnknownOutcome)

// races returns what other callers may do before the commit.
func races() []rewrapRace {
	type change = installation.Change
	type receipt = installation.Receipt
	return []rewrapRace{
		{"a customer writes first", func(
			t *testing.T, r *fixture.World, try int, c change,
		) (receipt, error) {
			if try == 1 {
				if _, err := r.Host.Patch(t.Context(), installation.PatchRequest{
					ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")},
				}); err != nil {
					t.Error(err)
				}
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 1, 0, 0, nil, 2},
		{"another node is first", func(
			t *testing.T, r *fixture.World, _ int, c change,
		) (receipt, error) {
			if _, err := rewrap(t, r.With(t, r.K2, r.K1)); err != nil {
				t.Error(err)
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 0, 1, 0, nil, 1},
		{"deleted first", func(
			t *testing.T, r *fixture.World, _ int, c change,
		) (receipt, error) {
			_, err := r.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i-0"})
			if err != nil {
				t.Error(err)
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 0, 1, 0, nil, 1},
	}
}

// lostAnswers returns commits whose answer does not say what happened.
func lostAnswers() []rewrapRace {
	type change = installation.Change
	type receipt = installation.Receipt
	return []rewrapRace{
		{"the answer is lost", func(
			t *testing.T, r *fixture.World, _ int, c change,
		) (receipt, error) {
			if _, err := r.Store.Store.Commit(t.Context(), c); err != nil {
				t.Error(err)
			}
			return receipt{}, errReset
		}, 1, 0, 0, nil, 1},
		{"the write is lost", func(
			*testing.T, *fixture.World, int, change,
		) (receipt, error) {
			return receipt{}, errReset
		}, 0, 0, 1, installation.ErrUnknownOutcome, 1},
		{"not replicated", func(
			t *testing.T, r *fixture.World, _ int, c change,
		) (receipt, error) {
			got, err := r.Store.Store.Commit(t.Context(), c)
			return got, errors.Join(err, installation.ErrNotReplicated)
		}, 1, 0, 0, installation.ErrNotReplicated, 1},
	}
}

// A rewrap handles other writes between its read and its commit, and a lost answer.
func TestRewrapRaces(t *testing.T) {
	for _, test := range append(races(), lostAnswers()...) {
		t.Run(test.name, func(t *testing.T) {
			r := fixture.NewWorld(t)
			r.Fill(t, r.With(t, r.K1), 1)
			commits := 0
			store := &hookedStore{Store: r.Store.Store}
			store.commit = func(
				_ context.Context, c installation.Change,
			) (installation.Receipt, error) {
				commits++
				return test.commit(t, r, commits, c)
			}
			report, err := rewrap(t, r.On(t, store, fixture.RingOf(t, r.K2, r.K1)))
			if report.Rewrapped != test.rewrapped || report.Skipped != test.skipped ||
				report.Failed != test.failed || commits != test.commits {
				t.Errorf("%+v with %d commits; want %d, %d, %d with %d",
					report, commits, test.rewrapped, test.skipped, test.failed, test.commits)
			}
			if test.err == nil && err != nil || !errors.Is(err, test.err) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
		})
	}
}

// commitChanged commits the record of c after a change of it.
func commitChanged(
	t *testing.T, r *fixture.World, c installation.Change, edit func(*installation.Record),
) error {
	t.Helper()
	changed := *c.Record
	edit(&changed)
	c.Record = &changed
	_, err := r.Store.Store.Commit(t.Context(), c)
	return err
}

// A store that does not keep what it committed ends the run at the first record, as a store
// out of reach does.
func TestRewrapReadsBack(t *testing.T) {
	for name, lose := range map[string]func(r *fixture.World, c installation.Change) error{
		"out of reach": func(*fixture.World, installation.Change) error {
			return installation.ErrUnavailable
		},
		"nothing written": func(*fixture.World, installation.Change) error { return nil },
		"the old body": func(r *fixture.World, c installation.Change) error {
			before, err := r.Store.Store.Get(t.Context(), c.Key)
			if err != nil {
				return err
			}
			return commitChanged(t, r, c, func(record *installation.Record) {
				record.Body = before.Body
			})
		},
		"a damaged key": func(r *fixture.World, c installation.Change) error {
			return commitChanged(t, r, c, func(record *installation.Record) {
				body := record.Body.Bytes()
				body[bytes.Index(body, []byte("k2"))+20] ^= 1 // within the salt
				record.Body = installation.BodyFromBytes(body)
			})
		},
		"the old index": func(r *fixture.World, c installation.Change) error {
			before, err := r.Store.Store.Get(t.Context(), c.Key)
			if err != nil {
				return err
			}
			return commitChanged(t, r, c, func(record *installation.Record) {
				record.Index = before.Index
			})
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 3)
		commits := 0
		store := &hookedStore{Store: r.Store.Store}
		store.commit = func(
			_ context.Context, c installation.Change,
		) (installation.Receipt, error) {
			commits++
			return installation.Receipt{Revision: c.Record.Revision}, lose(r, c)
		}
		report, err := rewrap(t, r.On(t, store, fixture.RingOf(t, r.K2, r.K1)))
		if commits != 1 || report.Failed != 1 || report.Rewrapped != 0 ||
			err == nil || report.After != nil {
			t.Errorf("%s: %d commits, %+v, %v; want an end at the first",
				name, commits, report, err)
		}
	}
}
