package redistest

import (
	"os"
	"path/filepath"
	"testing"
)

// dumpFile is where a server saves its data.
const dumpFile = "dump.rdb"

// Snapshot is what a server had at one moment.
type Snapshot struct{ dump []byte }

// Snapshot returns what the server has now.
func (s *Server) Snapshot(tb testing.TB) Snapshot {
	tb.Helper()
	must(tb, s.Client(tb).Save(tb.Context()).Err())
	dump, err := os.ReadFile(filepath.Join(s.dir, dumpFile))
	must(tb, err)
	return Snapshot{dump}
}

// Restore kills the server and starts it again with what it had at the time of the snapshot.
func (s *Server) Restore(tb testing.TB, from Snapshot) {
	tb.Helper()
	s.Kill()
	must(tb, os.WriteFile(filepath.Join(s.dir, dumpFile), from.dump, 0o600))
	// A server of another test can have the port for a moment.
	Await(tb, "the server starts again", func() bool { return s.run(tb) })
}
