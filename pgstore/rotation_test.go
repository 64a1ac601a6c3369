package pgstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/internal/tests/rotationtest"
)

// rotationKeyring and rotationURL are set in a test process that rotates.
const (
	rotationKeyring = "PGSTORE_TEST_ROTATION_KEYRING"
	rotationURL     = "PGSTORE_TEST_ROTATION_URL"
)

// TestRotationLosesNothingUnderTraffic kills a process that rotates and starts it again several
// times. Traffic and rotation are in different processes.
func TestRotationLosesNothingUnderTraffic(t *testing.T) {
	if url := os.Getenv(rotationURL); url != "" {
		rotate(t, url, os.Getenv(rotationKeyring))
		return
	}
	server := pgtest.Shared(t)
	url := server.URL(server.NewDatabase(t))
	migrate(t, url, nil)
	s := rotationtest.New(t, func() installation.Store {
		return open(t, newPool(t, url, 8), nil)
	})
	s.UnderTraffic(t, 1000, func(killAt int) (killed bool) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), rotationURL+"="+url, rotationKeyring+"="+s.Keyring)
		_, killed = rotationtest.Process(t, cmd, killAt)
		return killed
	})
}

// rotate is the process that rotates.
func rotate(t *testing.T, url, keyring string) {
	host, err := rotationtest.Host(open(t, newPool(t, url, 4), nil), keyring)
	must(t, err)
	must(t, rotationtest.Rotate(t.Context(), host, func(done int) {
		fmt.Printf("%d of all\n", done)
	}))
}
