package storetest

import (
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

var healthCases = []testCase{
	{"health/findings",
		"Health returns what it found, good or bad. An error means that the store did not answer.",
		withAbility(func(t tester, _ installation.Store, h installation.HealthChecker) {
			findings, err := h.Health(t.Context())
			if err != nil {
				t.Errorf("health: got error %v, want none", err)
			}
			levels := []health.Level{health.OK, health.Unknown, health.Warning, health.Error}
			for _, f := range findings {
				if !slices.Contains(levels, f.Level) || f.Rule == "" || f.Detail == "" {
					t.Errorf("health: got %v, want a known level, a rule and a detail", f)
				}
			}
		})},
}
