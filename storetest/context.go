package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/go-installation/installation"
)

var contextCases = []testCase{
	{
		name: "context/rejected",
		rule: "If the context has already ended, the method returns the error of the " +
			"context, and reads and writes nothing.",
		run: func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("stored")))

			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			expired, release := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer release()

			for _, ctx := range []context.Context{cancelled, expired} {
				for name, call := range calls(s, stored) {
					if err := call(ctx); !errors.Is(err, ctx.Err()) {
						t.Errorf("%s: error %v, want %v", name, err, ctx.Err())
					}
				}
			}
			absent(t, s, at("new"))
			if got := get(t, s, stored.Key); got.Revision != stored.Revision {
				t.Errorf("revision %d, want %d as before", got.Revision,
					stored.Revision)
			}
		},
	},
}

// calls returns one valid call of each method of s.
func calls(
	s installation.Store, stored *installation.Record,
) map[string]func(context.Context) error {
	q := installation.Query{Tenant: stored.Key.Tenant, Term: all, Limit: 1}
	get := func(key installation.Key) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Get(ctx, key); return err }
	}
	commit := func(c installation.Change) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Commit(ctx, c); return err }
	}
	m := map[string]func(context.Context) error{
		"Get":           get(stored.Key),
		"Get, nothing":  get(at("new")),
		"Commit":        commit(create(at("new"))),
		"Commit, again": commit(update(stored)),
		"List": func(ctx context.Context) error {
			_, err := s.List(ctx, q)
			return err
		},
		"Outcome": func(ctx context.Context) error {
			_, err := s.Outcome(ctx, stored.Key.Tenant, digest("none"))
			return err
		},
	}
	if r, ok := s.(installation.EventReader); ok {
		m["Events"] = func(ctx context.Context) error {
			_, err := r.Events(ctx,
				installation.EventQuery{Tenant: stored.Key.Tenant, Limit: 1})
			return err
		}
	}
	if c, ok := s.(installation.Counter); ok {
		m["Count"] = func(ctx context.Context) error { _, err := c.Count(ctx, q); return err }
	}
	if h, ok := s.(installation.HealthChecker); ok {
		m["Health"] = func(ctx context.Context) error { _, err := h.Health(ctx); return err }
	}
	return m
}
