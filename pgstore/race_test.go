package pgstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// many is the number of racers. Each has a connection of its own.
const many = 64

// race runs many commits at once and returns how many succeeded. It fails the test if the error of
// one does not match want.
func race(t *testing.T, want error, commit func(i int) error) (won int) {
	t.Helper()
	errs := make([]error, many)
	start := make(chan struct{})
	var wait sync.WaitGroup
	for i := range many {
		wait.Go(func() {
			<-start
			errs[i] = commit(i)
		})
	}
	close(start)
	wait.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, want):
			t.Errorf("got error %v, want %v", err, want)
		}
	}
	return won
}

// newWideStore returns a store with an open connection for each racer. Without these, the racers
// would wait for connections and not for each other.
func newWideStore(t *testing.T, o *pgstore.Options) *pgstore.Store {
	t.Helper()
	url := pgtest.Shared(t).URL("postgres")
	migrate(t, url, o)
	pool := newPool(t, url, many)
	s := open(t, pool, o)
	for range many {
		conn, err := pool.Acquire(t.Context())
		must(t, err)
		defer conn.Release()
	}
	return s
}

func TestOneOfManyCreatesWins(t *testing.T) {
	s := newWideStore(t, newOptions())
	for _, tc := range []struct {
		name  string
		want  error
		claim []string
		key   func(i int) installation.Key
	}{
		{"record", installation.ErrConflict, nil, func(int) installation.Key { return at("a") }},
		{"again", installation.ErrConflict, nil, func(int) installation.Key { return at("d") }},
		{"record and claim", installation.ErrConflict, []string{"x", "y"},
			func(int) installation.Key { return at("b") }},
		{"claim", installation.ErrExists, []string{"of many"},
			func(i int) installation.Key { return at(fmt.Sprint("c ", i)) }},
	} {
		won := race(t, tc.want, func(i int) error {
			c := create(tc.key(i))
			c.Record.Claims = tc.claim
			_, err := s.Commit(t.Context(), c)
			return err
		})
		if won != 1 {
			t.Errorf("%s: %d of %d creates succeeded, want 1", tc.name, won, many)
		}
	}
}

func TestManyUpdatesOfOneRevision(t *testing.T) {
	s := newWideStore(t, newOptions())
	c := create(at("a"))
	commit(t, s, c)
	for range 5 {
		won := race(t, installation.ErrConflict, func(int) error {
			_, err := s.Commit(t.Context(), update(c.Record))
			return err
		})
		if won != 1 {
			t.Errorf("%d of %d updates succeeded, want 1", won, many)
		}
		c.Record.Revision++
	}
}

// TestCrossingClaims lets records take each other's claims. Whoever waits for whom, no commit ends
// with an error of its own, and no claim has two holders.
func TestCrossingClaims(t *testing.T) {
	o := newOptions()
	s := newWideStore(t, o)
	claims := func(i int) []string { return []string{fmt.Sprint("claim ", i%4)} }
	var stored [many]*installation.Record
	for i := range many {
		c := create(at(fmt.Sprint(i)))
		if i < 4 {
			c.Record.Claims = claims(i)
		}
		commit(t, s, c)
		stored[i] = c.Record
	}
	for round := range 20 {
		race(t, installation.ErrExists, func(i int) error {
			c := update(stored[i])
			c.Record.Claims = claims(i + round)
			if (i+round)%3 == 0 {
				c.Record.Claims = nil
			}
			if (i+round)%5 == 0 {
				c.Record.Claims = []string{"claim 0", "claim 1", "claim 2", "claim 3"}
			}
			_, err := s.Commit(t.Context(), c)
			if err == nil {
				stored[i] = c.Record
			}
			return err
		})
		held := make(map[string]int)
		for _, r := range stored {
			for _, claim := range r.Claims {
				held[claim]++
			}
		}
		for claim, n := range held {
			if n > 1 {
				t.Errorf("round %d: %d records hold %s", round, n, claim)
			}
		}
	}
	const left = `SELECT count(*) FROM %[1]q.claims c WHERE NOT EXISTS (SELECT FROM %[1]q.records r
		WHERE r.tenant = c.tenant AND r.id = c.id AND c.claim = ANY (r.claims))`
	if n := pgtest.Shared(t).SQL(t, "postgres", fmt.Sprintf(left, o.Schema)); n != "0" {
		t.Errorf("%s claims are held by records that do not have them", n)
	}
}
