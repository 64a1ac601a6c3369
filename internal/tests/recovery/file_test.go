package recovery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// TestInvariant22FileDrill restores the same copy of a file three times, while no process runs.
// Nothing notices that by itself, so the operator accepts each restore. A process that expects the
// last accepted epoch refuses the copy.
func TestInvariant22FileDrill(t *testing.T) {
	folder := t.TempDir()
	path, backup := filepath.Join(folder, "store.db"), filepath.Join(folder, "backup.db")
	var expect boltstore.Expect
	start := func() (*boltstore.Store, process) {
		t.Helper()
		store, err := boltstore.Open(path, &boltstore.Options{Expect: expect})
		if err != nil {
			t.Fatal(err)
		}
		return store, newProcess(t, store)
	}
	store, p := start()
	before := p.install(t, "kept", "before", installation.Guard{IdempotencyKey: "before"})
	p.invite(t, "invited", "")
	cursor := p.cursor(t)
	if err := store.Copy(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	lowest := int64(0)
	for n := range 3 {
		l := p.lose(t, n)
		lowest = max(lowest, l.revision)
		stop(t, store)
		replace(t, path, backup)
		if expect.MinEpoch > 0 {
			_, err := boltstore.Open(path, &boltstore.Options{Expect: expect})
			fixture.WantErr(t, "open", err, installation.ErrUnavailable)
		}
		expect.MinEpoch = 0
		store, p = start()
		in, err := p.AcceptRestore(t.Context())
		if err != nil || in.Epoch <= lowest {
			t.Fatalf("accept restore: %+v, error %v, want an epoch above %d", in, err, lowest)
		}
		stop(t, store)
		expect = boltstore.Expect{ID: in.ID, MinEpoch: in.Epoch}
		store, p = start()
		l.check(t, p, cursor)
		l.repeat(t, p, before)
		next := p.install(t, "kept", "after", installation.Guard{Revision: before.Revision})
		if next.Revision <= lowest || next.Revision < in.Epoch {
			t.Errorf("revision %d after %d, in epoch %d", next.Revision, lowest, in.Epoch)
		}
		lowest = next.Revision
	}
	stop(t, store)
}

func stop(t *testing.T, s *boltstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
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
