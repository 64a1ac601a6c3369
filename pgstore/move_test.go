package pgstore_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
)

// countRecords is a tracer that counts statements that scan records.
type countRecords struct{ atomic.Int64 }

func (n *countRecords) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData,
) context.Context {
	if strings.Contains(data.SQL, "octet_length(record)") {
		n.Add(1)
	}
	return ctx
}

func (n *countRecords) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestScanOfLargeRows proves that a scan reads a bounded number of bytes at once: 100 bodies of the
// largest size would need 400 MB.
func TestScanOfLargeRows(t *testing.T) {
	o, url, statements := newOptions(), pgtest.Shared(t).URL("postgres"), new(countRecords)
	migrate(t, url, o)
	config, err := pgxpool.ParseConfig(url)
	must(t, err)
	config.ConnConfig.Tracer = statements
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	s := open(t, pool, o)
	for _, id := range []string{"a", "b", "c", "small", "small too"} {
		c := create(at(id))
		if len(id) == 1 {
			c.Record.Body = installation.BodyFromBytes(strings.Repeat("x", 1<<20))
		}
		commit(t, s, c)
	}
	var ids []string
	for row, err := range s.Scan(t.Context()) {
		must(t, err)
		ids = append(ids, row.Record.Key.ID)
	}
	if got := strings.Join(ids, ", "); got != "a, b, c, small, small too" {
		t.Errorf("got the records %s, want all of them", got)
	}
	// Each large record is alone, the small ones are together, and the last statement finds none.
	if n := statements.Load(); n != 5 {
		t.Errorf("got %d statements, want 5", n)
	}
}
