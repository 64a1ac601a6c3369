package pgstore_test

import (
	"testing"

	"github.com/go-installation/installation"
)

// TestCommitFollowsIndexes commits while the tables are so small that the server would rather read
// them from end to end. A session keeps such a plan when the tables have grown.
func TestCommitFollowsIndexes(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	full := func(id string) installation.Change {
		c := withEvent(create(at(id)), "reason")
		c.Record.Claims = []string{"claim of " + id}
		c.Idempotency = &installation.Outcome{Until: now, Data: []byte("x")}
		copy(c.Idempotency.Digest[:], id)
		return c
	}
	commit(t, s, full("a"))
	tx := host(t)
	execute(t, tx, o, "ANALYZE {{schema}}.records, {{schema}}.outcomes, {{schema}}.claims,"+
		" {{schema}}.meta")
	scans := func() (n int64) {
		must(t, tx.QueryRow(t.Context(), "SELECT coalesce(sum(seq_scan), 0)"+
			" FROM pg_stat_xact_user_tables WHERE schemaname = $1", o.Schema).Scan(&n))
		return n
	}
	before := scans()
	c := full("b")
	commit(t, s.InTx(tx), c)
	commit(t, s.InTx(tx), update(c.Record))
	if got := scans() - before; got != 0 {
		t.Errorf("commits read %d tables from end to end, want none", got)
	}
}
