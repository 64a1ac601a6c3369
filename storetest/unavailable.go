package storetest

import (
	"errors"

	"github.com/go-installation/installation"
)

var unavailableCases = []testCase{
	{"unavailable/reads", "A store that cannot answer returns an error that matches " +
		"[ErrUnavailable], and never [ErrNotFound].",
		func(t tester, s installation.Store) {
			_, err := s.Get(t.Context(), at("a"))
			onlyMatches(t, err, installation.ErrUnavailable, "get")
			_, err = s.Outcome(t.Context(), "tenant", digest("key"))
			onlyMatches(t, err, installation.ErrUnavailable, "outcome")
			_, err = s.List(t.Context(), installation.Query{Tenant: "tenant", Term: all, Limit: 1})
			onlyMatches(t, err, installation.ErrUnavailable, "list")
			if r, ok := ability[installation.EventReader](t, s); ok {
				_, err = r.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 1})
				onlyMatches(t, err, installation.ErrUnavailable, "events")
			}
			if c, ok := ability[installation.Counter](t, s); ok {
				_, err = c.Count(t.Context(), everything)
				onlyMatches(t, err, installation.ErrUnavailable, "count")
			}
		}},
	{"unavailable/commit", "If the store cannot know whether c was applied, it returns an " +
		"error that matches [ErrUnknownOutcome].",
		func(t tester, s installation.Store) {
			_, err := s.Commit(t.Context(), create(at("a")))
			if !errors.Is(err, installation.ErrUnavailable) &&
				!errors.Is(err, installation.ErrUnknownOutcome) {
				t.Errorf("commit: got error %v, want %v or %v", err, installation.ErrUnavailable,
					installation.ErrUnknownOutcome)
			}
		}},
	{"unavailable/health", "An error means that the store did not answer.",
		withAbility(func(t tester, _ installation.Store, h installation.HealthChecker) {
			if findings, err := h.Health(t.Context()); err == nil {
				t.Errorf("health: got %v, want an error", findings)
			}
		})},
	{"unavailable/accept-restore", "A store that cannot answer returns an error that matches " +
		"[ErrUnavailable], and never [ErrNotFound].",
		withAbility(func(t tester, _ installation.Store, n installation.Namespacer) {
			_, err := n.AcceptRestore(t.Context(), now)
			onlyMatches(t, err, installation.ErrUnavailable, "accept restore")
		})},
	{"unavailable/scan", "A store that cannot answer returns an error that matches " +
		"[ErrUnavailable], and never [ErrNotFound].",
		withAbility(func(t tester, _ installation.Store, m installation.Mover) {
			var last error
			for _, err := range m.Scan(t.Context()) {
				last = err
			}
			onlyMatches(t, last, installation.ErrUnavailable, "scan")
		})},
	{"unavailable/put", "If the store cannot know whether it has written the row, the error " +
		"matches [ErrUnknownOutcome].",
		withAbility(func(t tester, _ installation.Store, m installation.Mover) {
			_, err := m.Put(t.Context(), now, row(at("a"), 1))
			if !errors.Is(err, installation.ErrUnavailable) &&
				!errors.Is(err, installation.ErrUnknownOutcome) {
				t.Errorf("put: got error %v, want %v or %v", err, installation.ErrUnavailable,
					installation.ErrUnknownOutcome)
			}
		})},
}
