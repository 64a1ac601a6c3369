package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// otherSecret is the secret of a key that has the id of another.
const otherSecret = "another-secret-of-thirty-two-byt"

// damageKey returns an edit that changes a bit of the data key that keyID wrapped.
func damageKey(keyID string) func(record *installation.Record) {
	return func(record *installation.Record) {
		body := record.Body.Bytes()
		body[bytes.Index(body, []byte(keyID))+40] ^= 1
		record.Body = installation.BodyFromBytes(body)
	}
}

// findings returns the level and the rule of each finding.
func findings(r *installation.Report) (rules []string) {
	for _, f := range r.Findings {
		rules = append(rules, string(f.Level)+" "+f.Rule)
	}
	return rules
}

// A rotation is not done while records are under a missing key, or while the index names no
// key for a record that needs one.
func TestRewrapIsNotDoneWithRecordsElsewhere(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	report, err := rewrap(t, r.With(t, r.K2))
	if err != nil || report.Done() || report.Elsewhere != 5 {
		t.Errorf("without k1: %+v, %v", report, err)
	}
	both := r.With(t, r.K2, r.K1)
	report, err = rewrap(t, both)
	if err != nil || !report.Done() || report.Elsewhere != 0 {
		t.Errorf("with k1: %+v, %v", report, err)
	}
	r.EditRecord(t, "i-0", dropKeyTerms)
	report, err = rewrap(t, both)
	if err != nil || report.Done() || report.Elsewhere != 1 {
		t.Errorf("one is listed under no key: %+v, %v", report, err)
	}
	// A purged record needs no key.
	other := r.With(t, fixture.NewKey(t, "k9", fixture.ServiceSecret))
	purge := installation.UninstallRequest{ID: "i-0", Final: true}
	if _, err := other.Uninstall(t.Context(), purge); err != nil {
		t.Fatal(err)
	}
	report, err = rewrap(t, both)
	if err != nil || !report.Done() {
		t.Errorf("one was purged: %+v, %v", report, err)
	}
}

// A rewrap moves nothing to a primary key that has the id of another key, and that key lets
// no other be retired.
func TestRewrapTriesPrimary(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	r.Add(t, r.With(t, r.K2, r.K1), "x")
	commits := len(r.Store.Changes())
	wrong := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1)
	report, err := rewrap(t, wrong)
	fixture.WantErr(t, "rewrap", err, installation.ErrSealed)
	if report.Rewrapped != 0 || report.Done() || len(r.Store.Changes()) != commits {
		t.Errorf("%+v with %d commits", report, len(r.Store.Changes())-commits)
	}
	if err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("the key is not named: %v", err)
	}
	// CanRetire notices the wrong key, although no record of k1 is left.
	if report, err := rewrap(t, r.With(t, r.K2, r.K1)); err != nil || !report.Done() {
		t.Fatalf("%+v, %v", report, err)
	}
	fixture.WantErr(t, "retire", wrong.CanRetire(t.Context(), "k1"), installation.ErrSealed)
	if err := r.With(t, r.K2, r.K1).CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
}

// Check finds two keys with one id, since it tries a sample from both ends of the list.
func TestCheckTriesAllOfSample(t *testing.T) {
	r := fixture.NewWorld(t)
	bad := fixture.NewKey(t, "k1", otherSecret)
	good, other := r.With(t, r.K1), r.With(t, bad)
	r.Add(t, good, "good")
	if report, err := good.Check(t.Context()); err != nil || len(report.Findings) != 0 {
		t.Errorf("one key: %+v, %v", report, err)
	}
	for i := range 30 {
		r.Add(t, good, fmt.Sprint("good-", i))
	}
	r.Advance(1)
	r.Add(t, other, "other")
	for name, host := range map[string]*installation.Service{
		"the key of most": good, "the key of one": other,
	} {
		report, err := host.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := findings(report); !slices.Equal(got, []string{
			"warning some-records-do-not-open",
		}) || !strings.Contains(report.Findings[0].Detail, "k1") {
			t.Errorf("%s: %+v", name, report.Findings)
		}
	}
	report, err := r.With(t, fixture.NewKey(t, "k1", fixture.ServiceSecret)).Check(t.Context())
	if got := findings(report); err != nil ||
		!slices.Equal(got, []string{"error wrong-key"}) {
		t.Errorf("the key of none: %q, %v", got, err)
	}
}

// A record that the index lists under another key is no proof that this key is right.
func TestCheckSkipsRecordsOfOtherKeys(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "a")
	r.EditRecord(t, "a", func(record *installation.Record) {
		record.Index[slices.Index(record.Index, "@kek=k1")] = "@kek=k2"
	})
	report, err := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1).Check(t.Context())
	if got := findings(report); err != nil ||
		!slices.Equal(got, []string{"warning some-records-do-not-open"}) {
		t.Errorf("%q, %v: a record under k1 proved k2 right", got, err)
	}
}

