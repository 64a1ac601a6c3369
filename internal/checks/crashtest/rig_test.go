package crashtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-installation/installation/internal/checks/crashtest/syncfs"
)

// patience limits how long a child may need. Only a fault makes a run wait this long.
const patience = time.Minute

// rig is a folder with a store in it, and what must be there.
type rig struct {
	store  string // see openers
	where  string // see task
	opts   syncfs.Options
	liar   bool   // syncs are ignored while the children write
	folder string // below the mount
	at     string
	rng    *rand.Rand
	model  *model
	report *report
	fs     *syncfs.FS
}

// report counts what was done.
type report struct {
	power, kills int // crashes of the machine, and of the process alone
	acked, open  int // operations that were acknowledged, and without an answer at a crash
	loss         syncfs.Loss
}

func (r *report) String() string {
	return fmt.Sprintf("%d crashes of the machine, %d kills of the process alone; "+
		"%d acknowledged, %d without an answer; unsynced writes %d, lost %d, torn %d; "+
		"unsynced names %d, undone %d", r.power, r.kills, r.acked, r.open,
		r.loss.Writes, r.loss.Lost, r.loss.Torn, r.loss.Names, r.loss.Undone)
}

// newRig makes an empty folder.
func newRig(t *testing.T, store string, seed uint64, r *report) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "crashtest-") // other users cannot enter the TempDir of a test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system cleans its folder up otherwise
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g := &rig{
		store: store, where: file(filepath.Join(dir, "mount")),
		folder: filepath.Join(dir, "folder"), at: filepath.Join(dir, "mount"),
		rng: rand.New(rand.NewPCG(seed, 1)), model: newModel(), report: r,
	}
	for _, dir := range []string{g.folder, g.at} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// mount mounts the file system, or skips the test if the system does not allow it.
func (g *rig) mount(t *testing.T) {
	t.Helper()
	var err error
	g.fs, err = syncfs.Mount(g.folder, g.at, &g.opts)
	if errors.Is(err, syncfs.ErrMount) && os.Getenv("INSTALLATION_TEST_FUSE") != "require" {
		t.Skip(err) // only root can mount, and a container may lack /dev/fuse
	}
	if err != nil {
		t.Fatal(err)
	}
}

// file is the path of the store below the mount or in the folder.
func file(dir string) string { return filepath.Join(dir, "installations.db") }

// start starts a child on the mount.
func (g *rig) start(step bool, writers ...string) (*child, error) {
	return startChild(task{
		Store: g.store, Where: g.where, Writers: writers, Step: step,
		Stored: g.model.stored, Retry: maps.Clone(g.model.open), First: g.model.first,
	})
}

// round lets concurrent writers write until the machine crashes. Before that, the process is
// sometimes killed and started again. It returns an error if something is wrong afterwards.
func (g *rig) round(t *testing.T) error {
	t.Helper()
	g.mount(t)
	if g.liar {
		g.fs.IgnoreSyncs()
	}
	for g.rng.IntN(3) == 0 {
		if err := g.killProcess(); err != nil {
			return errors.Join(err, g.fs.Unmount())
		}
	}
	g.fs.StopAfter(g.calls())
	c, err := g.start(false, "a", "b", "c")
	if err == nil {
		err = g.follow(c, -1)
	}
	g.model.note(c.kill()...)
	return errors.Join(err, g.crash(t))
}

// calls returns after how many calls the machine stops. Few calls hit the open and the first
// commit.
func (g *rig) calls() int {
	if g.rng.IntN(2) == 0 {
		return 1 + g.rng.IntN(12)
	}
	return 1 + g.rng.IntN(250)
}

// follow notes what a child says, until the machine stops or the child has said n lines.
func (g *rig) follow(c *child, n int) error {
	timeout := time.After(patience)
	for ; n != 0; n-- {
		select {
		case <-g.fs.Stopped():
			return nil
		case m, ok := <-c.lines:
			if !ok {
				return fmt.Errorf("the child has ended: %s", c.stderr.String())
			}
			g.model.note(m)
			if m.Err != "" && !closed(g.fs.Stopped()) {
				return fmt.Errorf("%s %s: %s", m.What, m.Op, m.Err)
			}
		case <-timeout:
			return errors.New("the child does nothing")
		}
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// killProcess lets a child write, and kills it: at any time, or between two calls. Nothing that it
// wrote is lost.
func (g *rig) killProcess() error {
	lines := 1 + g.rng.IntN(40)
	if g.rng.IntN(3) > 0 {
		lines = -1
		g.fs.StopAfter(g.calls())
	}
	c, err := g.start(false, "a", "b", "c")
	if err != nil {
		return err
	}
	err = g.follow(c, lines)
	g.model.note(c.kill()...)
	g.fs.Resume()
	g.report.kills++
	return err
}

// crash crashes the machine and checks the store.
func (g *rig) crash(t *testing.T) error {
	t.Helper()
	g.lose(t)
	return g.check(t.Context(), file(g.folder))
}

// lose loses what was not synced.
func (g *rig) lose(t *testing.T) {
	t.Helper()
	loss, err := g.fs.Crash(g.rng.Uint64())
	if err != nil {
		t.Fatal(err) // the file system itself failed
	}
	g.report.power++
	g.report.loss.Add(loss)
	g.report.open += len(g.model.open)
}

// check opens the store and compares it with the model. A file must be the one below the mount,
// because this process must not map those on the mount into memory.
func (g *rig) check(ctx context.Context, where string) error {
	s, err := openers[g.store](where)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return errors.Join(g.model.check(ctx, s), s.Close())
}
