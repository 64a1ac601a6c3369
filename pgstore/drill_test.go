package pgstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/internal/tests/recoverytest"
	"github.com/go-installation/installation/pgstore"
)

// TestInvariant22RestoreDrill restores the cluster of a server under running processes, whose pools
// stay open.
func TestInvariant22RestoreDrill(t *testing.T) {
	server := pgtest.Start(t)
	url := server.URL("postgres")
	migrate(t, url, nil)
	recoverytest.UnderProcesses(t, recoverytest.Database{
		Open: func(id string, minEpoch int64) (installation.Store, error) {
			return pgstore.Open(t.Context(), newPool(t, url, 4), &pgstore.Options{
				FailoverLoss: 1, Expect: pgstore.Expect{ID: id, MinEpoch: minEpoch},
				RetryFor: pgtest.Patience,
			})
		},
		Backup: func() (restore func()) {
			backup := server.Snapshot(t)
			return func() { server.Restore(t, backup) }
		},
	})
}