// An error does not repeat a key that was given in place of its id.
func TestCanRetireDoesNotRepeatKey(t *testing.T) {
	r := fixture.NewWorld(t)
	for _, id := range []string{r.K1.Reveal(), r.K2.Reveal(), "k9", ""} {
		err := r.With(t, r.K2, r.K1).CanRetire(t.Context(), id)
		fixture.WantErr(t, "retire", err, installation.ErrUnknownKey)
		if len(id) > 2 && strings.Contains(err.Error(), id[3:]) ||
			!strings.Contains(err.Error(), "k1, k2") {
			t.Errorf("%v; want the ids of the keys, without the argument", err)
		}
	}
}

// A rewrap skips a record that another caller deleted or moved to another key right after
// the commit. It counts one that another caller wrote.
func TestRewrapSkipsRecordsChangedAfterCommit(t *testing.T) {
	for name, after := range map[string]func(r *fixture.World) error{
		"rewrapped back": func(r *fixture.World) error {
			_, err := rewrap(t, r.With(t, r.K1, r.K2))
			return err
		},
		"deleted": func(r *fixture.World) error {
			host := r.With(t, r.K2, r.K1)
			_, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "i-0"})
			return err
		},
		"written": func(r *fixture.World) error {
			_, err := r.With(t, r.K2, r.K1).Patch(t.Context(), installation.PatchRequest{
				ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")},
			})
			return err
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 1)
		store := &hookedStore{Store: r.Store.Store}
		store.commit = func(
			ctx context.Context, c installation.Change,
		) (installation.Receipt, error) {
			receipt, err := r.Store.Store.Commit(ctx, c)
			return receipt, errors.Join(err, after(r))
		}
		host := r.On(t, store, fixture.RingOf(t, r.K2, r.K1))
		report, err := host.Rewrap(t.Context(), installation.RewrapRequest{Limit: 1})
		skipped := 1
		if name == "written" {
			skipped = 0
		}
		if err != nil || report.Skipped != skipped ||
			report.Rewrapped != 1-skipped || report.Failed != 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// vagueService is a key service that does not say that a wrapped key is damaged.
type vagueService struct{ *fixture.KeyService }

func (s vagueService) UnwrapKey(
	ctx context.Context, blob []byte, at crypto.EncryptionContext,
) ([]byte, error) {
	key, err := s.KeyService.UnwrapKey(ctx, blob, at)
	if err != nil {
		return nil, errors.New("400 bad request")
	}
	return key, nil
}

// One damaged record does not make its key service count as unavailable.
func TestRewrapContinuesPastDamagedKey(t *testing.T) {
	r := fixture.NewWorld(t)
	kms, err := crypto.NewKMS("kms1",
		vagueService{fixture.NewKeyService(t, fixture.ServiceSecret)},
		&crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	r.Fill(t, r.On(t, r.Store, kms), 5)
	r.EditRecord(t, "i-0", damageKey("kms1"))
	host := r.On(t, r.Store, fixture.NewKeySet(t, fixture.RingOf(t, r.K2), kms))
	report, err := host.Check(t.Context())
	if got := findings(report); err != nil ||
		!slices.Equal(got, []string{"warning some-records-do-not-open"}) {
		t.Errorf("check: %q, %v", got, err)
	}
	done, err := rewrap(t, host)
	if done.Rewrapped != 4 || done.Failed != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	fixture.WantErr(t, "rewrap", err, installation.ErrKeyUnavailable)
}

// miscountingStore is a store whose counts do not add up, as during writes.
type miscountingStore struct {
	installation.Decorator
	count func(term string) int64
}

func (s *miscountingStore) Count(_ context.Context, q installation.Query) (int64, error) {
	return s.count(q.Term), nil
}

// Counts that differ because of writes between them are no finding.
func TestCheckRepeatsCounts(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	for name, counts := range map[string][]int64{
		"more under the key than in all": {20, 19},
		"one was deleted between":        {19, 20, 19, 19},
	} {
		i := -1
		count := func(term string) int64 {
			if term == "@kek=." {
				return 0
			}
			i++
			return counts[i%len(counts)]
		}
		miscounting := &miscountingStore{installation.Decorator{Store: r.Store}, count}
		store := &listRecorder{Decorator: installation.Decorator{Store: miscounting}}
		report, err := r.On(t, store, fixture.RingOf(t, r.K1)).Check(t.Context())
		if err != nil || len(report.Findings) != 0 || slices.Contains(store.terms, "@all") {
			t.Errorf("%s: %+v, %v, listed %q", name, report, err, store.terms)
		}
	}
}
