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

const otherSecret = "another-secret-of-thirty-two-byt"

// damageKey changes a bit of the wrapped data key in a body. keyID is the id it stands behind.
func damageKey(keyID string) func(record *installation.Record) {
	return func(record *installation.Record) {
		body := record.Body.Bytes()
		body[bytes.Index(body, []byte(keyID))+40] ^= 1
		record.Body = installation.BodyFromBytes(body)
	}
}

func findings(r *installation.Report) (rules []string) {
	for _, f := range r.Findings {
		rules = append(rules, string(f.Level)+" "+f.Rule)
	}
	return rules
}

// A rotation is not done while records are under a key that is not at hand, nor while some are listed under none.
func TestRewrapDoneCountsKeysElsewhere(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	report, err := r.With(t, r.K2).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || report.Done() || report.Elsewhere != 5 {
		t.Errorf("k1 is not at hand: %+v, %v", report, err)
	}
	report, err = r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || !report.Done() || report.Elsewhere != 0 {
		t.Errorf("k1 is at hand: %+v, %v", report, err)
	}
	r.EditRecord(t, "i-0", func(record *installation.Record) {
		record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	})
	report, err = r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || report.Done() || report.Elsewhere != 1 {
		t.Errorf("one is listed under no key: %+v, %v", report, err)
	}
	// One that needs no key any more is under none, and all is done.
	if _, err := r.With(t, fixture.NewKey(t, "k9", fixture.ServiceSecret)).Uninstall(t.Context(), installation.UninstallRequest{ID: "i-0", Final: true}); err != nil {
		t.Fatal(err)
	}
	report, err = r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || !report.Done() {
		t.Errorf("one was purged: %+v, %v", report, err)
	}
}

// Nothing is brought under a primary key that has the id of another, and no key is retired for it.
func TestRewrapTriesPrimary(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	r.Add(t, r.With(t, r.K2, r.K1), "x")
	commits := len(r.Store.Changes())
	wrong := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1)
	report, err := wrong.Rewrap(t.Context(), installation.RewrapRequest{})
	if fixture.WantErr(t, "rewrap", err, installation.ErrSealed); report.Rewrapped != 0 || report.Done() || len(r.Store.Changes()) != commits {
		t.Errorf("%+v with %d commits", report, len(r.Store.Changes())-commits)
	}
	if err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("the key is not named: %v", err)
	}
	// What the wrong key is asked about makes no difference: no record of k1 is left to count.
	if report, err := r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || !report.Done() {
		t.Fatalf("%+v, %v", report, err)
	}
	fixture.WantErr(t, "retire", wrong.CanRetire(t.Context(), "k1"), installation.ErrSealed)
	if err := r.With(t, r.K2, r.K1).CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
}

// Two keys that go by one id are told from one: all of the sample is tried, from both ends of the list.
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
	for name, host := range map[string]*installation.Service{"the key of most": good, "the key of one": other} {
		report, err := host.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := findings(report); !slices.Equal(got, []string{"warning some-records-do-not-open"}) || !strings.Contains(report.Findings[0].Detail, "k1") {
			t.Errorf("%s: %+v", name, report.Findings)
		}
	}
	report, err := r.With(t, fixture.NewKey(t, "k1", fixture.ServiceSecret)).Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"error wrong-key"}) {
		t.Errorf("the key of none: %q, %v", got, err)
	}
}

// What a record is listed under is not what opens it: one that is listed under another key says nothing of that.
func TestCheckSkipsRecordsOfOtherKeys(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "a")
	r.EditRecord(t, "a", func(record *installation.Record) {
		record.Index[slices.Index(record.Index, "@kek=k1")] = "@kek=k2"
	})
	report, err := r.With(t, fixture.NewKey(t, "k2", otherSecret), r.K1).Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"warning some-records-do-not-open"}) {
		t.Errorf("%q, %v: k2 opened what is under k1", got, err)
	}
}

