package storetest

import (
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

var healthCases = []testCase{
	{"health/findings",
		"Health returns what was found. The error is for a store that could not be asked at all.",
		withAbility(func(t tester, _ installation.Store, h installation.HealthChecker) {
			findings, err := h.Health(t.Context())
			if err != nil {
				t.Errorf("health: %v", err)
			}
			levels := []health.Level{health.OK, health.Unknown, health.Warning, health.Error}
			for _, f := range findings {
				if !slices.Contains(levels, f.Level) || f.Rule == "" || f.Detail == "" {
					t.Errorf("health: finding %+v lacks a known level, a rule or a detail", f)
				}
			}
		})},
}
