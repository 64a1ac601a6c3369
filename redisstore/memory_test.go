package redisstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// atLimit sets the memory limit of a server far below what it uses.
func atLimit(tb testing.TB, server *redistest.Server) {
	tb.Helper()
	setConfig(tb, server, "maxmemory", "1000")
}

func setConfig(tb testing.TB, server *redistest.Server, parameter, value string) {
	tb.Helper()
	if err := server.Client(tb).ConfigSet(tb.Context(), parameter, value).Err(); err != nil {
		tb.Fatal(err)
	}
}

// TestEndAtMemoryLimit ends installations while the server is at its memory limit, because nothing
// else frees memory. The installations are small: what ends gets longer than it was.
func TestEndAtMemoryLimit(t *testing.T) {
	t.Run("primary", func(t *testing.T) { endAtLimit(t, redistest.Start(t), 0) })
	t.Run("replicas", func(t *testing.T) {
		server := redistest.Start(t)
		redistest.StartReplica(t, server)
		endAtLimit(t, server, 1)
	})
}

func endAtLimit(t *testing.T, server *redistest.Server, replicas int) {
	const each = 100
	s := open(t, server.Client(t), &redisstore.Options{
		RequireReplicas: replicas, ReplicaTimeout: redistest.Patience / 2,
	})
	now := time.Now()
	svc := newService(t, s, func() time.Time { return now })
	for i := range each {
		for _, kind := range []string{"deleted", "final", "due", "again", "ended", "kept"} {
			if err := upsert(t, svc, kind, i, ""); err != nil {
				t.Fatal(err)
			}
		}
		uninstall(t, svc, "due", i, false)
		uninstall(t, svc, "again", i, false)
	}
	atLimit(t, server)
	now = now.Add(20 * time.Hour)
	for i := range each {
		_, err := svc.Delete(t.Context(), installation.DeleteRequest{
			Guard: guard("delete", i), ID: fmt.Sprintf("deleted-%d", i),
		})
		if err != nil {
			t.Fatalf("delete: %v", err)
		}
		uninstall(t, svc, "final", i, true)
		uninstall(t, svc, "again", i, true)
		uninstall(t, svc, "ended", i, false)
		for what, err := range map[string]error{
			"create": upsert(t, svc, "new", i, ""),
			"update": upsert(t, svc, "kept", i, "more than before"),
		} {
			wantUnavailable(t, what, err)
			if !strings.Contains(fmt.Sprint(err), "the server is at its memory limit") {
				t.Fatalf("%s: error %v, want one about the memory limit", what, err)
			}
		}
	}
	now = now.Add(5 * time.Hour) // the grace period of those in "due" is over
	report, err := svc.Sweep(t.Context(), installation.SweepRequest{})
	if err != nil || report.Purged != each {
		t.Errorf("sweep: %+v, error %v, want %d purged", report, err, each)
	}
	ended := countBy(t, s, func(e installation.Event) event.Type { return e.Type })
	if ended[event.Purged] != 3*each || ended[event.Deleted] != each {
		t.Errorf("events %v, want %d purged and %d deleted", ended, 3*each, each)
	}
	setConfig(t, server, "maxmemory", "0")
	checkIndex(t, s)
}

// TestReplayAtMemoryLimit repeats changes that were applied before the server reached its memory
// limit. The answers are written again, so that replicas confirm them.
func TestReplayAtMemoryLimit(t *testing.T) {
	server := redistest.Start(t)
	redistest.StartReplica(t, server)
	s := open(t, server.Client(t), &redisstore.Options{
		RequireReplicas: 1, ReplicaTimeout: redistest.Patience / 2,
	})
	plain, keyed := create(id("plain"), ""), create(id("keyed"), "")
	keyed.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	must(t, s, plain, keyed)
	atLimit(t, server)
	receipt, err := s.Commit(t.Context(), plain)
	if err != nil || !receipt.Replayed {
		t.Errorf("the same change: %+v, error %v, want a replay", receipt, err)
	}
	again := create(id("keyed again"), "")
	again.Idempotency = keyed.Idempotency
	receipt, err = s.Commit(t.Context(), again)
	if err != nil || receipt.Outcome == nil {
		t.Errorf("the same idempotency key: %+v, error %v, want its outcome", receipt, err)
	}
}

// guard returns a guard with an idempotency key of its own.
func guard(what string, i int) installation.Guard {
	return installation.Guard{IdempotencyKey: fmt.Sprintf("%s-%d", what, i)}
}

func upsert(
	tb testing.TB, svc *installation.Service, kind string, i int, note string,
) error {
	tb.Helper()
	id := fmt.Sprintf("%s-%d", kind, i)
	parts := installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "E"}),
		Account:   installation.Value(installation.Account{ID: id}),
	}
	if note != "" {
		parts.Name = installation.Value(note)
	}
	_, err := svc.Upsert(tb.Context(), installation.UpsertRequest{
		Guard: guard("upsert"+note+kind, i), ID: id, Parts: parts,
	})
	return err
}

func uninstall(tb testing.TB, svc *installation.Service, kind string, i int, final bool) {
	tb.Helper()
	result, err := svc.Uninstall(tb.Context(), installation.UninstallRequest{
		Guard: guard(fmt.Sprint("uninstall ", final, kind), i),
		ID:    fmt.Sprintf("%s-%d", kind, i), Final: final,
	})
	if err != nil || result.Purged != final {
		tb.Fatalf("uninstall %s, final %t: %+v, error %v", kind, final, result, err)
	}
}

