package recovery

import (
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/redisstore"
)

// drill is a Redis server that is restored under running processes.
type drill struct {
	server     *redistest.Server
	id         string    // of the namespace
	running    []process // that have seen everything
	epoch      int64     // that was accepted last
	lowest     int64     // every epoch and revision after the next acceptance must be above it
	acceptance int
}

// start starts a process. Its FailoverLoss is so short that every event it has seen is settled: if
// one is gone, the process stops.
func (d *drill) start(t *testing.T, minEpoch int64) (process, error) {
	client := redistest.NewClient(t, &redis.Options{Addr: d.server.Addr})
	o := &redisstore.Options{
		FailoverLoss: 1, Expect: redisstore.Expect{ID: d.id, MinEpoch: minEpoch},
	}
	store, err := redisstore.Open(t.Context(), client, o)
	if err != nil {
		return process{}, err
	}
	return newProcess(t, store), nil
}

// TestInvariant22RestoreDrill restores the same backup three times under two running processes.
// Each time two operators accept it at once. What was given out after the backup is not honoured,
// and what was there before is not lost.
func TestInvariant22RestoreDrill(t *testing.T) {
	d := &drill{server: redistest.Start(t)}
	for range 2 {
		p, err := d.start(t, 0)
		if err != nil {
			t.Fatal(err)
		}
		d.running = append(d.running, p)
	}
	p := d.running[0]
	before := p.install(t, "kept", "before", installation.Guard{IdempotencyKey: "before"})
	p.invite(t, "invited", "")
	cursor := p.cursor(t)
	backup := d.server.Snapshot(t)
	for range 3 {
		d.restore(t, backup, before, cursor)
	}
}

// restore writes, restores the backup, accepts the restore, and checks what is still honoured.
func (d *drill) restore(
	t *testing.T, backup redistest.Snapshot, before *installation.Result, cursor string,
) {
	t.Helper()
	d.acceptance++
	p := d.running[d.acceptance%2]

	lost := p.lose(t, d.acceptance)
	d.lowest = max(d.lowest, lost.revision)
	for _, p := range d.running {
		p.cursor(t) // sees all of it
	}
	d.server.Restore(t, backup)

	d.stopped(t, lost.revision)

	epoch := d.accept(t)
	fresh, err := d.start(t, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(d.running, fresh) {
		lost.check(t, p, cursor)
	}
	lost.repeat(t, p, before)
	// A guard of the backup works, once.
	guarded := installation.Guard{Revision: before.Revision}
	next := p.install(t, "kept", fmt.Sprint("after ", d.acceptance), guarded)
	if next.Revision <= d.lowest || next.Revision < epoch {
		t.Errorf("revision %d after %d, in epoch %d", next.Revision, d.lowest, epoch)
	}
	d.lowest = next.Revision
}

// stopped checks that every running process stops by itself, and that a new one does not start if
// it knows the last epoch.
func (d *drill) stopped(t *testing.T, lost int64) {
	t.Helper()
	for _, p := range d.running {
		_, err := p.Service.Get(t.Context(), "kept")
		fixture.WantErr(t, "get", err, installation.ErrRestored)
		fixture.WantErr(t, "get", err, installation.ErrUnavailable)
		_, err = p.upsert(t.Context(), "kept", "x", installation.Guard{Revision: lost})
		fixture.WantErr(t, "upsert", err, installation.ErrRestored)
		_, err = p.Check(t.Context())
		fixture.WantErr(t, "check", err, installation.ErrRestored)
	}
	if d.epoch > 0 {
		_, err := d.start(t, d.epoch)
		fixture.WantErr(t, "start", err, installation.ErrRestored)
	}
}

// accept accepts the restore in all running processes at once, and returns the epoch.
func (d *drill) accept(t *testing.T) (epoch int64) {
	t.Helper()
	var wait sync.WaitGroup
	for _, p := range d.running {
		wait.Go(func() {
			if _, err := p.AcceptRestore(t.Context()); err != nil {
				t.Errorf("accept restore: %v", err)
			}
		})
	}
	wait.Wait()
	observer, err := d.start(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, err := observer.namespace(t)
	if err != nil || in.Epoch <= d.lowest {
		t.Fatalf("namespace %+v, error %v, want an epoch above %d", in, err, d.lowest)
	}
	d.id, d.epoch = in.ID, in.Epoch
	return in.Epoch
}
