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

// A key that is wrong, missing or not what it was is found before the first request, and named by its id alone.
func TestCheckTriesKeys(t *testing.T) {
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	changed := fixture.NewKeyService(t, "another-secret-of-thirty-two-byt")
	down := fixture.NewKeyService(t, fixture.ServiceSecret)
	down.Down.Store(true)
	for _, test := range []struct {
		name string
		keys func(r *fixture.World) crypto.KeyWrapper
		want []string // level, rule and key of each finding
	}{
		{"as it should be", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.NewKeySet(t, service.Key(t, "kms1", crypto.KMSOptions{}), fixture.RingOf(t, r.K1, r.K2))
		}, nil},
		{"key changed in the keyring", func(r *fixture.World) crypto.KeyWrapper {
			other := fixture.NewKey(t, "k1", "another-secret-of-thirty-two-byt")
			return fixture.NewKeySet(t, service.Key(t, "kms1", crypto.KMSOptions{}), fixture.RingOf(t, other, r.K2))
		}, []string{"error wrong-key k1"}},
		{"primary changed in the key service", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.NewKeySet(t, changed.Key(t, "kms1", crypto.KMSOptions{}), fixture.RingOf(t, r.K1, r.K2))
		}, []string{"error key-does-not-open kms1"}},
		{"keys exchanged", func(r *fixture.World) crypto.KeyWrapper {
			k1, k2 := fixture.NewKey(t, "k1", "fedcba9876543210fedcba9876543210"), fixture.NewKey(t, "k2", "0123456789abcdef0123456789abcdef")
			return fixture.NewKeySet(t, service.Key(t, "kms1", crypto.KMSOptions{}), fixture.RingOf(t, k2, k1))
		}, []string{"error wrong-key k1", "error wrong-key k2"}},
		{"key missing", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.NewKeySet(t, service.Key(t, "kms1", crypto.KMSOptions{}), fixture.RingOf(t, r.K2))
		}, []string{"error key-missing k1"}},
		{"two keys missing", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.RingOf(t, fixture.NewKey(t, "k3", fixture.ServiceSecret), r.K2)
		},
			[]string{"error key-missing k1", "error key-missing kms1"}},
		{"key service out of reach", func(r *fixture.World) crypto.KeyWrapper {
			return fixture.NewKeySet(t, fixture.RingOf(t, r.K1, r.K2), down.Key(t, "kms1", crypto.KMSOptions{}))
		}, []string{"unknown key-unavailable kms1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fixture.NewWorld(t)
			r.Add(t, r.With(t, r.K1), "a")
			r.Add(t, r.With(t, r.K1), "b")
			r.Add(t, r.With(t, r.K2), "c")
			r.Add(t, r.On(t, r.Store, service.Key(t, "kms1", crypto.KMSOptions{})), "d")
			commits := len(r.Store.Changes())
			// A cache that knows the right keys must not hide a wrong one.
			report, err := r.On(t, r.Store, fixture.NewCache(t, test.keys(r), nil)).Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				id := slices.DeleteFunc(strings.FieldsFunc(f.Detail, func(c rune) bool { return c == ' ' || c == ',' || c == ':' }), func(word string) bool {
					return word != "k1" && word != "k2" && word != "kms1"
				})
				got = append(got, fmt.Sprintf("%s %s %s", f.Level, f.Rule, strings.Join(id, "+")))
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
			if report.Records != 4 || len(r.Store.Changes()) != commits {
				t.Errorf("%d records counted, %d commits made", report.Records, len(r.Store.Changes())-commits)
			}
		})
	}
}

// oneWay is a key service that does not open what it wrapped.
type oneWay struct{ *fixture.KeyService }

func (oneWay) UnwrapKey(context.Context, []byte, crypto.EncryptionContext) ([]byte, error) {
	return nil, crypto.ErrSealed
}

// A new primary key is tried before anything is stored under it.
func TestCheckTriesPrimary(t *testing.T) {
	r := fixture.NewWorld(t)
	keys, err := crypto.NewKMS("kms1", oneWay{fixture.NewKeyService(t, fixture.ServiceSecret)}, &crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.On(t, r.Store, keys).Check(t.Context()); err != nil || report.OK() || !strings.Contains(report.Findings[0].Detail, "kms1") {
		t.Errorf("%+v, %v", report, err)
	}
}

// What a cache remembers does not hide that the key behind it was changed.
func TestCheckBypassesCache(t *testing.T) {
	r := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	host := r.On(t, r.Store, fixture.NewCache(t, service.Key(t, "kms1", crypto.KMSOptions{}), nil))
	r.Add(t, host, "a")
	fixture.WantReadable(t, host, "a")
	service.ChangeSecret(t, "another-secret-of-thirty-two-byt")
	fixture.WantReadable(t, host, "a")
	if report, err := host.Check(t.Context()); err != nil || report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

// A key that differs between two processes shows nowhere as long as nothing is stored under it, and then at once: before the others are
// promoted.
func TestCheckComparesAddedKey(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 3)
	other := r.With(t, r.K1, fixture.NewKey(t, "k2", otherSecret)) // added, by mistake with a key of its own
	if report, err := other.Check(t.Context()); err != nil || len(report.Findings) != 0 {
		t.Errorf("nothing is stored under k2: %+v, %v", report, err)
	}
	r.Add(t, r.With(t, r.K2, r.K1), "first")
	report, err := other.Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"error wrong-key"}) || !strings.Contains(report.Findings[0].Detail, "k2") {
		t.Errorf("one is stored under k2: %+v, %v", report, err)
	}
}

// lister takes down what is listed.
type lister struct {
	installation.Store
	terms []string
}

func (s *lister) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	s.terms = append(s.terms, q.Term)
	return s.Store.List(ctx, q)
}

func (s *lister) Count(ctx context.Context, q installation.Query) (int64, error) {
	return s.Store.(installation.Counter).Count(ctx, q)
}

// What was purged without a key needs none, and is no reason to search all records for missing keys.
func TestCheckKnowsWhatNeedsNoKey(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "a")
	if _, err := r.With(t, r.K2).Uninstall(t.Context(), installation.UninstallRequest{ID: "a", Final: true}); err != nil {
		t.Fatal(err)
	}
	store := &lister{Store: r.Store.Store}
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

// A damaged record is no reason to suspect its key, as long as another one opens.
func TestCheckToleratesDamage(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 3)
	key := installation.Key{Tenant: "tenant-1", ID: "i-0"}
	record, err := r.Store.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	record.Body = installation.BodyFromBytes([]byte("\x01damaged"))
	record.Revision++
	if _, err := r.Store.Store.Commit(t.Context(), installation.Change{Op: [16]byte{1}, Now: r.Now(), Key: key, If: 1, Record: record}); err != nil {
		t.Fatal(err)
	}
	if report, err := r.With(t, r.K1).Check(t.Context()); err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}
