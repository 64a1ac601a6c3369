package storetest

import (
	"context"
	"errors"
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
}

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
	return m
}

// errorOf returns a function that makes the call with the argument and returns only the error.
func errorOf[A, T any](
	call func(context.Context, A) (T, error), argument A,
) func(context.Context) error {
	return func(ctx context.Context) error { _, err := call(ctx, argument); return err }
}
