package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// An installation that is as large as its customer can make it can still be refreshed, rekeyed and
// ended.
func TestLargestInstallationCanBeEnded(t *testing.T) {
	w := fixture.NewWorld(t)
	install := func(bytes int) error {
		_, err := w.Customer.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: partsOf(bytes),
		})
		return err
	}
	largest, tooLarge := 2_000_000, 4_000_000
	for tooLarge-largest > 1 {
		middle := (largest + tooLarge) / 2
		if err := install(middle); err != nil {
			fixture.WantViolation(t, err, "", validate.RuleTooLarge)
			tooLarge = middle
		} else {
			largest = middle
		}
	}
	if err := install(largest); err != nil {
		t.Fatal(err)
	}
	long := installation.Token{Value: crypto.NewSecret(strings.Repeat("t", 64<<10))}
	_, err := w.Host.Refresh(t.Context(), installation.RefreshRequest{ID: "i"}, func(
		context.Context, *installation.Opened,
	) (installation.Tokens, error) {
		scopes := slices.Repeat([]string{strings.Repeat("s", 200)}, 1000)
		return installation.Tokens{Access: long, Refresh: long, Scopes: scopes}, nil
	})
	if err != nil {
		t.Errorf("Refresh: %v", err)
	}
	for _, final := range []bool{false, true} {
		_, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
		if err != nil {
			t.Errorf("Rekey: %v", err)
		}
		req := installation.UninstallRequest{ID: "i", Final: final}
		if _, err := w.Host.Uninstall(t.Context(), req); err != nil {
			t.Errorf("Uninstall, final %t: %v", final, err)
		}
	}
}

// partsOf returns parts with a consent of about so many bytes.
func partsOf(bytes int) installation.Parts {
	var consent installation.Consent
	for n := 0; bytes > 0; n++ {
		part := min(bytes, 2000)
		term := installation.Reference{
			ID: fmt.Sprintf("TRM-%04d", n), Name: strings.Repeat("n", 200),
			Icon: strings.Repeat("i", part),
		}
		if n < 1000 {
			consent.Terms = append(consent.Terms, term)
		} else {
			consent.Modules = append(consent.Modules, term)
		}
		bytes -= part
	}
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
		Account:   installation.Value(installation.Account{ID: "ACC-1"}),
		Consent:   installation.Value(consent),
		Connection: installation.Value(installation.Connection{
			RefreshToken: installation.Token{Value: crypto.NewSecret("refresh-1")},
		}),
	}
}
