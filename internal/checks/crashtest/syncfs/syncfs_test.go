package syncfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounted is a mounted file system and its folders.
type mounted struct {
	*FS
	folder, at string
}

// mount mounts a file system over an empty folder.
func mount(t *testing.T, o *Options) mounted {
	t.Helper()
	m := mounted{folder: filepath.Join(t.TempDir(), "folder"), at: t.TempDir()}
	must(t, os.Mkdir(m.folder, 0o755))
	var err error
	m.FS, err = Mount(m.folder, m.at, o)
	if errors.Is(err, ErrMount) && os.Getenv("INSTALLATION_TEST_FUSE") != "require" {
		t.Skip(err) // only root can mount, and a container may lack /dev/fuse
	}
	must(t, err)
	t.Cleanup(func() { _ = m.server.Unmount() }) // after a failure
	return m
}

// crashAs ends the file system with a crash of a kind.
func (m mounted) crashAs(t *testing.T, kind int) Loss {
	t.Helper()
	seed := uint64(0)
	for newCrash(seed).kind != kind {
		seed++
	}
	loss, err := m.Crash(seed)
	must(t, err)
	return loss
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a file on the mount.
func (m mounted) open(t *testing.T, name string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(m.at, name), os.O_RDWR|flags, 0o644)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() }) // a second close fails
	return f
}

// file creates a file whose content is durable.
func (m mounted) file(t *testing.T, name, text string) *os.File {
	t.Helper()
	f := m.open(t, name, os.O_CREATE|os.O_SYNC)
	put(t, f, text)
	return f
}

// put writes text at the start of a file.
func put(t *testing.T, f *os.File, text string) {
	t.Helper()
	_, err := f.WriteAt([]byte(text), 0)
	must(t, err)
}

// syncFolder makes names durable.
func (m mounted) syncFolder(t *testing.T) {
	t.Helper()
	f, err := os.Open(m.at)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

// left returns the names in the folder and the content of the files.
func (m mounted) left(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(m.folder)
	must(t, err)
	var out []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(m.folder, e.Name()))
		must(t, err)
		out = append(out, e.Name()+"="+string(b))
	}
	return strings.Join(out, " ")
}

// TestSyncedSurvives writes with every way to sync, and loses only what was not synced.
func TestSyncedSurvives(t *testing.T) {
	for _, tc := range []struct {
		name  string
		liar  bool
		flags int
		do    func(t *testing.T, m mounted, f *os.File)
		want  string
	}{
		{name: "no sync", want: "a=old"},
		{name: "fsync", do: func(t *testing.T, _ mounted, f *os.File) { must(t, f.Sync()) },
			want: "a=newer"},
		{name: "fdatasync", do: func(t *testing.T, _ mounted, f *os.File) {
			must(t, syscall.Fdatasync(int(f.Fd())))
		}, want: "a=newer"},
		{name: "O_SYNC", flags: os.O_SYNC, want: "a=newer"},
		{name: "O_DSYNC", flags: syscall.O_DSYNC, want: "a=newer"},
		{name: "close", do: func(t *testing.T, _ mounted, f *os.File) { must(t, f.Close()) },
			want: "a=old"},
		{name: "unsynced cut", do: func(t *testing.T, _ mounted, f *os.File) {
			must(t, f.Sync())
			must(t, f.Truncate(2))
		}, want: "a=newer"},
		{name: "synced cut", do: func(t *testing.T, _ mounted, f *os.File) {
			must(t, f.Truncate(2))
			must(t, f.Sync())
		}, want: "a=ne"},
		{name: "write after sync", do: func(t *testing.T, _ mounted, f *os.File) {
			must(t, f.Sync())
			put(t, f, "and again")
		}, want: "a=newer"},
		{name: "ignored sync", liar: true, flags: os.O_SYNC,
			do: func(t *testing.T, _ mounted, f *os.File) { must(t, f.Sync()) }, want: "a=old"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := mount(t, nil)
			if tc.liar {
				m.IgnoreSyncs()
			}
			must(t, os.WriteFile(filepath.Join(m.folder, "a"), []byte("old"), 0o644))
			f := m.open(t, "a", tc.flags)
			put(t, f, "newer")
			if tc.do != nil {
				tc.do(t, m, f)
			}
			_ = f.Close() // one case has closed it
			m.crashAs(t, keepNothing)
			if got := m.left(t); got != tc.want {
				t.Errorf("left %q, want %q", got, tc.want)
			}
		})
	}
}

