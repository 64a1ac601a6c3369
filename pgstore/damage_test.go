package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// damage runs statements on the tables of a store, as somebody who can write to them.
func damage(tb testing.TB, o *pgstore.Options, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), pgtest.Shared(tb).URL("postgres"))
	must(tb, err)
	defer conn.Close(tb.Context())
	_, err = conn.Exec(tb.Context(), pgstore.Fill(o.Schema, sql))
	must(tb, err)
}

// TestCommitTakesItsClaims commits where the record has claims that it does not know of. The
// function of the server once tried to take them for ever.
func TestCommitTakesItsClaims(t *testing.T) {
	claims := []string{"a", "b"}
	claimed := create(at("i"))
	claimed.Record.Claims = claims
	for name, sql := range map[string]string{
		"no record":    "DELETE FROM {{schema}}.records; DELETE FROM {{schema}}.lists",
		"no claims":    "UPDATE {{schema}}.records SET claims = '{}'",
		"NULL":         "UPDATE {{schema}}.records SET claims = '{NULL}'",
		"other shape":  "UPDATE {{schema}}.records SET claims = '{{a,c},{d,NULL}}'",
		"other claims": "UPDATE {{schema}}.records SET claims = '{c,d}'",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions()
			s := newStore(t, o)
			commit(t, s, claimed)
			damage(t, o, sql)
			again := claimed
			if name != "no record" {
				again = update(claimed.Record)
			}
			again.Op = token()
			ctx, cancel := context.WithTimeout(t.Context(), pgtest.Patience)
			defer cancel()
			if _, err := s.Commit(ctx, again); err != nil {
				t.Fatal(err)
			}
			other := create(at("other"))
			other.Record.Claims = claims[1:]
			_, err := s.Commit(ctx, other)
			exists, _ := errors.AsType[*installation.ExistsError](err)
			if exists == nil || exists.Holder != "i" {
				t.Errorf("another record: got error %v, want that i holds the claim", err)
			}
		})
	}
}

// TestDamagedListIsNoticed lists where the tables lists and records disagree. A list must neither
// end early nor go round in circles.
func TestDamagedListIsNoticed(t *testing.T) {
	for name, sql := range map[string]string{
		"no record": "DELETE FROM {{schema}}.records WHERE id = '2'",
		"later":     "UPDATE {{schema}}.lists SET at = at + 1000000",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions()
			s := newStore(t, o)
			for i := range 6 {
				commit(t, s, create(at(fmt.Sprint(i))))
			}
			damage(t, o, sql)
			for _, reverse := range []bool{false, true} {
				q := installation.Query{
					Tenant: "tenant", Term: "all", Limit: 2, Reverse: reverse,
				}
				var err error
				var seen []string
				for more := true; more && err == nil && len(seen) <= 6; more = q.After != "" {
					var page installation.Page
					page, err = s.List(t.Context(), q)
					for _, r := range page.Records {
						seen = append(seen, r.Key.ID)
					}
					q.After = page.Next
				}
				if !errors.Is(err, installation.ErrUnavailable) {
					t.Errorf("reverse %t: got %v and error %v, want %v", reverse, seen, err,
						installation.ErrUnavailable)
				}
			}
		})
	}
}

// TestDamagedMemoryIsNamed repeats a change where the remembered changes have an odd length.
func TestDamagedMemoryIsNamed(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	c := create(at("i"))
	commit(t, s, c)
	for _, sql := range []string{"ops || '\\x01'", "'\\x01'"} {
		damage(t, o, "UPDATE {{schema}}.records SET ops = "+sql)
		if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrSealed) {
			t.Errorf("%s: got error %v, want %v", sql, err, installation.ErrSealed)
		}
	}
}

// TestErrorsQuoteNoServer makes the server fail with texts that quote a record, as those of the
// server itself can do. No error of the store contains them.
func TestErrorsQuoteNoServer(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	damage(t, o, `CREATE FUNCTION {{schema}}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'body' USING DETAIL = 'body', HINT = 'body', COLUMN = 'body';
		END $$;
		CREATE TRIGGER fail BEFORE INSERT ON {{schema}}.lists
		FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.fail()`)
	c := create(at("i"))
	_, failed := s.Commit(t.Context(), c)
	_, inTx := s.InTx(host(t)).Commit(t.Context(), c)
	_, put := s.Put(t.Context(), now, installation.Row{}.Apply(c))
	for name, err := range map[string]error{"commit": failed, "in a Tx": inTx, "put": put} {
		wantUnavailable(t, name, err, "SQLSTATE P0001")
		if err != nil && strings.Contains(err.Error(), "body") {
			t.Errorf("%s: the error %v has a text of the server", name, err)
		}
	}
}

// TestIdleTransactionIsNamed raises the errors with which the server ends a transaction that the
// host keeps open for too long.
func TestIdleTransactionIsNamed(t *testing.T) {
	for code, setting := range map[string]string{
		"25P03": "idle_in_transaction_session_timeout", "25P04": "transaction_timeout",
	} {
		o := newOptions()
		s := newStore(t, o)
		damage(t, o, fmt.Sprintf(`CREATE FUNCTION {{schema}}.fail() RETURNS trigger
			LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '%s'; END $$;
			CREATE TRIGGER fail BEFORE INSERT ON {{schema}}.lists
			FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.fail()`, code))
		_, err := s.InTx(host(t)).Commit(t.Context(), create(at("i")))
		wantUnavailable(t, code, err, setting)
	}
}

// TestSchemaWithoutDataIsNamed opens and migrates a schema whose tables are empty.
func TestSchemaWithoutDataIsNamed(t *testing.T) {
	o, url := newOptions(), pgtest.Shared(t).URL("postgres")
	migrate(t, url, o)
	damage(t, o, "DELETE FROM {{schema}}.meta")
	err := refused(t, url, o, "restored without its data")
	if errors.Is(err, installation.ErrNotFound) {
		t.Errorf("open: got error %v, which matches %v", err, installation.ErrNotFound)
	}
	err = pgstore.Migrate(t.Context(), newPool(t, url, 1), o)
	wantUnavailable(t, "migrate", err, "restored without its data")
}
