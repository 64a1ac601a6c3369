// Package syncfs is a file system for tests that loses what was not synced. It is a FUSE file
// system over a folder. Everything that a program writes is in that folder at once, and the
// program reads it back. The file system also remembers how to undo what was not synced. A crash
// undoes it, or keeps a random part of it.
//
//   - A write or a change of the length is durable after fsync or fdatasync of the file, or if the
//     file was opened with O_SYNC or O_DSYNC.
//   - A create, a rename, a link or a removal is durable after fsync of the folder. Names change in
//     order: if a crash keeps one, then also all that came before.
//   - Owners, modes and times are durable at once.
//
// The process that serves the file system must not map its files into memory: a page fault would
// wait for a goroutine that the garbage collector may have stopped.
package syncfs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Options configure [Mount].
type Options struct {
	// Journal makes fsync of a file also cover all changes of names before it, as ext4 and xfs do.
	Journal bool
}

// FS is a mounted file system. All methods may be called from many goroutines at once.
type FS struct {
	opts   Options
	folder string // what is below the mount
	kept   string // a folder for removed files, until their removal is durable
	at     string
	server *fuse.Server

	mu       sync.Mutex
	stopped  chan struct{} // closed once all calls fail
	down     bool          // all calls fail
	calls    int           // how many more calls succeed; negative = no limit
	files    map[uint64]*file
	numbers  int // of files, and of removed files
	names    []rename
	room     int64 // how many more bytes can be written; negative = no limit
	inPlace  bool  // see LimitSpace
	ignore   bool  // see IgnoreSyncs
	failSync int   // the sync that fails, counted from now; 0 = none
	faults   int
}

// ErrMount means that the system does not let this process mount a file system.
var ErrMount = errors.New("cannot mount a FUSE file system")

// Mount mounts a file system over folder. Both folders must exist and be absolute paths. All users
// may use it. Nil stands for the default options.
func Mount(folder, at string, o *Options) (*FS, error) {
	f := &FS{
		folder: folder, at: at, files: make(map[uint64]*file), room: -1, calls: -1,
		stopped: make(chan struct{}),
	}
	if o != nil {
		f.opts = *o
	}
	var err error
	if f.kept, err = os.MkdirTemp(filepath.Dir(folder), "removed-"); err != nil {
		return nil, err
	}
	root, err := fs.NewLoopbackRoot(folder)
	if err != nil {
		return nil, err
	}
	forever := 24 * time.Hour // nobody changes the folder below the mount
	f.server, err = fs.Mount(at, &node{root.(*fs.LoopbackNode), f}, &fs.Options{
		EntryTimeout: &forever, AttrTimeout: &forever,
		MountOptions: fuse.MountOptions{
			AllowOther: true, DirectMountStrict: true, FsName: "syncfs", MaxWrite: 1 << 20,
			DisableXAttrs: true,
			// A process that was killed takes no answers. That is all that the server logs.
			Logger:  log.New(io.Discard, "", 0),
			Options: []string{"default_permissions"},
		},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrMount, err), os.RemoveAll(f.kept))
	}
	return f, nil
}

// LimitSpace lets n more bytes be written. Then writes fail with ENOSPC. A write that does not fit
// is cut short. If inPlace is true, bytes that overwrite others do not count, as on most file
// systems; if it is false they do, as on those that copy what they write. A negative n removes the
// limit.
func (f *FS) LimitSpace(n int64, inPlace bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room, f.inPlace = n, inPlace
}

// FailSync lets the nth sync of a file with unsynced changes fail with EIO, counted from now. Reads
// still return what was written before it. No later sync makes it durable, unless the sector is
// written again. This is what Linux does. 0 lets none fail.
func (f *FS) FailSync(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failSync = n
}

// IgnoreSyncs makes every sync from now on report success, and makes nothing durable. A test that
// does not notice this proves nothing.
func (f *FS) IgnoreSyncs() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ignore = true
}

// Faults returns how many writes and syncs have failed by [FS.LimitSpace] and [FS.FailSync].
func (f *FS) Faults() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults
}

