package formats

import (
	"crypto/fips140"
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Rewrapping keeps the suite of the data key. A process that may not use that suite returns
// ErrSuite, and not ErrSealed.
func TestRevealNamesSuite(t *testing.T) {
	if !fips140.Enforced() {
		fixture.RepeatInFIPSMode(t)
		return
	}
	entries := readFormat(t)
	e := entries[slices.IndexFunc(entries, func(e *fixture.GoldenEntry) bool {
		return e.Name == otherSuite
	})]
	svc := frozenService(t, e.Record)
	host := svc.In(e.Record.Key.Tenant).As(installation.Actor{Kind: installation.Host})
	id := e.Record.Key.ID
	got, err := host.Get(t.Context(), id)
	if got == nil || got.ID != id || got.Configuration != nil {
		t.Errorf("got %+v, want the plain fields only", got)
	}
	_, revealErr := revealGolden(t, host, id, "config/api_secret")
	_, rekeyErr := host.Rekey(t.Context(), installation.RekeyRequest{ID: id})
	for what, err := range map[string]error{"get": err, "reveal": revealErr, "rekey": rekeyErr} {
		fixture.WantErr(t, what, err, crypto.ErrSuite)
		if errors.Is(err, installation.ErrSealed) {
			t.Errorf("%s: an unavailable suite is reported as damage", what)
		}
	}
}
