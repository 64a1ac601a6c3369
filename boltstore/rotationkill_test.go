package boltstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/tests/rotationtest"
)

// rotationFile and rotationKeyring are set in a test process that rotates.
const (
	rotationFile    = "BOLTSTORE_TEST_ROTATION_FILE"
	rotationKeyring = "BOLTSTORE_TEST_ROTATION_KEYRING"
)

// TestRotationSurvivesKills kills a process that rotates and writes, and another one opens the file
// again and goes on. No write that was acknowledged is lost, and the rotation comes to its end.
func TestRotationSurvivesKills(t *testing.T) {
	const n, kills = 300, 3
	if path := os.Getenv(rotationFile); path != "" {
		rotate(t, path, os.Getenv(rotationKeyring), n)
		return
	}
	path := filepath.Join(t.TempDir(), "store.db")
	store := openAt(t, path, nil)
	s := rotationtest.New(t, func() installation.Store { return store })
	s.Fill(t, n)
	closeStore(t, store)

	acknowledged := make(map[string]int64) // the revision of each installation
	for run := range kills + 1 {
		killAt := 1 + rand.IntN(n/(2*kills))
		if run == kills {
			killAt = 0
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), rotationFile+"="+path, rotationKeyring+"="+s.Keyring)
		lines, killed := rotationtest.Process(t, cmd, killAt)
		if killed != (run < kills) {
			t.Errorf("run %d: killed: %t", run, killed)
		}
		for _, line := range lines {
			var id string
			var revision int64
			if n, _ := fmt.Sscanf(line, "wrote %s %d", &id, &revision); n == 2 {
				acknowledged[id] = revision
			}
		}
	}
	checkRotated(t, openAt(t, path, nil), s, n, acknowledged)
}

func checkRotated(
	t *testing.T, store *boltstore.Store, s *rotationtest.Stage, n int,
	acknowledged map[string]int64,
) {
	t.Helper()
	last, err := rotationtest.Host(store, s.LastKeyring())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := rotationtest.Opens(t.Context(), last, i); err != nil {
			t.Errorf("installation %d: %v", i, err)
		}
	}
	for row, err := range store.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r := row.Record
		if r != nil && r.Revision < acknowledged[r.Key.ID] {
			t.Errorf("%s is at revision %d, and %d was acknowledged", r.Key.ID, r.Revision,
				acknowledged[r.Key.ID])
		}
	}
	switched, err := rotationtest.Host(store, s.Keyring)
	if err != nil {
		t.Fatal(err)
	}
	report, err := switched.Check(t.Context())
	want := []installation.KeyCount{{ID: "k1"}, {ID: "k2", Primary: true, Records: int64(n)}}
	if err != nil || !slices.Equal(report.Keys, want) {
		t.Errorf("keys %+v, error %v; want %+v", report.Keys, err, want)
	}
	if err := switched.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("k1 cannot be retired: %v", err)
	}
	t.Logf("%d installations were written beside the rotation", len(acknowledged))
	if len(acknowledged) == 0 {
		t.Error("nothing was written beside the rotation")
	}
}

// rotate is the process that rotates. It prints each write once it is acknowledged.
func rotate(t *testing.T, path, keyring string, n int) {
	host, err := rotationtest.Host(openAt(t, path, nil), keyring)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; t.Context().Err() == nil; i = rand.IntN(n) {
			inst, err := rotationtest.Write(t.Context(), host, i)
			if err != nil {
				return // the end of the test has ended the context
			}
			fmt.Printf("wrote %s %d\n", inst.ID, inst.Revision)
		}
	}()
	err = rotationtest.Rotate(t.Context(), host, func(done int) { fmt.Printf("%d of all\n", done) })
	if err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { <-done })
}
