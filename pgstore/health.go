package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation/health"
)

// Rules of the findings of [Store.Health].
const (
	ruleServer       = "server"       // the version and role of the server, the size of the data
	ruleNamespace    = "namespace"    // the data did not go back to an older state
	ruleDurability   = "durability"   // the server keeps what it acknowledged
	ruleTransactions = "transactions" // no transaction has been open for long
)

// longTransaction is how long a transaction can be open before it is a finding. It delays its own
// events, keeps the server from removing old rows, and delays AcceptRestore.
const longTransaction = 5 * time.Minute

// Health implements [installation.HealthChecker]. Rules are "server", "namespace", "durability" and
// "transactions". A user without the role pg_read_all_stats sees only its own transactions.
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var server, size, oldest int64
	var standby bool
	var fsync, pages, commit string
	if err := s.askOne(ctx, sqlHealth, nil, &server, &standby, &size, &fsync, &pages, &commit,
		&oldest); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	in, reached, err := s.askNamespace(ctx)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	role := finding(health.OK, ruleServer, "PostgreSQL %d, schema version %d, the database has "+
		"%d MB", server/10_000, Version, size>>20)
	if standby {
		role = finding(health.Error, ruleServer, "the server is a standby and takes no writes")
	}
	history := finding(health.OK, ruleNamespace, "%s at epoch %d", in.ID, in.Epoch)
	if s.wentBack(in, reached, time.Now()) {
		history = finding(health.Error, ruleNamespace, "%s", s.restored(in).Error())
	}
	kept := finding(health.OK, ruleDurability, "commits are on disk when they are acknowledged")
	switch {
	case fsync != "on" || pages != "on":
		kept = finding(health.Error, ruleDurability, "fsync is %s and full_page_writes is %s: a "+
			"crash can damage the data", fsync, pages)
	case commit == "off":
		kept = finding(health.Warning, ruleDurability, "synchronous_commit is off: a crash can "+
			"lose the newest commits")
	}
	age := time.Duration(oldest) * time.Second
	open := finding(health.OK, ruleTransactions, "the oldest open transaction began %v ago", age)
	if age > longTransaction {
		open.Level = health.Warning
	}
	return []health.Finding{role, history, kept, open}, nil
}

const sqlHealth = `SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(),
	pg_database_size(current_database()), current_setting('fsync'),
	current_setting('full_page_writes'), current_setting('synchronous_commit'),
	coalesce((SELECT extract(epoch FROM max(now() - a.xact_start))::bigint
		FROM pg_catalog.pg_stat_activity a WHERE a.datname = current_database()), 0)`

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