// A key in place of its id is in no error.
func TestCanRetireDoesNotRepeatKey(t *testing.T) {
	r := fixture.NewWorld(t)
	for _, id := range []string{r.K1.Reveal(), r.K2.Reveal(), "k9", ""} {
		err := r.With(t, r.K2, r.K1).CanRetire(t.Context(), id)
		if fixture.WantErr(t, "retire", err, installation.ErrUnknownKey); len(id) > 2 && strings.Contains(err.Error(), id[3:]) || !strings.Contains(err.Error(), "k1, k2") {
			t.Errorf("%v; want the keys that there are, and not what was given", err)
		}
	}
}

// forgetful is a store that loses a record: at its commit, or at a conflict.
type forgetful struct {
	installation.Store
	conflict bool
	lost     map[installation.Key]bool
}

func (s *forgetful) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if s.lost[key] {
		return nil, installation.ErrNotFound
	}
	return s.Store.Get(ctx, key)
}

func (s *forgetful) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	s.lost[c.Key] = true
	if s.conflict {
		return installation.Receipt{}, &installation.ConflictError{}
	}
	return s.Store.Commit(ctx, c)
}

// A record that is gone without a tombstone is lost, and not left to someone else.
func TestRewrapEndsWhenRecordIsLost(t *testing.T) {
	for _, conflict := range []bool{false, true} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 3)
		store := &forgetful{Store: r.Store.Store, conflict: conflict, lost: map[installation.Key]bool{}}
		report, err := r.On(t, store, fixture.RingOf(t, r.K2, r.K1)).Rewrap(t.Context(), installation.RewrapRequest{})
		if err == nil || report.Skipped != 0 || report.Failed != 1 || len(store.lost) != 1 {
			t.Errorf("conflict %v: %+v, %v after %d records", conflict, report, err, len(store.lost))
		}
	}
}

// What someone else made of a record after it was rewrapped is looked at: deleted, or under another key again, it is theirs.
func TestRewrapReadsBackWhatCameAfter(t *testing.T) {
	for name, after := range map[string]func(r *fixture.World) error{
		"rewrapped back": func(r *fixture.World) error {
			_, err := r.With(t, r.K1, r.K2).Rewrap(t.Context(), installation.RewrapRequest{})
			return err
		},
		"deleted": func(r *fixture.World) error {
			_, err := r.With(t, r.K2, r.K1).Delete(t.Context(), installation.DeleteRequest{ID: "i-0"})
			return err
		},
		"written": func(r *fixture.World) error {
			_, err := r.With(t, r.K2, r.K1).Patch(t.Context(), installation.PatchRequest{ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")}})
			return err
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 1)
		store := &meddler{Store: r.Store.Store}
		store.commit = func(ctx context.Context, c installation.Change) (installation.Receipt, error) {
			receipt, err := r.Store.Store.Commit(ctx, c)
			return receipt, errors.Join(err, after(r))
		}
		report, err := r.On(t, store, fixture.RingOf(t, r.K2, r.K1)).Rewrap(t.Context(), installation.RewrapRequest{Limit: 1})
		skipped := 1
		if name == "written" {
			skipped = 0
		}
		if err != nil || report.Skipped != skipped || report.Rewrapped != 1-skipped || report.Failed != 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// dull is a key service that cannot say what is damaged.
type dull struct{ *fixture.KeyService }

func (s dull) UnwrapKey(ctx context.Context, blob []byte, at crypto.EncryptionContext) ([]byte, error) {
	key, err := s.KeyService.UnwrapKey(ctx, blob, at)
	if err != nil {
		return nil, errors.New("400 bad request")
	}
	return key, nil
}

// One damaged record is no reason to take its key service to be out of reach.
func TestRewrapContinuesPastUnavailable(t *testing.T) {
	r := fixture.NewWorld(t)
	kms, err := crypto.NewKMS("kms1", dull{fixture.NewKeyService(t, fixture.ServiceSecret)}, &crypto.KMSOptions{Suite: fixture.Ring(t).Suite()})
	if err != nil {
		t.Fatal(err)
	}
	r.Fill(t, r.On(t, r.Store, kms), 5)
	r.EditRecord(t, "i-0", damageKey("kms1"))
	host := r.On(t, r.Store, fixture.NewKeySet(t, fixture.RingOf(t, r.K2), kms))
	report, err := host.Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"warning some-records-do-not-open"}) {
		t.Errorf("check: %q, %v", got, err)
	}
	done, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	if done.Rewrapped != 4 || done.Failed != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	fixture.WantErr(t, "rewrap", err, installation.ErrKeyUnavailable)
}

// stale is a store whose reads stay behind its writes.
type stale struct {
	installation.Store
	old  *installation.Record
	gets int
	stop context.CancelFunc
}

func (s *stale) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if key != s.old.Key {
		return s.Store.Get(ctx, key)
	}
	if s.gets++; s.gets == 1000 {
		s.stop()
	}
	c := *s.old
	return &c, ctx.Err()
}

func (s *stale) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	page, err := s.Store.List(ctx, q)
	for i, r := range page.Records {
		if r.Key == s.old.Key {
			page.Records[i] = s.old
		}
	}
	return page, err
}

