package requests

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/validate"
)

// Every error that matches ErrInvalid carries its violations.
func TestErrInvalidHasViolations(t *testing.T) {
	w := fixture.NewWorld(t)
	_, list := w.Host.List(t.Context(), installation.ListRequest{After: "!!"})
	_, events := w.Host.Events(t.Context(), "!!", 0)
	_, period := installation.Period("x").After(time.Now())
	_, opts := installation.New(memstore.New(), fixture.Ring(t),
		&installation.Options{AcceptURL: "ftp://x.example"})
	plan := billing.Plan{ID: "p", Type: "subscription"}
	for range 1000 {
		d := billing.Detail{Label: strings.Repeat("l", 256), Value: strings.Repeat("v", 4096)}
		plan.Details = append(plan.Details, d)
		plan.HighlightedDetails = append(plan.HighlightedDetails, d)
	}
	w.Install(t, "i")
	_, large := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{BillingPlan: installation.Value(plan)},
	})
	for name, err := range map[string]error{
		"list": list, "events": events, "period": period, "options": opts, "too large": large,
	} {
		detail, ok := errors.AsType[*validate.Error](err)
		if !ok || len(detail.Violations) == 0 || !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("%s: %v has no violations", name, err)
		}
	}
}

// The service rejects claims that a store cannot keep. Changes that an Options function
// makes to its argument are not stored.
func TestOptionsFunctionsAreNotTrusted(t *testing.T) {
	for name, claim := range map[string]string{
		"empty": "", "NUL": "a\x00b", "long": strings.Repeat("c", 2000),
	} {
		w := fixture.NewWorld(t, func(o *installation.Options) {
			o.Claims = func(*installation.Installation) []string { return []string{claim} }
		})
		if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
			ID: "i", Parts: fixture.Parts(),
		}); err == nil {
			t.Errorf("%s: the claim was accepted", name)
		}
	}
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Claims = func(i *installation.Installation) []string { i.Name = "changed"; return nil }
		o.Policy = func(
			a installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			if i != nil {
				i.Name = "changed"
			}
			return true
		}
	})
	w.Install(t, "i")
	plain, err := installation.New(w.Store.Store, fixture.Ring(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := plain.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	got, err := host.Get(t.Context(), "i")
	if err != nil || got.Name != "Stock Sync" {
		t.Errorf("stored as %q, %v", got.Name, err)
	}
}

// New rejects a missing store, missing keys and bad options.
func TestNewRejectsBadArguments(t *testing.T) {
	ring := fixture.Ring(t)
	withURL := func(url string) func() (*installation.Service, error) {
		return func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: url})
		}
	}
	for name, make := range map[string]func() (*installation.Service, error){
		"no store": func() (*installation.Service, error) {
			return installation.New(nil, ring, nil)
		},
		"nil memstore": func() (*installation.Service, error) {
			return installation.New((*memstore.Store)(nil), ring, nil)
		},
		"no keys": func() (*installation.Service, error) {
			return installation.New(memstore.New(), nil, nil)
		},
		"nil keyring": func() (*installation.Service, error) {
			return installation.New(memstore.New(), (*crypto.Keyring)(nil), nil)
		},
		"empty keyring": func() (*installation.Service, error) {
			return installation.New(memstore.New(), &crypto.Keyring{}, nil)
		},
		"negative duration": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{Grace: -1})
		},
		"http":         withURL("http://portal.example/"),
		"no host":      withURL("https:///accept"),
		"user in URL":  withURL("https://good.example:443@evil.example/"),
		"relative URL": withURL("//evil.example/x"),
		"script":       withURL("javascript:alert(1)"),
		"fragment":     withURL("https://portal.example/#a"),
	} {
		if svc, err := make(); err == nil || svc != nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A period follows the calendar. In a month without that day it ends on the last day.
func TestPeriod(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Add(15 * time.Hour)
	}
	for _, test := range []struct {
		period     installation.Period
		from, want string
	}{
		{"7d", "2026-02-25", "2026-03-04"},
		{"2w", "2026-12-25", "2027-01-08"},
		{"1m", "2026-01-31", "2026-02-28"},
		{"1m", "2028-01-31", "2028-02-29"},
		{"3m", "2026-11-30", "2027-02-28"},
		{"1y", "2028-02-29", "2029-02-28"},
		{"1m", "2026-02-28", "2026-03-28"},
	} {
		got, err := test.period.After(day(test.from))
		if err != nil || !got.Equal(day(test.want)) {
			t.Errorf("%s after %s: %v, %v; want %s", test.period, test.from, got, err, test.want)
		}
	}
	for _, bad := range []installation.Period{
		"", "d", "7", "0d", "-1d", "07d", "7h", "7 d", "1000d", "100y", "+7d", "7D",
	} {
		_, err := bad.After(day("2026-01-01"))
		fixture.WantErr(t, string(bad), err, installation.ErrInvalid)
	}
}

// OutcomeBytes can be as large as a record, and no larger.
func TestOutcomeBytesHasBounds(t *testing.T) {
	for n, ok := range map[int]bool{
		-1: false, 0: true, 1: true, 4 << 20: true, 4<<20 + 1: false,
	} {
		opts := &installation.Options{OutcomeBytes: n}
		_, err := installation.New(memstore.New(), fixture.Ring(t), opts)
		if (err == nil) != ok {
			t.Errorf("%d: error %v", n, err)
		}
	}
}
