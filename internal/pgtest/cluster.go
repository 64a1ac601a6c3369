package pgtest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// CopyCluster makes a folder with an empty cluster, for [StartIn].
func CopyCluster(tb testing.TB, folder string) {
	tb.Helper()
	find(tb, "postgres")
	copyFiles(tb, makeTemplate(tb), folder)
}

// templates guards shared.template. Shared holds the lock of shared meanwhile.
var templates sync.Mutex

// makeTemplate returns a folder with an empty cluster. initdb takes over a second, and a copy takes
// a small part of that.
func makeTemplate(tb testing.TB) string {
	tb.Helper()
	templates.Lock()
	defer templates.Unlock()
	if shared.template == "" {
		dir := makeDir(tb)
		run(tb, dir, find(tb, "initdb"), "--pgdata", dir, "--no-sync", "--auth=trust",
			"--username=postgres", "--encoding=UTF8", "--locale=C")
		shared.template = dir
	}
	return shared.template
}

// copyFiles copies a folder with its owners.
func copyFiles(tb testing.TB, from, to string) {
	tb.Helper()
	must(tb, filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if e.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			var content []byte
			if content, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(target, content, 0o600)
			}
		}
		if err != nil {
			return err
		}
		return own(target)
	}))
}

// Snapshot is what a server had at one moment.
type Snapshot struct{ folder string }

// Snapshot stops the server in order, copies its cluster, and starts the server again. The copy is
// there until the test ends.
func (s *Server) Snapshot(tb testing.TB) Snapshot {
	tb.Helper()
	dir := makeDir(tb)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	from := Snapshot{filepath.Join(dir, "data")}
	s.Stop()
	copyFiles(tb, s.data(), from.folder)
	s.Restart(tb)
	return from
}

// Restore kills the server and starts it again, at the same address, with what it had at the time
// of the snapshot.
func (s *Server) Restore(tb testing.TB, from Snapshot) {
	tb.Helper()
	s.Kill()
	must(tb, os.RemoveAll(s.data()))
	copyFiles(tb, from.folder, s.data())
	s.Restart(tb)
}