// newService returns a service for the host.
func newService(
	tb testing.TB, s installation.Store, now func() time.Time,
) *installation.Service {
	tb.Helper()
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		tb.Fatal(err)
	}
	ring, err := crypto.NewKeyring(key)
	if err != nil {
		tb.Fatal(err)
	}
	svc, err := installation.New(s, ring, &installation.Options{Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	return svc.As(installation.Actor{Kind: installation.Host})
}

// TestHealthAtMemoryLimit compares what Health says with what a commit gets.
func TestHealthAtMemoryLimit(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	options := &redisstore.Options{Namespace: "limited"}
	s := open(t, client, options)
	level(t, healthOf(t, s), "memory", health.OK) // there is no limit
	// Used memory moves a little, for instance with the buffers of clients. This is much more.
	if err := client.Set(t.Context(), "other", make([]byte, 20<<20), 0).Err(); err != nil {
		t.Fatal(err)
	}
	var used int
	redistest.Await(t, "the server frees the buffer of the client", func() bool {
		used, _ = strconv.Atoi(redistest.Info(t.Context(), client, "used_memory"))
		return used > 20<<20 && used < 30<<20
	})
	for limit, want := range map[int]struct{ memory, scripts health.Level }{
		10 * used:      {health.OK, health.OK},
		used + used/20: {health.Warning, health.OK},
		used / 2:       {health.Error, health.Error},
	} {
		setConfig(t, server, "maxmemory", strconv.Itoa(limit))
		findings := healthOf(t, s)
		level(t, findings, "memory", want.memory)
		level(t, findings, "scripts", want.scripts)
		_, err := s.Commit(t.Context(), create(id("%d", limit), ""))
		if failed := want.scripts == health.Error; (err != nil) != failed {
			t.Errorf("limit %d, %d in use: error %v", limit, used, err)
		}
	}
	atLimit(t, server)
	open(t, client, options) // can still read
}

// TestHealthOfRefusedWrites makes a server refuse writes in every way that it knows. Health must
// not say that all is well.
func TestHealthOfRefusedWrites(t *testing.T) {
	for name, tc := range map[string]struct {
		refuse func(*testing.T, *redistest.Server)
		says   string
	}{
		"OOM": {func(t *testing.T, s *redistest.Server) { atLimit(t, s) }, "memory limit"},
		"MISCONF": {func(t *testing.T, s *redistest.Server) {
			setConfig(t, s, "save", "3600 1")
			dir := filepath.Join(t.TempDir(), "gone")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			setConfig(t, s, "dir", dir)
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			c := s.Client(t)
			redistest.Await(t, "a snapshot fails", func() bool {
				_ = c.BgSave(t.Context()).Err() // one may be running
				return redistest.Info(t.Context(), c, "rdb_last_bgsave_status") == "err"
			})
		}, "cannot save"},
		"NOREPLICAS": {func(t *testing.T, s *redistest.Server) {
			setConfig(t, s, "min-replicas-to-write", "1")
		}, "replicas"},
		"READONLY": {func(t *testing.T, s *redistest.Server) {
			// The primary of this replica does not exist. It keeps its data.
			if err := s.Client(t).ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
				t.Fatal(err)
			}
		}, "replica"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, "--enable-protected-configs", "yes")
			s := open(t, server.Client(t), nil)
			tc.refuse(t, server)
			s.SetRetryFor(500 * time.Millisecond) // a replica stays one here
			findings := healthOf(t, s)
			level(t, findings, "scripts", health.Error)
			for _, f := range findings {
				if f.Rule == "scripts" && !strings.Contains(f.Detail, tc.says) {
					t.Errorf("finding %+v, want %q in it", f, tc.says)
				}
			}
		})
	}
}

// TestInvariant18MemoryOfKeyedWrites measures what ten thousand writes to one installation leave on
// a server, each with a fresh idempotency key. The installation is nearly as large as an answer
// that an outcome keeps. The limit is stated in docs/performance.md.
func TestInvariant18MemoryOfKeyedWrites(t *testing.T) {
	const limit = 80 << 20
	server := redistest.Start(t)
	client := server.Client(t)
	svc := newService(t, open(t, client, nil), time.Now)
	n := 2000
	if os.Getenv("INSTALLATION_LONG") != "" {
		n = 10_000
	}
	used := func() int {
		b, err := strconv.Atoi(redistest.Info(t.Context(), client, "used_memory"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := upsert(t, svc, "i", 0, ""); err != nil {
		t.Fatal(err)
	}
	before := used()
	for i := range n {
		message := strings.Repeat("m", 3600) + strconv.Itoa(i%10)
		_, err := svc.Patch(t.Context(), installation.PatchRequest{
			ID: "i-0", Guard: guard("patch", i), Parts: installation.Parts{
				Notification: installation.Value(installation.Notification{
					Level: "info", Title: "t", Message: message,
				}),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	grown := used() - before
	t.Logf("%d writes leave %d bytes", n, grown)
	if most := limit / 10_000 * n; grown > most || grown < n*4<<10 {
		t.Errorf("%d writes leave %d bytes, want the answers and at most %d", n, grown, most)
	}
}
