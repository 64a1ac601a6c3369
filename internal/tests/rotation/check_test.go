package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// checkCase is a choice of keys and the findings it must lead to.
type checkCase struct {
	name string
	keys func(r *fixture.World) crypto.KeyWrapper
	want []string // level, rule and key of each finding
}

// checkCases returns choices of keys for records under k1, k2 and kms1, which is a key of
// service.
func checkCases(t *testing.T, service *fixture.KeyService) []checkCase {
	t.Helper()
	changed := fixture.NewKeyService(t, otherSecret)
	down := fixture.NewKeyService(t, fixture.ServiceSecret)
	down.Down.Store(true)
	// with puts a key of a key service before a keyring.
	with := func(s *fixture.KeyService, ring *crypto.Keyring) crypto.KeyWrapper {
		return fixture.NewKeySet(t, s.Key(t, "kms1", crypto.KMSOptions{}), ring)
	}
	return []checkCase{
		{"as it should be", func(r *fixture.World) crypto.KeyWrapper {
			return with(service, fixture.RingOf(t, r.K1, r.K2))
		}, nil},
		{"key changed in the keyring", func(r *fixture.World) crypto.KeyWrapper {
			other := fixture.NewKey(t, "k1", otherSecret)
			return with(service, fixture.RingOf(t, other, r.K2))
		}, []string{"error wrong-key k1"}},
		{"primary changed in the key service", func(r *fixture.World) crypto.KeyWrapper {
			return with(changed, fixture.RingOf(t, r.K1, r.K2))
		}, []string{"error key-does-not-open kms1"}},
		{"keys exchanged", func(*fixture.World) crypto.KeyWrapper {
			k1 := fixture.NewKey(t, "k1", "fedcba9876543210fedcba9876543210")
			k2 := fixture.NewKey(t, "k2", "0123456789abcdef0123456789abcdef")
			return with(service, fixture.RingOf(t, k2, k1))
		}, []string{"error wrong-key k1", "error wrong-key k2"}},
		{"key missing", func(r *fixture.World) crypto.KeyWrapper {
			return with(service, fixture.RingOf(t, r.K2))
		}, []string{"error key-missing k1"}},
		{"two keys missing", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.RingOf(t, fixture.NewKey(t, "k3", fixture.ServiceSecret), r.K2)
		}, []string{"error key-missing k1", "error key-missing kms1"}},
		{"key service out of reach", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.NewKeySet(t, fixture.RingOf(t, r.K1, r.K2),
				down.Key(t, "kms1", crypto.KMSOptions{}))
		}, []string{"unknown key-unavailable kms1"}},
	}
}

// findingKeys returns the level, the rule and the ids of the keys of each finding, sorted.
func findingKeys(report *installation.Report) []string {
	var found []string
	for _, f := range report.Findings {
		words := strings.FieldsFunc(f.Detail, func(c rune) bool {
			return c == ' ' || c == ',' || c == ':'
		})
		ids := slices.DeleteFunc(words, func(word string) bool {
			return word != "k1" && word != "k2" && word != "kms1"
		})
		found = append(found, fmt.Sprintf("%s %s %s", f.Level, f.Rule, strings.Join(ids, "+")))
	}
	slices.Sort(found)
	return found
}

// Check finds a key that is wrong, missing or changed, and names it by its id alone.
func TestCheckTriesKeys(t *testing.T) {
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	for _, test := range checkCases(t, service) {
		t.Run(test.name, func(t *testing.T) {
			r := fixture.NewWorld(t)
			r.Add(t, r.With(t, r.K1), "a")
			r.Add(t, r.With(t, r.K1), "b")
			r.Add(t, r.With(t, r.K2), "c")
			r.Add(t, r.On(t, r.Store, service.Key(t, "kms1", crypto.KMSOptions{})), "d")
			commits := len(r.Store.Changes())
			// A cache that knows the right keys must not hide a wrong one.
			host := r.On(t, r.Store, fixture.NewCache(t, test.keys(r), nil))
			report, err := host.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := findingKeys(report); !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
			if report.Records != 4 || len(r.Store.Changes()) != commits {
				t.Errorf("%d records counted, %d commits made",
					report.Records, len(r.Store.Changes())-commits)
			}
		})
	}
}

// oneWay is a key service that cannot unwrap its own keys.
type oneWay struct{ *fixture.KeyService }

func (oneWay) UnwrapKey(context.Context, []byte, crypto.EncryptionContext) ([]byte, error) {
	return nil, crypto.ErrSealed
}

// Check tries a new primary key before anything is stored under it.
func TestCheckTriesPrimary(t *testing.T) {
	r := fixture.NewWorld(t)
	keys, err := crypto.NewKMS("kms1", oneWay{fixture.NewKeyService(t, fixture.ServiceSecret)},
		&crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.On(t, r.Store, keys).Check(t.Context())
	if err != nil || report.OK() || !strings.Contains(report.Findings[0].Detail, "kms1") {
		t.Errorf("%+v, %v", report, err)
	}
}

// A cache does not hide from Check that the key behind it was changed.
func TestCheckBypassesCache(t *testing.T) {
	r := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	keys := fixture.NewCache(t, service.Key(t, "kms1", crypto.KMSOptions{}), nil)
	host := r.On(t, r.Store, keys)
	r.Add(t, host, "a")
	fixture.WantReadable(t, host, "a")
	service.ChangeSecret(t, otherSecret)
	fixture.WantReadable(t, host, "a")
	if report, err := host.Check(t.Context()); err != nil || report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

// Check finds a key that differs between two processes as soon as one record is under it,
// which is before it becomes primary everywhere.
func TestCheckComparesAddedKey(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 3)
	// k2 was added with another secret by mistake.
	other := r.With(t, r.K1, fixture.NewKey(t, "k2", otherSecret))
	if report, err := other.Check(t.Context()); err != nil || len(report.Findings) != 0 {
		t.Errorf("nothing is stored under k2: %+v, %v", report, err)
	}
	r.Add(t, r.With(t, r.K2, r.K1), "first")
	report, err := other.Check(t.Context())
	if got := findings(report); err != nil ||
		!slices.Equal(got, []string{"error wrong-key"}) ||
		!strings.Contains(report.Findings[0].Detail, "k2") {
		t.Errorf("one is stored under k2: %+v, %v", report, err)
	}
}

// listRecorder records the terms of its lists.
type listRecorder struct {
	installation.Decorator
	terms []string
}

func (s *listRecorder) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	s.terms = append(s.terms, q.Term)
	return s.Store.List(ctx, q)
}

// A record that was purged without its key needs no key, so Check does not search all
// records for one.
func TestCheckIgnoresPurgedRecords(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "a")
	if _, err := r.With(t, r.K2).Uninstall(t.Context(), installation.UninstallRequest{
		ID: "a", Final: true,
	}); err != nil {
		t.Fatal(err)
	}
	store := &listRecorder{Decorator: installation.Decorator{Store: r.Store}}
	report, err := r.On(t, store, fixture.RingOf(t, r.K2)).Check(t.Context())
	if err != nil || len(report.Findings) != 0 || report.Records != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if slices.Contains(store.terms, "@all") {
		t.Errorf("it listed %q", store.terms)
	}
	if err := r.With(t, r.K2, r.K1).CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("retire: %v", err)
	}
}

// Check trusts a key that opens one record, although another record is damaged.
func TestCheckToleratesDamage(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 3)
	r.EditRecord(t, "i-0", func(record *installation.Record) {
		record.Body = installation.BodyFromBytes([]byte("\x01damaged"))
	})
	if report, err := r.With(t, r.K1).Check(t.Context()); err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}
