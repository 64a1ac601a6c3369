package pgstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// reasons reads all events after a cursor, and returns their reasons and the last cursor.
func reasons(
	tb testing.TB, s *pgstore.Store, after string,
) (list []string, next string) {
	tb.Helper()
	for {
		page, err := s.Events(tb.Context(), installation.EventQuery{
			AllTenants: true, After: after, Limit: 10,
		})
		must(tb, err)
		if len(page.Events) == 0 {
			return list, after
		}
		for _, e := range page.Events {
			list = append(list, e.Reason)
		}
		after = page.Next
	}
}

// host begins a transaction of the host on a connection of its own.
func host(tb testing.TB) (tx pgx.Tx) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), pgtest.Shared(tb).URL("postgres"))
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close(tb.Context()) })
	tx, err = conn.Begin(tb.Context())
	must(tb, err)
	return tx
}

func execute(tb testing.TB, tx pgx.Tx, o *pgstore.Options, sql string, args ...any) {
	tb.Helper()
	_, err := tx.Exec(tb.Context(), pgstore.Fill(o.Schema, sql), args...)
	must(tb, err)
}

// TestLongTransactionDelaysOnlyItsEvents writes an event in a transaction that stays open while
// others commit and a reader follows.
func TestLongTransactionDelaysOnlyItsEvents(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	event, err := withEvent(create(at("long")), "long").Events[0].MarshalBinary()
	must(t, err)
	tx := host(t)
	execute(t, tx, o, "INSERT INTO {{schema}}.fresh (tenant, event) VALUES ('tenant', $1)", event)
	commit(t, s, withEvent(create(at("a")), "first"))
	commit(t, s, withEvent(create(at("b")), "second"))
	got, after := reasons(t, s, "")
	if want := []string{"first", "second"}; !slices.Equal(got, want) {
		t.Errorf("beside the open transaction: got %v, want %v", got, want)
	}
	must(t, tx.Commit(t.Context()))
	commit(t, s, withEvent(create(at("c")), "third"))
	if got, _ = reasons(t, s, after); !slices.Equal(got, []string{"long", "third"}) {
		t.Errorf("after the transaction: got %v, want long and third", got)
	}
	want := []string{"first", "second", "long", "third"}
	if got, _ = reasons(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("from the start: got %v, want %v", got, want)
	}
}

// TestTrim writes more events than the log keeps. A tenant that lost nothing keeps its cursor.
func TestTrim(t *testing.T) {
	o := newOptions()
	o.MaxEvents = 10
	s := newStore(t, o)
	quiet := withEvent(create(installation.Key{Tenant: "quiet", ID: "a"}), "quiet")
	commit(t, s, quiet)
	page, err := s.Events(t.Context(), installation.EventQuery{Tenant: "quiet", Limit: 1})
	must(t, err)
	beginning := page.Next
	c := create(at("a"))
	for i := range pgstore.TrimEvery {
		c = withEvent(c, fmt.Sprint(i))
		commit(t, s, c)
		c = update(c.Record)
	}
	page, err = s.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 1000})
	must(t, err)
	if n := len(page.Events); n < 10 || n > 20 {
		t.Errorf("the log has %d events, want about 10", n)
	}
	for _, tc := range []struct {
		name string
		q    installation.EventQuery
		want error
	}{
		{"trimmed", installation.EventQuery{Tenant: "tenant", After: "1"}, installation.ErrTrimmed},
		{"trimmed, all", installation.EventQuery{AllTenants: true, After: "1"},
			installation.ErrTrimmed},
		{"quiet tenant", installation.EventQuery{Tenant: "quiet", After: beginning}, nil},
		{"ahead", installation.EventQuery{Tenant: "tenant", After: "9999"},
			installation.ErrTrimmed},
		{"not a cursor", installation.EventQuery{AllTenants: true, After: "x"},
			installation.ErrInvalid},
	} {
		tc.q.Limit = 10
		if _, err := s.Events(t.Context(), tc.q); !errors.Is(err, tc.want) {
			t.Errorf("%s: got error %v, want %v", tc.name, err, tc.want)
		}
	}
}
