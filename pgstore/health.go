package pgstore

import (
	"context"
	"fmt"

	"github.com/go-installation/installation/health"
)

// Health implements [installation.HealthChecker].
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var server, size int64
	var standby bool
	if err := s.readOne(ctx, sqlHealth, nil, &server, &standby, &size); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	return []health.Finding{}, nil
}

const sqlHealth = "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery()," +
	" pg_database_size(current_database())"