// TestNames changes names, and loses the last few of the changes that were not synced.
func TestNames(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(40) {
		m := mount(t, nil)
		a := m.file(t, "a", "1")
		b := m.file(t, "b", "2")
		m.syncFolder(t)
		c := m.file(t, "c", "3")
		must(t, os.Rename(filepath.Join(m.at, "c"), filepath.Join(m.at, "a")))
		must(t, os.Remove(filepath.Join(m.at, "b")))
		must(t, os.Link(filepath.Join(m.at, "a"), filepath.Join(m.at, "d")))
		must(t, errors.Join(a.Close(), b.Close(), c.Close()))
		loss, err := m.Crash(seed)
		must(t, err)
		if loss.Names != 4 {
			t.Errorf("%+v, want 4 unsynced names", loss)
		}
		seen[m.left(t)]++
	}
	for _, want := range []string{"a=1 b=2", "a=1 b=2 c=3", "a=3 b=2", "a=3", "a=3 d=3"} {
		if seen[want] == 0 {
			t.Errorf("never left %q", want)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("left %v", seen)
	}
}

// TestSectors writes sectors again and again. After a crash each has a state that it had since the
// last sync, and every kind of crash mixes or loses something.
func TestSectors(t *testing.T) {
	const sectors, rounds, size = 6, 8, 4096
	for kind := range kinds {
		m := mount(t, nil)
		f := m.open(t, "a", os.O_CREATE)
		must(t, f.Truncate(sectors*size))
		for round := byte(1); round <= rounds; round++ {
			_, err := f.WriteAt(bytes.Repeat([]byte{round}, sectors*size), 0)
			must(t, err)
			if round == 3 {
				must(t, f.Sync())
				m.syncFolder(t)
			}
		}
		must(t, f.Close())
		loss := m.crashAs(t, kind)
		got, err := os.ReadFile(filepath.Join(m.folder, "a"))
		must(t, err)
		if len(got) != sectors*size || loss.Writes != rounds-3 || loss.Lost+loss.Torn == 0 {
			t.Errorf("kind %d: length %d, %+v", kind, len(got), loss)
		}
		for i := 0; i < len(got); i += 512 {
			if got[i] < 3 || !bytes.Equal(got[i:i+512], bytes.Repeat(got[i:i+1], 512)) {
				t.Errorf("kind %d: sector %d is of round %d, or torn", kind, i/512, got[i])
			}
		}
	}
}

// TestFailedSync loses what a failed sync was for, even if a later sync succeeds. A later write of
// the same sector takes it along.
func TestFailedSync(t *testing.T) {
	for again, want := range map[bool]string{false: "a=old", true: "a=New"} {
		m := mount(t, nil)
		must(t, os.WriteFile(filepath.Join(m.folder, "a"), []byte("old"), 0o644))
		f := m.open(t, "a", 0)
		put(t, f, "new")
		m.FailSync(1)
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("sync: %v", err)
		}
		if again {
			put(t, f, "N")
		}
		must(t, f.Sync())
		must(t, f.Close())
		m.crashAs(t, keepNothing)
		if got := m.left(t); got != want {
			t.Errorf("left %q, want %q", got, want)
		}
	}
}

// TestLimitSpace fills the disk in the middle of a write.
func TestLimitSpace(t *testing.T) {
	m := mount(t, nil)
	f := m.open(t, "a", os.O_CREATE)
	m.LimitSpace(3, true)
	if n, err := syscall.Pwrite(int(f.Fd()), []byte("hello"), 0); n != 3 || err != nil {
		t.Errorf("wrote %d bytes, error %v", n, err)
	}
	put(t, f, "H") // takes no room
	for _, inPlace := range []bool{true, false} {
		m.LimitSpace(0, inPlace)
		at := map[bool]int64{true: 5000, false: 0}[inPlace]
		if _, err := f.WriteAt([]byte("x"), at); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("in place %t: error %v, want ENOSPC", inPlace, err)
		}
	}
	m.LimitSpace(-1, false)
	if _, err := f.WriteAt([]byte("lo"), 3); err != nil {
		t.Error(err)
	}
	must(t, f.Close())
	must(t, m.Unmount()) // nothing was synced, and nothing is lost
	if got := m.left(t); got != "a=Hello" || m.Faults() != 2 {
		t.Errorf("left %q after %d faults", got, m.Faults())
	}
}

// TestStop writes and syncs after the power is gone.
func TestStop(t *testing.T) {
	m := mount(t, nil)
	f := m.open(t, "a", os.O_CREATE)
	put(t, f, "x")
	m.Stop()
	_, err := f.WriteAt([]byte("y"), 0)
	for _, err := range []error{err, f.Sync(), os.Remove(filepath.Join(m.at, "a"))} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("error %v, want EIO", err)
		}
	}
	must(t, f.Close())
	m.crashAs(t, keepNothing)
}
