package recovery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/tests/recoverytest"
	"github.com/go-installation/installation/redisstore"
)

// TestInvariant22RestoreDrill restores a Redis server under running processes.
func TestInvariant22RestoreDrill(t *testing.T) {
	server := redistest.Start(t)
	recoverytest.UnderProcesses(t, recoverytest.Database{
		Open: func(id string, minEpoch int64) (installation.Store, error) {
			client := redistest.NewClient(t, &redis.Options{Addr: server.Addr})
			return redisstore.Open(t.Context(), client, &redisstore.Options{
				FailoverLoss: 1, Expect: redisstore.Expect{ID: id, MinEpoch: minEpoch},
			})
		},
		Backup: func() (restore func()) {
			backup := server.Snapshot(t)
			return func() { server.Restore(t, backup) }
		},
	})
}

// TestInvariant22FileDrill restores a copy of a file while no process runs.
func TestInvariant22FileDrill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	var store *boltstore.Store // of the last process
	recoverytest.BetweenProcesses(t, recoverytest.Database{
		Open: func(id string, minEpoch int64) (installation.Store, error) {
			opened, err := boltstore.Open(path, &boltstore.Options{
				Expect: boltstore.Expect{ID: id, MinEpoch: minEpoch},
			})
			if err != nil {
				return nil, err
			}
			store = opened
			return opened, nil
		},
		Backup: func() (restore func()) {
			backup := filepath.Join(t.TempDir(), "backup.db")
			if err := store.Copy(t.Context(), backup); err != nil {
				t.Fatal(err)
			}
			return func() { replace(t, path, backup) }
		},
	})
}

// replace puts a copy of a backup in place of a file.
func replace(t *testing.T, path, backup string) {
	t.Helper()
	content, err := os.ReadFile(backup)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