// A store that keeps reading what it then says is not there any more is given up, by a rewrap as by a write.
func TestRewrapStopsWhereReadsStayBehind(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, host *installation.Service) error{
		"rewrap": func(ctx context.Context, host *installation.Service) error {
			_, err := host.Rewrap(ctx, installation.RewrapRequest{})
			return err
		},
		"patch": func(ctx context.Context, host *installation.Service) error {
			_, err := host.Patch(ctx, installation.PatchRequest{ID: "i-0", Parts: installation.Parts{Name: installation.Value("newer")}})
			return err
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 1)
		old, err := r.Store.Store.Get(t.Context(), installation.Key{Tenant: "tenant-1", ID: "i-0"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.With(t, r.K1).Patch(t.Context(), installation.PatchRequest{ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")}}); err != nil {
			t.Fatal(err)
		}
		inBubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := &stale{Store: r.Store.Store, old: old, stop: cancel}
			err := write(ctx, r.On(t, store, fixture.RingOf(t, r.K2, r.K1)))
			if fixture.WantErr(t, name, err, installation.ErrUnavailable); store.gets > 100 {
				t.Errorf("%s: %d reads", name, store.gets)
			}
		})
	}
}

// narrow is a store whose pages hold one record, and now and then none.
type narrow struct {
	installation.Store
	pages int
}

func (s *narrow) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if s.pages++; s.pages%3 == 0 && q.After != "" {
		return installation.Page{Next: q.After}, ctx.Err()
	}
	q.Limit = 1
	return s.Store.List(ctx, q)
}

// Whatever looks at all records does not end with the first page.
func TestKeysAreFoundOnAllPages(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K2), 5)
	r.Add(t, r.With(t, r.K1), "of k1")
	store := &narrow{Store: r.Store.Store}
	report, err := r.On(t, store, fixture.RingOf(t, r.K2)).Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"error key-missing"}) || report.Records != 6 || report.Keys[0].Records != 5 {
		t.Errorf("check: %+v, %v", report, err)
	}
	r.EditRecord(t, "of k1", func(record *installation.Record) {
		record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	})
	host := r.On(t, store, fixture.RingOf(t, r.K2, r.K1))
	fixture.WantErr(t, "retire", host.CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)
}

// miscounting is a store whose counts do not add up as long as records come.
type miscounting struct {
	installation.Store
	count func(term string) int64
}

func (s *miscounting) Count(_ context.Context, q installation.Query) (int64, error) {
	return s.count(q.Term), nil
}

// A difference between counts that were taken one after another is no finding.
func TestCheckCountsAgain(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	for name, counts := range map[string][]int64{"more under the key than in all": {20, 19}, "one was deleted between": {19, 20, 19, 19}} {
		i := -1
		store := &lister{Store: &miscounting{Store: r.Store.Store, count: func(term string) int64 {
			if term == "@kek=." {
				return 0
			}
			i++
			return counts[i%len(counts)]
		}}}
		report, err := r.On(t, store, fixture.RingOf(t, r.K1)).Check(t.Context())
		if err != nil || len(report.Findings) != 0 || slices.Contains(store.terms, "@all") {
			t.Errorf("%s: %+v, %v, listed %q", name, report, err, store.terms)
		}
	}
}
