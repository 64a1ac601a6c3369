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

// Rewrapping leaves values in the suite that they have. A process that may not use that says so, and not that they are damaged.
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
	i, err := host.Get(t.Context(), e.Record.Key.ID)
	if err != nil || len(i.Sealed) == 0 {
		t.Fatalf("%+v, %v", i, err)
	}
	answers, err := host.Reveal(t.Context(), installation.RevealRequest{ID: i.ID, Reason: "test", Refs: i.Sealed})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if !errors.Is(a.Err, crypto.ErrSuite) || errors.Is(a.Err, installation.ErrSealed) {
			t.Errorf("%s: %v, want %v", a.Ref, a.Err, crypto.ErrSuite)
		}
	}
	_, err = host.Rekey(t.Context(), installation.RekeyRequest{ID: i.ID})
	fixture.WantErr(t, "rekey", err, crypto.ErrSuite)
}
