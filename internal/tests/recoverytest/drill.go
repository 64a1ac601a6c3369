// Package recoverytest restores backups of a store and checks what is honoured afterwards, for
// every store. Only tests import it.
package recoverytest

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Database is what a drill restores.
type Database struct {
	// Open opens the store of a new process. The process expects the namespace with this ID and at
	// least this epoch; "" and 0 expect nothing. If the store has a FailoverLoss, it must be a
	// nanosecond, so that a process stops if an event is gone that it has seen.
	Open func(id string, minEpoch int64) (installation.Store, error)

	// Backup makes a backup. It returns a function that replaces what is stored by the backup, at
	// the same address. A drill calls that function several times.
	Backup func() (restore func())
}

// UnderProcesses restores the same backup three times under two running processes. Both stop by
// themselves. Then two operators accept the restore at once. What was given out after the backup is
// not honoured, and what was there before is not lost.
func UnderProcesses(t *testing.T, db Database) {
	t.Helper()
	d := &drill{Database: db}
	running := []Process{d.start(t, 0), d.start(t, 0)}
	restore := d.backup(t, running[0])
	for n := range 3 {
		d.lose(t, running[n%2], n)
		for _, p := range running {
			p.Cursor(t) // sees all of it
			p.Cursor(t) // finds that it has lasted
		}
		restore()
		for _, p := range running {
			d.stopped(t, p)
		}
		d.refused(t)
		d.accept(t, running...)
		d.check(t, append(running, d.start(t, d.epoch))...)
	}
}

// BetweenProcesses restores the same backup three times while no process runs. Nothing notices that
// by itself, so the operator accepts each restore. The store must be an [io.Closer].
func BetweenProcesses(t *testing.T, db Database) {
	t.Helper()
	d := &drill{Database: db}
	p := d.start(t, 0)
	restore := d.backup(t, p)
	for n := range 3 {
		d.lose(t, p, n)
		p.end(t)
		restore()
		d.refused(t)
		p = d.start(t, 0)
		d.accept(t, p)
		p.end(t)
		p = d.start(t, d.epoch)
		d.check(t, p)
	}
	p.end(t)
}

// drill is the state of a drill.
type drill struct {
	Database
	id     string               // of the namespace
	epoch  int64                // that was accepted last
	before *installation.Result // of a request before the backup
	cursor string               // from before the backup
	lost   lost                 // since the last acceptance
	lowest int64                // the epoch and revisions after an acceptance must be above it
}

// start starts a process.
func (d *drill) start(t *testing.T, minEpoch int64) Process {
	t.Helper()
	store, err := d.Open(d.id, minEpoch)
	if err != nil {
		t.Fatal(err)
	}
	return NewProcess(t, store)
}

// end ends a process of a store that belongs to one process.
func (p Process) end(t *testing.T) {
	t.Helper()
	if err := p.store.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
}

// backup writes what the backup has, and makes the backup.
func (d *drill) backup(t *testing.T, p Process) (restore func()) {
	t.Helper()
	d.before = p.Install(t, "kept", "before", installation.Guard{IdempotencyKey: "before"})
	p.NewCode(t, "invited", "")
	d.cursor = p.Cursor(t)
	return d.Backup()
}

// lose does the work that the next restore takes back. The number n tells several times apart.
func (d *drill) lose(t *testing.T, p Process, n int) {
	t.Helper()
	d.lost = lose(t, p, n)
	d.lowest = max(d.lowest, d.lost.revision)
}

// stopped checks that a running process stops by itself.
func (d *drill) stopped(t *testing.T, p Process) {
	t.Helper()
	_, err := p.Service.Get(t.Context(), "kept")
	fixture.WantErr(t, "get", err, installation.ErrRestored)
	fixture.WantErr(t, "get", err, installation.ErrUnavailable)
	guard := installation.Guard{Revision: d.lost.revision}
	_, err = p.TryInstall(t.Context(), "kept", "x", guard)
	fixture.WantErr(t, "upsert", err, installation.ErrRestored)
	_, err = p.Check(t.Context())
	fixture.WantErr(t, "check", err, installation.ErrRestored)
}

// refused checks that no new process starts that expects the last accepted epoch.
func (d *drill) refused(t *testing.T) {
	t.Helper()
	if d.epoch > 0 {
		_, err := d.Open(d.id, d.epoch)
		fixture.WantErr(t, "open", err, installation.ErrRestored)
		fixture.WantErr(t, "open", err, installation.ErrUnavailable)
	}
}

// accept accepts the restore in several processes at once.
func (d *drill) accept(t *testing.T, processes ...Process) {
	t.Helper()
	accepted := make([]installation.Namespace, len(processes))
	var wait sync.WaitGroup
	for i, p := range processes {
		wait.Go(func() {
			var err error
			if accepted[i], err = p.AcceptRestore(t.Context()); err != nil {
				t.Errorf("accept restore: %v", err)
			}
		})
	}
	wait.Wait()
	d.epoch = 0
	for _, in := range accepted {
		if d.id, d.epoch = in.ID, max(d.epoch, in.Epoch); in.Epoch <= d.lowest {
			t.Fatalf("namespace %+v, want an epoch above %d", in, d.lowest)
		}
	}
}

// check checks what processes honour after the restore was accepted. The last one is new.
func (d *drill) check(t *testing.T, processes ...Process) {
	t.Helper()
	for _, p := range processes {
		d.lost.check(t, p, d.cursor)
	}
	p := processes[len(processes)-1]
	if in := p.namespace(t); in.ID != d.id || in.Epoch != d.epoch {
		t.Errorf("namespace %+v, want %s at epoch %d", in, d.id, d.epoch)
	}
	d.lost.repeat(t, processes[0], d.before)
	// A guard of the backup works, once.
	guard := installation.Guard{Revision: d.before.Revision}
	next := processes[0].Install(t, "kept", fmt.Sprint("after ", d.epoch), guard)
	if next.Revision <= d.lowest || next.Revision < d.epoch {
		t.Errorf("revision %d after %d, in epoch %d", next.Revision, d.lowest, d.epoch)
	}
	d.lowest = next.Revision
}
