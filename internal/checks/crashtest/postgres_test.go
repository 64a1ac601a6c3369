package crashtest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation/internal/checks/crashtest/syncfs"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// postgresStore is a store with a pool of its own.
type postgresStore struct {
	*pgstore.Store
	pool *pgxpool.Pool
}

// openPostgres opens the store in a database.
func openPostgres(url string) (checked, error) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	s, err := pgstore.Open(ctx, pool, &pgstore.Options{RetryFor: 2 * time.Second})
	return postgresStore{s, pool}, err
}

func (p postgresStore) verify(context.Context) error { return nil } // it has no check of its own

func (p postgresStore) Close() error {
	p.pool.Close()
	return nil
}

// postgresRig is a server whose data is on the mount.
type postgresRig struct {
	*rig
	server *pgtest.Server
}

// settings make the server write to many places within seconds.
var settings = []string{
	"fsync=on", "shared_buffers=1MB", "wal_buffers=64kB", "min_wal_size=32MB", "max_wal_size=32MB",
	"checkpoint_timeout=30s", "checkpoint_completion_target=0", "bgwriter_delay=10ms",
}

// newPostgresRig starts the server and makes the schema.
func newPostgresRig(t *testing.T, seed uint64, r *report, more ...string) *postgresRig {
	t.Helper()
	g := newRig(t, "postgres", seed, r)
	// The server does not sync the folder of a new file. The usual file systems do that for it.
	g.opts.Journal = true
	if err := os.Remove(g.folder); err != nil {
		t.Fatal(err)
	}
	pgtest.CopyCluster(t, g.folder)
	g.mount(t)
	t.Cleanup(func() { // after a failure; otherwise it is unmounted already
		g.fs.Stop()
		_ = g.fs.Unmount()
	})
	p := &postgresRig{rig: g, server: pgtest.StartIn(t, g.at, append(settings, more...)...)}
	g.where = p.server.URL("postgres")
	conn, err := pgx.Connect(t.Context(), g.where)
	if err == nil {
		err = errors.Join(pgstore.Migrate(t.Context(), conn, nil), conn.Close(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// round lets concurrent writers write until the machine crashes, or only all processes of the
// server or of the client end. Then it starts the server again and checks the store.
func (p *postgresRig) round(t *testing.T) error {
	t.Helper()
	lines := -1
	if p.rng.IntN(4) == 0 {
		lines = 1 + p.rng.IntN(100) // kill the client alone
	} else {
		p.fs.StopAfter(1 + p.rng.IntN(400))
	}
	if p.liar {
		p.fs.IgnoreSyncs()
	}
	c, err := p.start(false, "a", "b", "c")
	if err != nil {
		return err
	}
	checkpoint := make(chan struct{})
	go func() {
		defer close(checkpoint)
		p.checkpoint(t.Context())
	}()
	err = p.follow(c, lines)
	switch {
	case lines > 0:
		p.model.note(c.kill()...)
		p.report.kills++
	case p.rng.IntN(4) == 0: // kill the server alone
		p.server.Kill()
		p.model.note(c.kill()...)
		p.fs.Resume()
		p.server.Restart(t)
		p.report.kills++
	default:
		p.server.Kill()
		p.model.note(c.kill()...)
		p.lose(t)
		p.mount(t)
		err = errors.Join(err, p.server.Recover(t))
	}
	<-checkpoint
	if err != nil || lines > 0 { // what a client left behind, the server may still apply
		return err
	}
	return p.check(t.Context(), p.where)
}

// checkpoint asks for a checkpoint. It ends with the server at the latest.
func (p *postgresRig) checkpoint(ctx context.Context) {
	conn, err := pgx.Connect(ctx, p.where)
	if err != nil {
		return // the server has stopped
	}
	_, _ = conn.Exec(ctx, "CHECKPOINT") // it may not live to answer
	_ = conn.Close(ctx)                 // the server may be gone
}

// end stops the server and the file system.
func (p *postgresRig) end(t *testing.T) {
	t.Helper()
	p.server.Kill()
	if err := p.fs.Unmount(); err != nil {
		t.Error(err)
	}
	p.report.acked += p.model.acked
}

// TestPostgresCrash crashes the machine of a server, all processes of the server, or the client.
// Nothing that was acknowledged is lost, and nothing is there in part.
func TestPostgresCrash(t *testing.T) {
	var r report
	p := newPostgresRig(t, 1, &r)
	for round := range long(15) {
		if err := p.round(t); err != nil {
			t.Errorf("round %d: %v", round, err)
			break
		}
	}
	p.end(t)
	t.Log(&r)
	if r.acked == 0 || r.power == 0 || r.kills == 0 || r.loss.Lost == 0 {
		t.Error("the crashes hit nothing")
	}
}

// TestPostgresControls crashes machines whose server or disk is not durable. The same checks must
// find it, or the server must refuse to start.
func TestPostgresControls(t *testing.T) {
	for name, settings := range map[string][]string{
		"asynchronous": {"synchronous_commit=off"},
		"ignored sync": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var r report
			p := newPostgresRig(t, 3, &r, settings...)
			defer p.end(t)
			p.liar = settings == nil
			for range 20 {
				if err := p.round(t); err != nil {
					t.Logf("%d acknowledged; found: %.300v", p.model.acked, err)
					return
				}
			}
			t.Errorf("no loss was found: %v", &r)
		})
	}
}

// TestPostgresDiskFull fills the disk in the middle of commits. The answer of Commit is right, and
// with room again the store works.
func TestPostgresDiskFull(t *testing.T) {
	withFaults(t, func(f *syncfs.FS, n int) { f.LimitSpace(int64(n%8)*4096, n%2 == 0) },
		func(f *syncfs.FS) { f.LimitSpace(-1, false) })
}

// TestPostgresFailedSync lets the sync of a commit fail. The server then ends all its processes
// and reads its log again, and the commit may be in it.
func TestPostgresFailedSync(t *testing.T) {
	withFaults(t, func(f *syncfs.FS, _ int) { f.FailSync(1) },
		func(f *syncfs.FS) { f.FailSync(0) })
}

// await waits until the server accepts connections, and starts it again if it has ended.
func (p *postgresRig) await(t *testing.T) {
	t.Helper()
	pgtest.Await(t, "the server recovers", func() bool {
		if !p.server.Running() {
			p.server.Restart(t)
		}
		conn, err := pgx.Connect(t.Context(), p.where)
		return err == nil && conn.Close(t.Context()) == nil
	})
}

// withFaults makes commits with faults in the file system of a server.
func withFaults(t *testing.T, set func(*syncfs.FS, int), end func(*syncfs.FS)) {
	var r report
	p := newPostgresRig(t, 2, &r)
	defer p.end(t)
	f := &faulty{rig: p.rig, answers: make(map[string]int)}
	if err := f.restart(); err != nil {
		t.Fatal(err)
	}
	for n := range long(8) {
		first, err := f.withFault(func() { set(f.fs, n) }, func() {
			end(f.fs)
			p.await(t)
		})
		t.Logf("%s %s", first.What, first.Err)
		if err != nil {
			t.Errorf("commit %d: %v", n, err)
			break
		}
	}
	f.model.note(f.child.kill()...)
	if err := p.check(t.Context(), p.where); err != nil {
		t.Error(err)
	}
	t.Logf("%d faults, answers %v", f.fs.Faults(), f.answers)
	if f.fs.Faults() == 0 {
		t.Error("there was no fault")
	}
}
