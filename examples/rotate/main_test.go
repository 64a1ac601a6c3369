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

// TestMain is also the program itself, for tests that need it as a process that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("ROTATE_TEST_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

const namespace = "rotate-test"

// stage is a server with keys in files: before, while and after they are exchanged.
type stage struct {
	client                *redis.Client
	dir                   string
	added, switched, last *installation.Service // hosts of processes with k1+k2, k2+k1, k2 alone
}

func newStage(t *testing.T) *stage {
	t.Helper()
	server := redistest.Start(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr)
	s := &stage{client: redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 32}), dir: t.TempDir()}
	t.Cleanup(func() { _ = s.client.Close() })
	k1, k2 := generate(t, "k1"), generate(t, "k2")
	s.added, s.switched, s.last = s.host(t, "added", k1, k2), s.host(t, "switched", k2, k1), s.host(t, "last", k2)
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

// host is the host of a process with these keys, which are in a file of the name too.
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
	store, err := redisstore.Open(t.Context(), s.client, &redisstore.Options{Namespace: namespace, Buckets: 4})
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

// Installation n is in one of ten tenants.
func tenant(n int) string { return fmt.Sprintf("tenant-%d", n%10) }
func id(n int) string     { return fmt.Sprintf("i-%d", n) }

// fill makes installations, each with a secret that names it.
func (s *stage) fill(t *testing.T, n int) {
	t.Helper()
	each(n, func(i int) {
		_, err := s.added.In(tenant(i)).Upsert(t.Context(), installation.UpsertRequest{ID: id(i), Parts: installation.Parts{
			Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:       installation.Value(installation.Account{ID: "ACC-" + id(i)}),
			Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"secret":"of ` + id(i) + `"}`)}),
		}})
		if err != nil {
			t.Errorf("make %d: %v", i, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}

// each calls f for 0..n-1, several at once.
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

// opens reads an installation and its secret.
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
		return fmt.Errorf("%s has another secret", id(i))
	}
	return nil
}

// call runs the program within this process.
func (s *stage) call(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := program(t.Context(), append(args, "-namespace", namespace), &out, &errs); got != want {
		t.Errorf("rotate %q: status %d, want %d\n%s%s", args, got, want, &out, &errs)
	}
	return out.String(), errs.String()
}

// run runs the program as a process, and kills it when it says that so many records are done; 0 = never.
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
		if n, _ := fmt.Sscanf(scanner.Text(), "%d of %d", &done, &total); n == 2 && killAt > 0 && done >= killAt && !killed {
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

// The namespace is rotated while two generations of processes read and write it; the program is killed again and again and started again.
func TestRotateBesideTraffic(t *testing.T) {
	n, kills := 2000, 3
	if os.Getenv("INSTALLATION_LONG") != "" {
		n, kills = 100_000, 20
	}
	s := newStage(t)
	s.fill(t, n)

	var stop atomic.Bool
	var traffic sync.WaitGroup
	var reads atomic.Int64
	writes := make([]atomic.Int64, n)
	for _, host := range []*installation.Service{s.added, s.switched} {
		traffic.Go(func() {
			for !stop.Load() {
				if err := opens(t.Context(), host, rand.IntN(n)); err != nil {
					t.Errorf("a reader: %v", err)
				}
				reads.Add(1)
			}
		})
		traffic.Go(func() {
			for !stop.Load() {
				i := rand.IntN(n)
				_, err := host.In(tenant(i)).Patch(t.Context(), installation.PatchRequest{ID: id(i), Operations: []installation.Operation{
					patch.Set("/by", installation.JSON(fmt.Sprintf(`"%d"`, rand.Uint64()))),
				}})
				if err != nil {
					t.Errorf("a writer: %v", err)
				}
				writes[i].Add(1)
			}
		})
	}
	killed := 0
	for range kills {
		if _, dead := s.run(t, 1+rand.IntN(n/(2*kills)), "-keyring", s.file("switched")); dead {
			killed++
		}
	}
	lines, _ := s.run(t, 0, "-keyring", s.file("switched"))
	stop.Store(true)
	traffic.Wait()

	// Nothing is left, each record was rewrapped once, and no write is missing.
	written := int64(0)
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
		if want := 2 + writes[i].Load(); inst.Revision != want {
			t.Errorf("%s is at revision %d, want %d: made, rewrapped, and %d writes", id(i), inst.Revision, want, want-2)
		}
	})
	for i := range writes {
		written += writes[i].Load()
	}
	report, err := s.switched.Check(t.Context())
	want := []installation.KeyCount{{ID: "k1"}, {ID: "k2", Primary: true, Records: int64(n)}}
	if err != nil || !slices.Equal(report.Keys, want) || report.Records != int64(n) {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	// Writers of processes that had the old primary wrap nothing anew, so nothing can have come back under it.
	s.call(t, 0, "-keyring", s.file("switched"), "-retire", "k1")
	t.Logf("%d installations, %d kills; meanwhile %d reads and %d writes; at the end: %s", n, killed, reads.Load(), written, strings.Join(lines[len(lines)-4:], "; "))
	if killed != kills {
		t.Errorf("killed %d times, want %d", killed, kills)
	}
}

// The four steps, as an operator sees them.
func TestProgram(t *testing.T) {
	s := newStage(t)
	s.fill(t, 30)
	keyring := []string{"-keyring", s.file("switched")}

	out, _ := s.call(t, 1, append(keyring, "-dry-run")...)
	if !strings.Contains(out, "30 records, 30 of them to be rewrapped") || !strings.Contains(out, "k1") {
		t.Errorf("dry run:\n%s", out)
	}
	if _, errs := s.call(t, 1, append(keyring, "-retire", "k1")...); !strings.Contains(errs, "key in use: k1, by 30 records") {
		t.Errorf("retire too early: %s", errs)
	}
	// A key that is missing is found before anything is changed.
	if out, errs := s.call(t, 1, "-keyring", s.file("last")); !strings.Contains(out, "k1") || !strings.Contains(errs, "not started") {
		t.Errorf("old key missing:\n%s%s", out, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	if got := program(ctx, append(keyring, "-namespace", namespace), t.Output(), &errs); got != 1 || !strings.Contains(errs.String(), "start it again") {
		t.Errorf("interrupted: status %d, %s", got, &errs)
	}
	if out, _ = s.call(t, 0, append(keyring, "-rate", "1000")...); !strings.Contains(out, "30 rewrapped, 0 left to another process, 0 failed") || !strings.Contains(out, "done") {
		t.Errorf("rotation:\n%s", out)
	}
	s.call(t, 0, append(keyring, "-retire", "k1")...)
	s.call(t, 0, append(keyring, "-dry-run")...)
	if err := opens(t.Context(), s.last, 7); err != nil {
		t.Error(err)
	}

	for name, args := range map[string][]string{
		"no keyring": {}, "negative rate": append(keyring, "-rate", "-1"), "both": append(keyring, "-dry-run", "-retire", "k1"),
		"word": append(keyring, "-dry-run", "word"), "flag": {"-x"},
	} {
		if got := program(t.Context(), args, t.Output(), t.Output()); got != 2 {
			t.Errorf("%s: status %d, want 2", name, got)
		}
	}
	t.Setenv("REDIS_URL", "redis://u:s3cr3t@127.0.0.1:port")
	if _, text := s.call(t, 1, keyring...); strings.Contains(text, "s3cr3t") {
		t.Errorf("the password is in %q", text)
	}
}
