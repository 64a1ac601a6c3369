package pgstore_test

import (
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

// TestStore runs the conformance suite with prepared statements and with the simple protocol, which
// differ most. TestStoreThroughBouncer has the mode between them.
func TestStore(t *testing.T) {
	for name, mode := range map[string]pgx.QueryExecMode{
		"default": 0, "simple": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) installation.Store {
				o := newOptions()
				o.ExecMode = mode
				return newStore(t, o)
			})
		})
	}
}

// TestStoreThroughBouncer runs the suite where each statement may reach another session.
func TestStoreThroughBouncer(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Bouncer(t, "postgres")
	storetest.Run(t, func(t *testing.T) installation.Store {
		o := newOptions()
		o.ExecMode = pgx.QueryExecModeExec
		migrate(t, server.URL("postgres"), o)
		return open(t, newPool(t, url, 20), o)
	})
}

// TestStoreWithDocumentedRights runs the suite as a user that has the rights of the package
// comment and no others.
func TestStoreWithDocumentedRights(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.NewDatabase(t)
	server.SQL(t, database, "CREATE ROLE app LOGIN; CREATE ROLE owner LOGIN;"+
		"ALTER DATABASE "+database+" OWNER TO owner")
	admin := newPool(t, server.URL(database), 1)
	storetest.Run(t, func(t *testing.T) installation.Store {
		o := newOptions()
		migrate(t, server.URLAs("owner", database), o)
		_, err := admin.Exec(t.Context(), grants(t, o.Schema))
		must(t, err)
		return open(t, newPool(t, server.URLAs("app", database), 20), o)
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
