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

// Whatever matches ErrInvalid has the detail.
func TestErrInvalidHasViolations(t *testing.T) {
	w := fixture.NewWorld(t)
	_, list := w.Host.List(t.Context(), installation.ListRequest{After: "!!"})
	_, events := w.Host.Events(t.Context(), "!!", 0)
	_, period := installation.Period("x").After(time.Now())
	_, opts := installation.New(memstore.New(), fixture.Ring(t), &installation.Options{AcceptURL: "ftp://x.example"})
	plan := billing.Plan{ID: "p", Type: "subscription"}
	for range 1000 {
		d := billing.Detail{Label: strings.Repeat("l", 256), Value: strings.Repeat("v", 4096)}
		plan.Details, plan.HighlightedDetails = append(plan.Details, d), append(plan.HighlightedDetails, d)
	}
	w.Install(t, "i")
	_, large := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{BillingPlan: installation.Value(plan)}})
	for name, err := range map[string]error{"list": list, "events": events, "period": period, "options": opts, "too large": large} {
		detail, ok := errors.AsType[*validate.Error](err)
		if !ok || len(detail.Violations) == 0 || !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("%s: %v has no detail", name, err)
		}
	}
}

// Claims that a store could not keep are refused, and what Options functions do to their argument is not stored.
func TestOptionsFunctionsAreNotTrusted(t *testing.T) {
	for name, claim := range map[string]string{"empty": "", "NUL": "a\x00b", "long": strings.Repeat("c", 2000)} {
		w := fixture.NewWorld(t, func(o *installation.Options) {
			o.Claims = func(*installation.Installation) []string { return []string{claim} }
		})
		if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: fixture.Parts()}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Claims = func(i *installation.Installation) []string { i.Name = "changed"; return nil }
		o.Policy = func(a installation.Actor, do installation.Action, i *installation.Installation) bool {
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
	got, err := plain.In("tenant-1").As(installation.Actor{Kind: installation.Host}).Get(t.Context(), "i")
	if err != nil || got.Name != "Stock Sync" {
		t.Errorf("stored as %q, %v", got.Name, err)
	}
}

// New refuses what cannot work, with a sentence that says what to do.
func TestNewRejectsBadArguments(t *testing.T) {
	ring := fixture.Ring(t)
	for name, make := range map[string]func() (*installation.Service, error){
		"no store":     func() (*installation.Service, error) { return installation.New(nil, ring, nil) },
		"nil memstore": func() (*installation.Service, error) { return installation.New((*memstore.Store)(nil), ring, nil) },
		"no keys":      func() (*installation.Service, error) { return installation.New(memstore.New(), nil, nil) },
		"nil keyring": func() (*installation.Service, error) {
			return installation.New(memstore.New(), (*crypto.Keyring)(nil), nil)
		},
		"empty keyring": func() (*installation.Service, error) { return installation.New(memstore.New(), &crypto.Keyring{}, nil) },
		"negative duration": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{Grace: -1})
		},
		"http": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "http://portal.example/"})
		},
		"no host": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https:///accept"})
		},
		"user in URL": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https://good.example:443@evil.example/"})
		},
		"relative URL": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "//evil.example/x"})
		},
		"script": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "javascript:alert(1)"})
		},
		"fragment": func() (*installation.Service, error) {
			return installation.New(memstore.New(), ring, &installation.Options{AcceptURL: "https://portal.example/#a"})
		},
	} {
		if svc, err := make(); err == nil || svc != nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A period is counted by the calendar; a month that has no such day ends on its last one.
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
		{"7d", "2026-02-25", "2026-03-04"}, {"2w", "2026-12-25", "2027-01-08"}, {"1m", "2026-01-31", "2026-02-28"},
		{"1m", "2028-01-31", "2028-02-29"}, {"3m", "2026-11-30", "2027-02-28"}, {"1y", "2028-02-29", "2029-02-28"}, {"1m", "2026-02-28", "2026-03-28"},
	} {
		got, err := test.period.After(day(test.from))
		if err != nil || !got.Equal(day(test.want)) {
			t.Errorf("%s after %s: %v, %v; want %s", test.period, test.from, got, err, test.want)
		}
	}
	for _, bad := range []installation.Period{"", "d", "7", "0d", "-1d", "07d", "7h", "7 d", "1000d", "100y", "+7d", "7D"} {
		_, err := bad.After(day("2026-01-01"))
		fixture.WantErr(t, string(bad), err, installation.ErrInvalid)
	}
}
