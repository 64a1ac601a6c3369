package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// newURL returns the address of an empty database.
func newURL(t *testing.T) string {
	t.Helper()
	server := pgtest.Shared(t)
	return server.URL(server.NewDatabase(t))
}

func TestRun(t *testing.T) {
	url := newURL(t)
	const stored = "  orders: 1, installations: 1\n"
	const want = "order 1001: placed\n" + stored + "order 1001: placed\n" + stored +
		"order 1002: EXT-1 is installed for ACC-1 already\n" + stored
	for _, start := range []string{"first", "second"} {
		var out strings.Builder
		if err := run(t.Context(), url, &out); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s start: got\n%s\nwant\n%s", start, &out, want)
		}
	}
}

func newShop(t *testing.T) *shop {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), newURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	key, err := crypto.GenerateKey("test")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), pool, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTogetherOrNotAtAll places orders that fail on either side.
func TestTogetherOrNotAtAll(t *testing.T) {
	s := newShop(t)
	want := func(step string, number int64) {
		t.Helper()
		orders, installations, err := s.counts(t.Context())
		if err != nil || orders != number || installations != number {
			t.Errorf("%s: got %d orders and %d installations, error %v, want %d of each", step,
				orders, installations, err, number)
		}
	}
	err := s.place(t.Context(), order{"1", "EXT-1", "ACC-1", -1})
	if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
		t.Errorf("negative price: got error %v, want that of the server", err)
	}
	want("negative price", 0)
	if err := s.place(t.Context(), order{"2", "EXT-1", "ACC-1", 1}); err != nil {
		t.Fatal(err)
	}
	want("first order", 1)
	err = s.place(t.Context(), order{"3", "EXT-1", "ACC-1", 1})
	if !errors.Is(err, installation.ErrExists) {
		t.Errorf("second order: got error %v, want %v", err, installation.ErrExists)
	}
	want("second order", 1)
	// The host fails after the installation: the price is checked at commit.
	if _, err := s.pool.Exec(t.Context(), `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
		AS $$ BEGIN RAISE 'refused'; END $$;
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION refuse()`); err != nil {
		t.Fatal(err)
	}
	if err := s.place(t.Context(), order{"4", "EXT-2", "ACC-1", 1}); err == nil {
		t.Error("order that is refused at commit: got no error")
	}
	want("order that is refused at commit", 1)
}
