package formats

import (
	"crypto/fips140"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// Rewrapping leaves the data key in its suite. A process that may not use that says so, and not that the record is damaged.
func TestRevealNamesSuite(t *testing.T) {
	if !fips140.Enforced() {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRevealNamesSuite$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
		output, err := cmd.CombinedOutput()
		if strings.Contains(string(output), "fips140: ") || strings.Contains(string(output), "FIPS 140-3 mode not supported") {
			t.Skip("the toolchain has no FIPS 140-3 mode here")
		}
		if err != nil || !strings.Contains(string(output), "--- PASS") {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	entries := readFormat(t)
	e := entries[slices.IndexFunc(entries, func(e *fixture.GoldenEntry) bool { return e.Name == otherSuite })]
	svc, err := installation.New(&frozen{memstore.New(), e.Record}, fixture.GoldenKeys(t), &installation.Options{Now: fixture.NewClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In(e.Record.Key.Tenant).As(installation.Actor{Kind: installation.Host})
	id := e.Record.Key.ID
	got, err := host.Get(t.Context(), id)
	if got == nil || got.ID != id || got.Configuration != nil {
		t.Errorf("what is plain is not there, or more: %+v", got)
	}
	refs := []installation.Ref{installation.ConfigRef("/api_secret")}
	_, revealErr := host.Reveal(t.Context(), installation.RevealRequest{ID: id, Reason: "test", Refs: refs})
	_, rekeyErr := host.Rekey(t.Context(), installation.RekeyRequest{ID: id})
	for what, err := range map[string]error{"get": err, "reveal": revealErr, "rekey": rekeyErr} {
		if fixture.WantErr(t, what, err, crypto.ErrSuite); errors.Is(err, installation.ErrSealed) {
			t.Errorf("%s: a suite that cannot be used here is taken for damage", what)
		}
	}
}
