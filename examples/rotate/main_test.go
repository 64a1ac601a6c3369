package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/tests/rotationtest"
	"github.com/go-installation/installation/redisstore"
)

// TestMain runs the program itself for tests that need a process to kill.
func TestMain(m *testing.M) {
	if os.Getenv("ROTATE_TEST_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

const namespace = "rotate-test"

// stage is a server with the processes of a rotation.
type stage struct{ *rotationtest.Stage }

func newStage(t *testing.T) *stage {
	t.Helper()
	server := redistest.Start(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 32})
	t.Cleanup(func() { _ = client.Close() })
	return &stage{rotationtest.New(t, func() installation.Store {
		s, err := redisstore.Open(t.Context(), client, &redisstore.Options{
			Namespace: namespace, Buckets: 4,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})}
}

// call runs the program in this process and compares its exit status.
func (s *stage) call(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	got := program(t.Context(), append(args, "-namespace", namespace), &out, &errs)
	if got != want {
		t.Errorf("rotate %q: status %d, want %d\n%s%s", args, got, want, &out, &errs)
	}
	return out.String(), errs.String()
}

// TestRotationLosesNothingUnderTraffic kills the rotation and starts it again several times.
func TestRotationLosesNothingUnderTraffic(t *testing.T) {
	s := newStage(t)
	var lines []string
	s.UnderTraffic(t, 2000, func(killAt int) (killed bool) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-keyring", s.Keyring,
			"-namespace", namespace)
		cmd.Env = append(os.Environ(), "ROTATE_TEST_PROGRAM=1")
		lines, killed = rotationtest.Process(t, cmd, killAt)
		return killed
	})
	s.call(t, 0, "-keyring", s.Keyring, "-retire", "k1")
	t.Logf("at the end: %s", strings.Join(lines[len(lines)-4:], "; "))
}

// An operator runs the steps of a rotation, with some mistakes.
func TestRotationStepByStep(t *testing.T) {
	s := newStage(t)
	s.Fill(t, 30)
	keyring := []string{"-keyring", s.Keyring}
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is missing in\n%s", what, part, text)
			}
		}
	}

	out, _ := s.call(t, 1, append(keyring, "-dry-run")...)
	has("dry run", out, "30 records, 30 of them to be rewrapped", "k1")
	_, errs := s.call(t, 1, append(keyring, "-retire", "k1")...)
	has("retire too early", errs, "key in use: k1, by 30 records")
	// The program finds a missing key before it changes anything.
	out, errs = s.call(t, 1, "-keyring", s.LastKeyring())
	has("old key missing", out, "k1")
	has("old key missing", errs, "not started")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var text bytes.Buffer
	args := append(keyring, "-namespace", namespace)
	if got := program(ctx, args, t.Output(), &text); got != 1 {
		t.Errorf("interrupted: status %d", got)
	}
	has("interrupted", text.String(), "start it again")

	out, _ = s.call(t, 0, append(keyring, "-rate", "1000")...)
	has("rotation", out, "30 rewrapped, 0 left to another process, 0 failed", "done")
	s.call(t, 0, append(keyring, "-retire", "k1")...)
	s.call(t, 0, append(keyring, "-dry-run")...)
	if err := rotationtest.Opens(t.Context(), s.Last, 7); err != nil {
		t.Error(err)
	}
}

func TestWrongArgumentsExitWithStatus2(t *testing.T) {
	keyring := []string{"-keyring", "file"}
	for name, args := range map[string][]string{
		"no keyring":    {},
		"negative rate": append(keyring, "-rate", "-1"),
		"both":          append(keyring, "-dry-run", "-retire", "k1"),
		"word":          append(keyring, "-dry-run", "word"),
		"flag":          {"-x"},
	} {
		if got := program(t.Context(), args, t.Output(), t.Output()); got != 2 {
			t.Errorf("%s: status %d, want 2", name, got)
		}
	}
}

func TestPasswordOfBadURLIsNotPrinted(t *testing.T) {
	s := newStage(t)
	t.Setenv("REDIS_URL", "redis://u:s3cr3t@127.0.0.1:port")
	_, text := s.call(t, 1, "-keyring", s.Keyring)
	if strings.Contains(text, "s3cr3t") {
		t.Errorf("the password is in %q", text)
	}
}
