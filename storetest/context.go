package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation"
)

var contextCases = []testCase{
	{"context/rejected", "If the context has already ended, the method returns the error of " +
		"the context, and reads and writes nothing.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("stored")))

			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			expired, release := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer release()

			for _, ctx := range []context.Context{cancelled, expired} {
				for name, call := range calls(t, s, stored) {
					if err := call(ctx); !errors.Is(err, ctx.Err()) {
						t.Errorf("%s: got error %v, want error %v", name, err, ctx.Err())
					}
				}
			}
			absent(t, s, at("new"))
			if got := get(t, s, stored.Key); got.Revision != stored.Revision {
				t.Errorf("get %v: got revision %d, want %d as before", stored.Key, got.Revision,
					stored.Revision)
			}
			commit(t, s, create(at("new"))) // fails if the epoch is another
		}},
	{"context/within", "An error caused by the context matches [context.Canceled] or " +
		"[context.DeadlineExceeded].",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("stored")))
			for name := range calls(t, s, stored) {
				for looks := range 12 {
					ctx := endsAfter(t, looks)
					err := calls(t, s, stored)[name](ctx)
					ended := errors.Is(err, context.Canceled) && ctx.ended()
					if err != nil && !ended && !expected(err) {
						t.Errorf("%s, ended after %d looks: got error %v, want none or %v", name,
							looks, err, context.Canceled)
					}
				}
				stored = get(t, s, at("stored"))
			}
		}},
	{"context/while-committing", "If the store cannot know whether c was applied, it returns an " +
		"error that matches [ErrUnknownOutcome].", endCommits},
}

// ending is the tenant of the case that ends the contexts of commits.
const ending = "ending"

// endCommits runs racers in pairs. Each commit of the first ends the context of the commit that the
// second makes meanwhile, so contexts end at any moment of a commit. Unless the error says that the
// outcome is unknown, the record is there if and only if there is no error.
func endCommits(t tester, s installation.Store) {
	var pairs [racers / 2]struct {
		cancel atomic.Pointer[context.CancelFunc] // of the second racer
		done   atomic.Bool
		errs   [20]error
	}
	key := func(pair, n int) installation.Key {
		return installation.Key{Tenant: ending, ID: fmt.Sprint(pair, " ", n)}
	}
	race(t, func(i int) error {
		p := &pairs[i/2]
		if i%2 == 0 {
			c := create(at(fmt.Sprint(i)))
			for !p.done.Load() {
				if _, err := s.Commit(t.Context(), c); err != nil {
					return err
				}
				c = update(c.Record)
				if cancel := p.cancel.Load(); cancel != nil {
					(*cancel)()
				}
			}
			return nil
		}
		defer p.done.Store(true)
		for n := range p.errs {
			ctx, cancel := context.WithCancel(t.Context())
			p.cancel.Store(&cancel)
			_, p.errs[n] = s.Commit(ctx, create(key(i/2, n)))
			cancel()
		}
		return nil
	})
	for pair := range pairs {
		for n, err := range pairs[pair].errs {
			switch key := key(pair, n); {
			case err == nil:
				get(t, s, key)
			case !errors.Is(err, context.Canceled):
				t.Errorf("commit %v: got error %v, want none or %v", key, err, context.Canceled)
			case !errors.Is(err, installation.ErrUnknownOutcome):
				absent(t, s, key)
			}
		}
	}
}

// expected reports whether a call of this case could fail without its context: it has been made
// before, or it is invalid.
func expected(err error) bool {
	return errors.Is(err, installation.ErrConflict) || errors.Is(err, installation.ErrNotFound) ||
		errors.Is(err, installation.ErrInvalid) || errors.Is(err, installation.ErrEpoch)
}

// looked is a context that ends once it was asked for its error so many times.
type looked struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func endsAfter(t tester, looks int) *looked {
	ctx, cancel := context.WithCancel(t.Context())
	l := &looked{Context: ctx, cancel: cancel}
	l.left.Store(int64(looks))
	return l
}

// Err implements [context.Context].
func (l *looked) Err() error {
	if l.left.Add(-1) < 0 {
		l.cancel()
	}
	return l.Context.Err()
}

func (l *looked) ended() bool { return l.Context.Err() != nil }

// calls returns valid calls of all methods of s, by name.
func calls(
	t tester, s installation.Store, stored *installation.Record,
) map[string]func(context.Context) error {
	q := installation.Query{Tenant: stored.Key.Tenant, Term: all, Limit: 1}
	m := map[string]func(context.Context) error{
		"Get":           errorOf(s.Get, stored.Key),
		"Get, nothing":  errorOf(s.Get, at("new")),
		"Commit":        errorOf(s.Commit, create(at("new"))),
		"Commit, again": errorOf(s.Commit, update(stored)),
		"List":          errorOf(s.List, q),
		"Outcome": func(ctx context.Context) error {
			_, err := s.Outcome(ctx, stored.Key.Tenant, digest("none"))
			return err
		},
	}
	m["List, invalid"] = errorOf(s.List, installation.Query{})
	if r, ok := ability[installation.EventReader](t, s); ok {
		m["Events, invalid"] = errorOf(r.Events, installation.EventQuery{})
		m["Events"] = errorOf(r.Events, installation.EventQuery{Tenant: q.Tenant, Limit: 1})
	}
	if c, ok := ability[installation.Counter](t, s); ok {
		m["Count"] = errorOf(c.Count, q)
	}
	if h, ok := ability[installation.HealthChecker](t, s); ok {
		m["Health"] = func(ctx context.Context) error { _, err := h.Health(ctx); return err }
	}
	if n, ok := ability[installation.Namespacer](t, s); ok {
		m["Namespace"] = func(ctx context.Context) error { _, err := n.Namespace(ctx); return err }
		m["AcceptRestore"] = errorOf(n.AcceptRestore, now)
	}
	if o, ok := ability[installation.Mover](t, s); ok {
		m["Put"] = func(ctx context.Context) error {
			_, err := o.Put(ctx, now, row(at("new"), 1))
			return err
		}
	}
	if r, ok := ability[installation.Trimmer](t, s); ok {
		m["Trim"] = func(ctx context.Context) error { return r.Trim(ctx, now) }
	}
	return m
}

// errorOf returns a function that makes the call with the argument and returns only the error.
func errorOf[A, T any](
	call func(context.Context, A) (T, error), argument A,
) func(context.Context) error {
	return func(ctx context.Context) error { _, err := call(ctx, argument); return err }
}