// Stop stops the file system like a machine without power. From now on every call that writes or
// syncs fails with EIO. Call it before the processes that use the file system are killed.
func (f *FS) Stop() { f.StopAfter(0) }

// StopAfter is [FS.Stop] after n more calls that write, sync, or change names.
func (f *FS) StopAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = n
	if n == 0 {
		f.stop()
	}
}

// Stopped returns a channel that is closed once the file system has stopped.
func (f *FS) Stopped() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopped
}

// Resume ends a stop without a crash. A process that was killed meanwhile was killed between two
// calls, and nothing that it wrote is lost.
func (f *FS) Resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.calls, f.stopped = false, -1, make(chan struct{})
}

func (f *FS) stop() {
	if !f.down {
		f.down = true
		close(f.stopped)
	}
}

// call counts a call that writes, syncs, or changes names. It reports whether the call succeeds.
func (f *FS) call() bool {
	if f.calls == 0 {
		f.stop()
	}
	if f.calls > 0 {
		f.calls--
	}
	return !f.down
}

// Unmount ends the file system and keeps everything. No process may use it any more.
func (f *FS) Unmount() error { return f.end(nil) }

// Crash ends the file system and undoes what was not synced, or keeps a random part of it. The seed
// decides, together with the order of the calls. No process may use the file system any more.
func (f *FS) Crash(seed uint64) (Loss, error) {
	var loss Loss
	err := f.end(func() error {
		var errs []error
		c := newCrash(seed)
		for _, file := range f.inOrder() {
			errs = append(errs, file.crash(c, &loss))
		}
		return errors.Join(append(errs, f.crashNames(c.rng, &loss))...)
	})
	return loss, err
}

// end unmounts, calls undo, and releases everything.
func (f *FS) end(undo func() error) error {
	f.Stop()
	if err := f.unmount(); err != nil {
		return fmt.Errorf("unmount %s: %w", f.at, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if undo != nil {
		errs = append(errs, undo())
	}
	for _, file := range f.files {
		errs = append(errs, file.disk.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(f.kept))...)
}

// unmount waits for processes that were killed: each uses the mount until its last call has ended.
func (f *FS) unmount() (err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(time.Minute); ; {
		if err = f.server.Unmount(); !errors.Is(err, syscall.EBUSY) {
			break
		}
		select {
		case <-timeout:
			return err
		case <-tick.C:
		}
	}
	if err == nil {
		f.server.Wait()
	}
	return err
}

// Loss counts what a crash found unsynced.
type Loss struct {
	Writes int // unsynced writes and changes of the length
	Lost   int // of Writes: nothing is left of them
	Torn   int // of Writes: a part is left
	Names  int // unsynced creates, renames, links and removals
	Undone int // of Names
}

// Add adds the counts of another crash.
func (l *Loss) Add(other Loss) {
	l.Writes += other.Writes
	l.Lost += other.Lost
	l.Torn += other.Torn
	l.Names += other.Names
	l.Undone += other.Undone
}

// rename is an unsynced change of names.
type rename struct {
	folders []uint64     // inodes of the folders that must be synced
	undo    func() error // expects the names to be as they were after the change
	settle  func()       // removes what undo needs
}

// syncNames makes changes of names durable: all, or up to the last one in a folder.
func (f *FS) syncNames(durable func(rename) bool) {
	for i := len(f.names) - 1; i >= 0; i-- {
		if !durable(f.names[i]) {
			continue
		}
		for _, r := range f.names[:i+1] {
			r.settle()
		}
		f.names = append([]rename(nil), f.names[i+1:]...)
		return
	}
}

// crashNames undoes the last few unsynced changes of names.
func (f *FS) crashNames(rng *rand.Rand, loss *Loss) error {
	keep := rng.IntN(len(f.names) + 1)
	loss.Names += len(f.names)
	loss.Undone += len(f.names) - keep
	for i := len(f.names) - 1; i >= keep; i-- {
		if err := f.names[i].undo(); err != nil {
			return err
		}
	}
	return nil
}

// errno returns the error number in err.
func errno(err error) syscall.Errno { return fs.ToErrno(err) }
