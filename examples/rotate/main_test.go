package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/patch"
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

// stage is a server and a process for each stage of a rotation from k1 to k2.
// Each has its keys in a file.
type stage struct {
	client   *redis.Client
	dir      string
	added    *installation.Service // keys k1 and k2: k2 was added
	switched *installation.Service // keys k2 and k1: k2 was promoted
	last     *installation.Service // key k2 alone: k1 was retired
}

func newStage(t *testing.T) *stage {
	t.Helper()
	server := redistest.Start(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 32})
	s := &stage{client: client, dir: t.TempDir()}
	t.Cleanup(func() { _ = s.client.Close() })
	k1, k2 := generate(t, "k1"), generate(t, "k2")
	s.added = s.host(t, "added", k1, k2)
	s.switched = s.host(t, "switched", k2, k1)
	s.last = s.host(t, "last", k2)
	return s
}

func generate(t *testing.T, id string) crypto.Key {
	t.Helper()
	k, err := crypto.GenerateKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// host returns the host of a process with these keys. It also writes the keys to
// the file name.
func (s *stage) host(t *testing.T, name string, keys ...crypto.Key) *installation.Service {
	t.Helper()
	var text strings.Builder
	for _, k := range keys {
		text.WriteString(k.Reveal() + "\n")
	}
	if err := os.WriteFile(s.file(name), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := crypto.KeyringFromFile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	store, err := redisstore.Open(t.Context(), s.client, &redisstore.Options{
		Namespace: namespace, Buckets: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(store, ring, nil)
	if err != nil {
		t.Fatal(err)
	}
	return svc.As(installation.Actor{Kind: installation.Host})
}

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

// tenant and id name installation n. It is in one of ten tenants.
func tenant(n int) string { return fmt.Sprintf("tenant-%d", n%10) }
func id(n int) string     { return fmt.Sprintf("i-%d", n) }

// fill creates n installations. The secret of each contains its id.
func (s *stage) fill(t *testing.T, n int) {
	t.Helper()
	each(n, func(i int) {
		parts := installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-" + id(i)}),
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"secret":"of ` + id(i) + `"}`),
			}),
		}
		_, err := s.added.In(tenant(i)).Upsert(t.Context(), installation.UpsertRequest{
			ID: id(i), Parts: parts,
		})
		if err != nil {
			t.Errorf("create %d: %v", i, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}

// each calls f for 0 to n-1, from eight goroutines.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// opens reads installation i and reveals its secret.
func opens(ctx context.Context, host *installation.Service, i int) error {
	host = host.In(tenant(i))
	if _, err := host.Get(ctx, id(i)); err != nil {
		return err
	}
	answers, err := host.Reveal(ctx, installation.RevealRequest{
		ID: id(i), Refs: []installation.Ref{installation.Ref("config/secret")}, Reason: "test",
	})
	switch {
	case err != nil:
		return err
	case answers[0].Err != nil:
		return answers[0].Err
	case answers[0].Value.RevealString() != "of "+id(i):
		return fmt.Errorf("%s has the wrong secret", id(i))
	}
	return nil
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

// run runs the program as a process. If killAt is not 0, it kills the process
// once that many records are done.
func (s *stage) run(t *testing.T, killAt int, args ...string) (lines []string, killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append(args, "-namespace", namespace)...)
	cmd.Env = append(os.Environ(), "ROTATE_TEST_PROGRAM=1")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		var done, total int
		n, _ := fmt.Sscanf(scanner.Text(), "%d of %d", &done, &total)
		if n == 2 && killAt > 0 && done >= killAt && !killed {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		t.Errorf("rotate: %v\n%s", err, strings.Join(lines, "\n"))
	}
	return lines, killed
}

// traffic reads and writes installations until stop is called.
type traffic struct {
	stopped atomic.Bool
	wait    sync.WaitGroup
	reads   atomic.Int64
	writes  []atomic.Int64 // for each installation
}

func startTraffic(t *testing.T, n int, hosts ...*installation.Service) *traffic {
	tr := &traffic{writes: make([]atomic.Int64, n)}
	for _, host := range hosts {
		tr.wait.Go(func() {
			for !tr.stopped.Load() {
				if err := opens(t.Context(), host, rand.IntN(n)); err != nil {
					t.Errorf("read: %v", err)
				}
				tr.reads.Add(1)
			}
		})
		tr.wait.Go(func() {
			for !tr.stopped.Load() {
				i := rand.IntN(n)
				value := installation.JSON(fmt.Sprintf(`"%d"`, rand.Uint64()))
				_, err := host.In(tenant(i)).Patch(t.Context(), installation.PatchRequest{
					ID: id(i), Operations: []installation.Operation{patch.Set("/by", value)},
				})
				if err != nil {
					t.Errorf("write: %v", err)
				}
				tr.writes[i].Add(1)
			}
		})
	}
	return tr
}

// stop waits for the calls in flight and returns the number of writes.
func (tr *traffic) stop() (written int64) {
	tr.stopped.Store(true)
	tr.wait.Wait()
	for i := range tr.writes {
		written += tr.writes[i].Load()
	}
	return written
}

// The rotation runs while two sets of processes read and write the same
// installations. It is killed and started again several times.
func TestRotationLosesNothingUnderTraffic(t *testing.T) {
	n, kills := 2000, 3
	if os.Getenv("INSTALLATION_LONG") != "" {
		n, kills = 100_000, 20
	}
	s := newStage(t)
	s.fill(t, n)

	tr := startTraffic(t, n, s.added, s.switched)
	killed := 0
	for range kills {
		killAt := 1 + rand.IntN(n/(2*kills))
		if _, dead := s.run(t, killAt, "-keyring", s.file("switched")); dead {
			killed++
		}
	}
	lines, _ := s.run(t, 0, "-keyring", s.file("switched"))
	written := tr.stop()

	// Nothing is left, each record was rewrapped once, and no write is lost.
	each(n, func(i int) {
		for _, host := range []*installation.Service{s.added, s.switched, s.last} {
			if err := opens(t.Context(), host, i); err != nil {
				t.Errorf("at the end: %v", err)
			}
		}
		inst, err := s.last.In(tenant(i)).Get(t.Context(), id(i))
		if err != nil {
			t.Error(err)
			return
		}
		if want := 2 + tr.writes[i].Load(); inst.Revision != want {
			t.Errorf("%s is at revision %d, want %d: created, rewrapped, and %d writes",
				id(i), inst.Revision, want, want-2)
		}
	})
	report, err := s.switched.Check(t.Context())
	want := []installation.KeyCount{{ID: "k1"}, {ID: "k2", Primary: true, Records: int64(n)}}
	if err != nil || !slices.Equal(report.Keys, want) || report.Records != int64(n) {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	// Processes with the old primary never wrap an existing data key again, so
	// no record came back under k1.
	s.call(t, 0, "-keyring", s.file("switched"), "-retire", "k1")
	t.Logf("%d installations, %d kills; meanwhile %d reads and %d writes; at the end: %s",
		n, killed, tr.reads.Load(), written, strings.Join(lines[len(lines)-4:], "; "))
	if killed != kills {
		t.Errorf("killed %d times, want %d", killed, kills)
	}
}

// An operator runs the steps of a rotation, with some mistakes.
func TestRotationStepByStep(t *testing.T) {
	s := newStage(t)
	s.fill(t, 30)
	keyring := []string{"-keyring", s.file("switched")}
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
	out, errs = s.call(t, 1, "-keyring", s.file("last"))
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
	if err := opens(t.Context(), s.last, 7); err != nil {
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
	_, text := s.call(t, 1, "-keyring", s.file("switched"))
	if strings.Contains(text, "s3cr3t") {
		t.Errorf("the password is in %q", text)
	}
}
