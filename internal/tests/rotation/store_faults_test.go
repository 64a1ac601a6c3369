package rotation

import (
	"context"
	"slices"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// losingStore is a store that loses a record, either at its commit or at a conflict.
type losingStore struct {
	installation.Store
	conflict bool
	lost     map[installation.Key]bool
}

func (s *losingStore) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if s.lost[key] {
		return nil, installation.ErrNotFound
	}
	return s.Store.Get(ctx, key)
}

func (s *losingStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	s.lost[c.Key] = true
	if s.conflict {
		return installation.Receipt{}, &installation.ConflictError{}
	}
	return s.Store.Commit(ctx, c)
}

// A rewrap ends with an error at a record that is gone without a tombstone.
func TestRewrapEndsWhenRecordIsLost(t *testing.T) {
	for _, conflict := range []bool{false, true} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 3)
		store := &losingStore{
			Store: r.Store.Store, conflict: conflict, lost: map[installation.Key]bool{},
		}
		report, err := rewrap(t, r.On(t, store, fixture.RingOf(t, r.K2, r.K1)))
		if err == nil || report.Skipped != 0 || report.Failed != 1 || len(store.lost) != 1 {
			t.Errorf("conflict %v: %+v, %v after %d records",
				conflict, report, err, len(store.lost))
		}
	}
}

// staleStore is a store that keeps returning an old version of one record.
type staleStore struct {
	installation.Store
	old  *installation.Record
	gets int
	stop context.CancelFunc
}

func (s *staleStore) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if key != s.old.Key {
		return s.Store.Get(ctx, key)
	}
	if s.gets++; s.gets == 1000 {
		s.stop()
	}
	c := *s.old
	return &c, ctx.Err()
}

func (s *staleStore) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	page, err := s.Store.List(ctx, q)
	for i, r := range page.Records {
		if r.Key == s.old.Key {
			page.Records[i] = s.old
		}
	}
	return page, err
}

// A rewrap and a write both stop retrying on a store that keeps returning a stale record.
func TestRetriesEndOnStaleReads(t *testing.T) {
	type call = func(ctx context.Context, host *installation.Service) error
	for name, write := range map[string]call{
		"rewrap": func(ctx context.Context, host *installation.Service) error {
			_, err := host.Rewrap(ctx, installation.RewrapRequest{})
			return err
		},
		"patch": func(ctx context.Context, host *installation.Service) error {
			_, err := host.Patch(ctx, installation.PatchRequest{
				ID: "i-0", Parts: installation.Parts{Name: installation.Value("newer")},
			})
			return err
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 1)
		old, err := r.Store.Store.Get(t.Context(), fixture.KeyAt("i-0"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.With(t, r.K1).Patch(t.Context(), installation.PatchRequest{
			ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")},
		}); err != nil {
			t.Fatal(err)
		}
		fixture.InBubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := &staleStore{Store: r.Store.Store, old: old, stop: cancel}
			err := write(ctx, r.On(t, store, fixture.RingOf(t, r.K2, r.K1)))
			fixture.WantErr(t, name, err, installation.ErrUnavailable)
			if store.gets > 100 {
				t.Errorf("%s: %d reads", name, store.gets)
			}
		})
	}
}

// shortPages is a store with at most one record on a page. Some pages are empty.
type shortPages struct {
	installation.Store
	pages int
}

func (s *shortPages) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if s.pages++; s.pages%3 == 0 && q.After != "" {
		return installation.Page{Next: q.After}, ctx.Err()
	}
	q.Limit = 1
	return s.Store.List(ctx, q)
}

// Check and CanRetire read all pages of the store.
func TestKeysAreFoundOnAllPages(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K2), 5)
	r.Add(t, r.With(t, r.K1), "of k1")
	store := &shortPages{Store: r.Store.Store}
	report, err := r.On(t, store, fixture.RingOf(t, r.K2)).Check(t.Context())
	if got := findings(report); err != nil || !slices.Equal(got, []string{"error key-missing"}) ||
		report.Records != 6 || report.Keys[0].Records != 5 {
		t.Errorf("check: %+v, %v", report, err)
	}
	r.EditRecord(t, "of k1", dropKeyTerms)
	host := r.On(t, store, fixture.RingOf(t, r.K2, r.K1))
	fixture.WantErr(t, "retire", host.CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)
}
