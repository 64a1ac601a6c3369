package pgstore_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
	"github.com/go-installation/installation/storetest"
)

// TestStore runs the conformance suite with prepared statements. Two other tests have other modes.
func TestStore(t *testing.T) {
	url := pgtest.Shared(t).URL("postgres")
	pool := newPool(t, url, 20) // a new one for each case would take half of the time
	storetest.Run(t, func(t *testing.T) installation.Store {
		o := newOptions()
		migrate(t, url, o)
		return open(t, pool, o)
	})
}

// TestStoreThroughBouncer runs the suite where each statement may reach another session, so nothing
// is prepared.
func TestStoreThroughBouncer(t *testing.T) {
	server := pgtest.Shared(t)
	pool := newPool(t, server.Bouncer(t, "postgres"), 20)
	storetest.Run(t, func(t *testing.T) installation.Store {
		o := newOptions()
		o.ExecMode = pgx.QueryExecModeExec
		migrate(t, server.URL("postgres"), o)
		return open(t, pool, o)
	})
}

// TestStoreWithDocumentedRights runs the suite as a user that has the rights of the package
// comment and no others, and with the simple protocol.
func TestStoreWithDocumentedRights(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.NewDatabase(t)
	server.SQL(t, database, "CREATE ROLE app LOGIN; CREATE ROLE owner LOGIN;"+
		"ALTER DATABASE "+database+" OWNER TO owner")
	admin := newPool(t, server.URL(database), 1)
	app := newPool(t, server.URLAs("app", database), 20)
	storetest.Run(t, func(t *testing.T) installation.Store {
		o := newOptions()
		o.ExecMode = pgx.QueryExecModeSimpleProtocol
		migrate(t, server.URLAs("owner", database), o)
		_, err := admin.Exec(t.Context(), grants(t, o.Schema))
		must(t, err)
		return open(t, app, o)
	})
}

// grants returns the statements of the package comment for a schema.
func grants(tb testing.TB, schema string) string {
	tb.Helper()
	doc, err := os.ReadFile("doc.go")
	must(tb, err)
	var statements []string
	for line := range strings.Lines(string(doc)) {
		if s, ok := strings.CutPrefix(line, "//\tGRANT "); ok {
			s = strings.Replace(s, "SCHEMA installation", fmt.Sprintf("SCHEMA %q", schema), 1)
			statements = append(statements, "GRANT "+
				strings.ReplaceAll(s, "installation.", fmt.Sprintf("%q.", schema)))
		}
	}
	if len(statements) < 5 {
		tb.Fatalf("the package comment has %d statements, want 5 or more", len(statements))
	}
	return strings.Join(statements, "")
}

// TestUnavailable checks the errors of a store whose server has been stopped.
func TestUnavailable(t *testing.T) {
	server := pgtest.Start(t)
	o := newOptions()
	o.RetryFor = 50 * time.Millisecond
	migrate(t, server.URL("postgres"), o)
	server.Kill()
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		server.Restart(t)
		pool := newPool(t, server.URL("postgres"), 4)
		s, err := pgstore.Open(t.Context(), pool, o)
		for err != nil { // a slow machine needs more than RetryFor
			s, err = pgstore.Open(t.Context(), pool, o)
		}
		server.Kill()
		return s
	})
}

// TestTooLongIsRejected writes values that could be written and not be read again.
func TestTooLongIsRejected(t *testing.T) {
	s := newStore(t, newOptions())
	body, key := create(at("body")), create(at("key"))
	body.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 9<<20))
	key.Idempotency = &installation.Outcome{Until: now.Add(1), Data: make([]byte, 9<<20)}
	for _, c := range []installation.Change{body, key} {
		if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("commit %q: got error %v, want %v", c.Key.ID, err, installation.ErrInvalid)
		}
	}
	row := installation.Row{Tenant: "tenant", Outcome: key.Idempotency}
	if _, err := s.Put(t.Context(), now, row); !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("put: got error %v, want %v", err, installation.ErrInvalid)
	}
}
