package boltstore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

// refused checks that Open fails, names the file and says why.
func refused(t *testing.T, path string, o *boltstore.Options, why string) {
	t.Helper()
	s, err := boltstore.Open(path, o)
	if err == nil {
		_ = s.Close() // the test fails anyway
		t.Fatalf("%s was opened, want an error with %q", path, why)
	}
	if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), why) {
		t.Errorf("got error %v, want %v with the file and %q", err, installation.ErrUnavailable,
			why)
	}
}

// childPath is the environment variable with the file that a child process opens.
const childPath = "BOLTSTORE_TEST_CHILD"

// TestMain opens a file and prints the error if this is a child process.
func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		_, err := boltstore.Open(path, nil)
		os.Stdout.WriteString(err.Error())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestOneProcess opens a file that is open already, in this process and in another one.
func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path, nil)
	key := installation.Key{ID: "a"}
	commit(t, s, change(key, 1))
	refused(t, path, nil, "another process or another Store has the file open")

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "another process or another Store") {
		t.Errorf("child: %s, error %v, want that the file is in use", out, err)
	}
	commit(t, s, change(key, 2)) // the first one goes on
	closeStore(t, s)
	openAt(t, path, nil)
}

// TestNewFile creates a file whole: no other name is left in the folder, and only the owner can
// read it.
func TestNewFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "store.db")
	s := openAt(t, path, nil)
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != "store.db" {
		t.Errorf("got files %v, error %v, want only the new one", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, error %v, want mode 0600", info.Mode(), err)
	}
	in, err := s.Namespace(t.Context())
	if err != nil || in.ID == "" || in.Epoch != 0 {
		t.Errorf("got namespace %+v, error %v, want an ID and epoch 0", in, err)
	}
	other := open(t, nil)
	if got, _ := other.Namespace(t.Context()); got.ID == in.ID {
		t.Error("two files have the same namespace")
	}
	refused(t, filepath.Join(folder, "none", "store.db"), nil, "no such file")
	refused(t, folder, nil, "no regular file")
}

// TestForeignFiles opens files that are no stores. They are never read as an empty namespace, and
// are not changed.
func TestForeignFiles(t *testing.T) {
	foreign := func(fill func(tx *bbolt.Tx) error) []byte {
		path := filepath.Join(t.TempDir(), "foreign.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err == nil {
			err = errors.Join(db.Update(fill), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return read(t, path)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	for name, c := range map[string]struct {
		content []byte
		why     string
	}{
		"empty": {nil, "the file is empty"},
		"text":  {[]byte(strings.Repeat("text ", 10_000)), "no bbolt file"},
		"short": {[]byte("text"), "no bbolt file"},
		"empty bbolt file": {foreign(func(*bbolt.Tx) error { return nil }),
			"a bbolt file of another program"},
		"other bbolt file": {foreign(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("others"))
			return err
		}), "a bbolt file of another program"},
		"bucket of the same name": {foreign(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("meta"))
			if err == nil {
				err = b.Put([]byte("meta"), []byte("{}"))
			}
			return err
		}), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, c.content)
			refused(t, path, nil, c.why)
			if string(read(t, path)) != string(c.content) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestExpect opens files with the wrong namespace, and no file.
func TestExpect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path, nil)
	in, err := s.Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	expect := func(id string, epoch int64) *boltstore.Options {
		return &boltstore.Options{Expect: boltstore.Expect{ID: id, MinEpoch: epoch}}
	}
	refused(t, path, expect("other", 0), "Expect names other")
	refused(t, path, expect(in.ID, 1), "has epoch 0, and Expect wants 1")
	missing := filepath.Join(t.TempDir(), "missing.db")
	refused(t, missing, expect(in.ID, 0), "does not exist")
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: error %v, want that Open created nothing", err)
	}
	openAt(t, path, expect(in.ID, 0))
	for option, o := range map[string]boltstore.Options{
		"MaxEvents": {MaxEvents: -1}, "MinEpoch needs": {Expect: boltstore.Expect{MinEpoch: 1}},
		"MinEpoch is": {Expect: boltstore.Expect{ID: "a", MinEpoch: -1}},
	} {
		if _, err := boltstore.Open(missing, &o); err == nil ||
			errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), option) {
			t.Errorf("%+v: got error %v, want one about %s", o, err, option)
		}
	}
}

// TestReopen reads everything again after the file was closed.
func TestReopen(t *testing.T) {
	w := newWorld(t)
	s := openAt(t, w.path, nil)
	if failed := w.check(t, s); failed > 0 {
		t.Errorf("%d calls failed", failed)
	}
	report, err := s.Verify(t.Context())
	if err != nil || !report.Clean() || report.Records != int64(len(w.records)) ||
		report.Outcomes != int64(len(w.outcomes)) || report.Events != int64(w.events) {
		t.Errorf("verify: got %+v, error %v, want all rows and no problem", report, err)
	}
}

// TestNoFile opens and verifies names that no file has.
func TestNoFile(t *testing.T) {
	if s, err := boltstore.Open("", nil); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("no path: got %v, error %v, want that the path is empty", s, err)
	}
	folder := t.TempDir()
	link := filepath.Join(folder, "link.db")
	if err := os.Symlink(filepath.Join(folder, "missing.db"), link); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{
		link: "a symbolic link to a file that does not exist", folder: "it is no regular file",
	} {
		refused(t, path, nil, why)
		_, err := boltstore.VerifyFile(t.Context(), path)
		if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), why) {
			t.Errorf("verify %s: got error %v, want %q", path, err, why)
		}
	}
}
