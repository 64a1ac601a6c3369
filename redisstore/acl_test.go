package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// documentedRights returns the rights in the package documentation, for a namespace.
func documentedRights(tb testing.TB, namespace string) []string {
	tb.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		tb.Fatal(err)
	}
	var rights []string
	indented := regexp.MustCompile(`(?m)^//\t(\S.*)$`)
	for _, block := range indented.FindAllStringSubmatch(string(doc), -1) {
		if strings.HasPrefix(block[1], "~{") || strings.HasPrefix(block[1], "+") {
			rights = append(rights, strings.Fields(block[1])...)
		}
	}
	if len(rights) < 10 || !strings.HasPrefix(rights[0], "~{installation:*") {
		tb.Fatalf("the documentation names the rights %q", rights)
	}
	rights[0] = strings.Replace(rights[0], "installation", namespace, 1)
	return rights
}

// allow gives the user "store" these rights and no others.
func allow(tb testing.TB, server *redistest.Server, rights []string) {
	tb.Helper()
	words := []any{"acl", "setuser", "store", "reset", "on", ">only-a-test"}
	for _, r := range rights {
		words = append(words, r)
	}
	admin := server.Client(tb)
	if err := admin.Do(tb.Context(), words...).Err(); err != nil {
		tb.Fatal(err)
	}
	// Commands that started the server do not count.
	if err := admin.ConfigResetStat(tb.Context()).Err(); err != nil {
		tb.Fatal(err)
	}
}

// userRights returns the documented rights for the namespaces of tests.
func userRights(tb testing.TB) []string {
	rights := documentedRights(tb, "test-")
	rights[0] = "~{test-*"
	return rights
}

// dialAs returns a client of the user that [allow] makes.
func dialAs(tb testing.TB, server *redistest.Server) *redis.Client {
	return redistest.NewClient(tb, &redis.Options{
		Addr: server.Addr, Username: "store", Password: "only-a-test",
	})
}

// userOfCluster makes a client of a cluster one of that user.
var userOfCluster = &redis.ClusterOptions{Username: "store", Password: "only-a-test"}

// TestDocumentedRights runs all methods as a user with exactly the documented rights. The server
// denies nothing, and each right is used. TestStore runs the suite as such a user.
func TestDocumentedRights(t *testing.T) {
	rights := userRights(t)
	used := make(map[string]bool)
	t.Run("standalone", func(t *testing.T) {
		server := redistest.Start(t)
		allow(t, server, rights)
		client := dialAs(t, server)
		underRights(t, client, server.Client(t))
		recordUse(t, used, server)
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		for _, m := range cluster.Masters {
			allow(t, m, rights)
		}
		admin := cluster.Client(t, nil)
		client := cluster.Client(t, userOfCluster)
		underRights(t, client, admin)

		s := open(t, client, &redisstore.Options{Namespace: "test-asking", Buckets: 1})
		slot := redistest.Slot("test-asking:00")
		from := cluster.Owner(slot)
		for _, to := range cluster.Masters {
			if to != from {
				cluster.OpenSlot(t, slot, from, to)
				_, err := s.Get(t.Context(), id("none"))
				wantError(t, "get while a slot is being moved", err, installation.ErrNotFound)
				break
			}
		}
		recordUse(t, used, cluster.Masters...)
	})
	if len(used) == 0 && !t.Failed() { // both parts were skipped
		t.Skip("no redis-server on the path to test the rights with")
	}
	for _, r := range rights[1:] {
		if !used[r] {
			t.Errorf("the documented right %s is not needed", r)
		}
	}
}

// called matches the statistics of a command that was called.
var called = regexp.MustCompile(`(?m)^cmdstat_([^:]+):calls=[1-9]`)

// recordUse adds the rights that a user has used to used.
func recordUse(tb testing.TB, used map[string]bool, servers ...*redistest.Server) {
	tb.Helper()
	for _, server := range servers {
		client := server.Client(tb)
		stats, err := client.Info(tb.Context(), "commandstats").Result()
		if err != nil {
			tb.Fatal(err)
		}
		for _, command := range called.FindAllStringSubmatch(stats, -1) {
			used["+"+command[1]] = true
		}
	}
	nothingDenied(tb, servers...)
}

// nothingDenied checks that servers have denied nothing that a client needs.
func nothingDenied(tb testing.TB, servers ...*redistest.Server) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context()) // it may run when the test has ended
	for _, server := range servers {
		denied, err := server.Client(tb).ACLLog(ctx, 100).Result()
		if err != nil {
			tb.Fatal(err)
		}
		for _, entry := range denied {
			if !strings.HasPrefix(entry.Object, "client|") { // by which it introduces itself
				tb.Errorf("%s was denied: %s %s", entry.Object, entry.Context, entry.Reason)
			}
		}
	}
}

// underRights uses all methods of stores with a client that has its rights; admin has all
// rights.
func underRights(t *testing.T, client, admin redis.UniversalClient) {
	findings, err := open(t, client, nil).Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Level == health.Unknown || f.Level == health.Error {
			t.Errorf("finding %+v", f)
		}
	}
	unconfirmed(t, open(t, client, &redisstore.Options{
		RequireReplicas: 1, ReplicaTimeout: time.Millisecond,
	}), create(id("a"), ""))

	s := open(t, client, &redisstore.Options{Namespace: "test-repaired", Buckets: 1})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	const index = "{test-repaired:00}:x"
	missing := admin.ZRange(t.Context(), index, 0, 0).Val()[0]
	admin.ZRem(t.Context(), index, missing)
	admin.ZAdd(t.Context(), index,
		redis.Z{Member: "ctenant\x00live=b\x00nobody"}, redis.Z{Member: "zzz"})
	admin.Expire(t.Context(), index, time.Hour)
	const stray = "{test-repaired:00}:stray"
	admin.Set(t.Context(), stray, "x", 0)
	verified(t, s, repair, found{
		redisstore.ProblemMissingMember: 1, redisstore.ProblemStaleMember: 1,
		redisstore.ProblemUnreadableMember: 1, redisstore.ProblemExpiringKey: 1,
		redisstore.ProblemUnknown: 1,
	})
	admin.Del(t.Context(), stray)
	admin.ScriptFlush(t.Context())
	must(t, s, create(id("c"), ""))
	checkIndex(t, s)
	for _, err := range s.Scan(t.Context()) {
		if err != nil {
			t.Errorf("scan: %v", err)
		}
	}
}

// TestMissingRights removes the rights that scripts need, one at a time. Open then fails. A
// commit of an open store writes everything or nothing. It reports whether nothing was written or
// nobody knows, and Health reports an error.
func TestMissingRights(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	rights := userRights(t)
	needed := scriptRights(t)
	for i, right := range rights {
		if !slices.Contains(needed, right) {
			continue
		}
		t.Run(right, func(t *testing.T) {
			options := &redisstore.Options{Namespace: fmt.Sprintf("test-rights-%d", i)}
			allow(t, server, rights)
			client := dialAs(t, server)
			s := open(t, client, options)
			stored := must(t, s, create(id("stored"), ""))
			buried := must(t, s, create(id("buried"), ""))
			allow(t, server, append(rights[:i:i], rights[i+1:]...))

			rejected(t, client, options, "right")
			switch findings, err := s.Health(t.Context()); {
			case err != nil && right != "+zrange":
				t.Errorf("health: %v", err)
			case err == nil && right != "+script|load": // needed after a restart only
				level(t, findings, "scripts", health.Error)
			}
			created, changed := create(id("created"), ""), update(stored, "")
			created.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
			changed.Record.Index = []string{"other"}
			deleted := bury(buried, time.Now().Add(time.Hour))
			for _, c := range []installation.Change{created, changed, deleted} {
				before := contents(t, admin)
				_, err := s.Commit(t.Context(), c)
				if err != nil && !maps.Equal(contents(t, admin), before) {
					t.Errorf("commit %q: error %v, but it has written", c.Key.ID, err)
				}
				key := fmt.Sprintf("{%s:00}:r:6:tenant:%s", options.Namespace, c.Key.ID)
				revision := storedRevision(t, admin, key)
				switch whole := revision == c.If+1; {
				case err == nil && whole || errors.Is(err, installation.ErrUnknownOutcome):
				case errors.Is(err, installation.ErrUnavailable) && !whole:
				default:
					t.Errorf("commit %q: error %v, revision %d is stored", c.Key.ID, err, revision)
				}
			}
		})
	}
}

// scriptRights returns the rights that running the scripts takes.
func scriptRights(tb testing.TB) []string {
	tb.Helper()
	rights := []string{"+evalsha", "+script|load"}
	commands := scriptCommands(tb, "commit.lua", "open.lua", "probe.lua", "raise.lua", "repair.lua")
	for _, command := range commands {
		rights = append(rights, "+"+command)
	}
	return rights
}

// scriptCommands returns the commands that scripts call or try, in order.
func scriptCommands(tb testing.TB, files ...string) []string {
	tb.Helper()
	var commands []string
	calls := regexp.MustCompile(`redis\.p?call\('(\w+)'|try\((?:nil|'\w+'), '(\w+)'`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, call := range calls.FindAllStringSubmatch(string(source), -1) {
			commands = append(commands, strings.ToLower(call[1]+call[2]))
		}
	}
	slices.Sort(commands)
	return slices.Compact(commands)
}

// TestProbeTriesAllCommands checks that the probe tries every command of the other scripts, and no
// other: it would need a right that nothing else needs.
func TestProbeTriesAllCommands(t *testing.T) {
	tried := scriptCommands(t, "probe.lua")
	called := scriptCommands(t, "commit.lua", "open.lua", "raise.lua", "repair.lua")
	if len(called) < 10 || !slices.Equal(tried, called) {
		t.Errorf("the probe tries %q, the others call %q", tried, called)
	}
}

// TestOpenAfterMissingRight creates a namespace without a right that this takes, and again with it.
func TestOpenAfterMissingRight(t *testing.T) {
	server := redistest.Start(t)
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
	for _, command := range append(scriptCommands(t, "open.lua"), "scan") {
		t.Run(command, func(t *testing.T) {
			options := &redisstore.Options{Namespace: "test-created-" + command, Buckets: 2}
			allow(t, server, append(slices.Clone(rights), "-"+command))
			client := dialAs(t, server)
			rejected(t, client, options, "right")
			allow(t, server, rights)
			must(t, open(t, client, options), create(id("a"), ""))
		})
	}
}

// TestWrongTypes stores something else at a key of the namespace: a commit that meets it writes
// nothing.
func TestWrongTypes(t *testing.T) {
	const record = "{planted:00}:r:6:tenant:a"
	const lastEntry = "18446744073709551615-18446744073709551615"
	for name, command := range map[string][]any{
		"index":    {"set", "{planted:00}:x", "x"},
		"events":   {"set", "{planted:00}:e", "x"},
		"fields":   {"set", "{planted:00}:h", "x"},
		"full log": {"xadd", "{planted:00}:e", lastEntry, "t", "x"},
		"record":   {"hset", record, "r", "1"},
		"word":     {"set", record, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			client := redistest.Start(t).Client(t)
			s := open(t, client, &redisstore.Options{Namespace: "planted"})
			if err := client.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
			before := contents(t, client)
			c := create(id("a"), "")
			c.Record.Claims = nil
			for range 2 {
				_, err := s.Commit(t.Context(), c)
				switch name {
				case "full log": // the first write fails, but the store does not know that
					onlyUnknown(t, err)
				case "word":
					wantUnavailable(t, "commit", err)
				default:
					wantUnavailable(t, "commit", err)
					if !strings.Contains(err.Error(), "another type") {
						t.Errorf("error %v, want one about the type", err)
					}
				}
			}
			if !maps.Equal(contents(t, client), before) {
				t.Error("the commit has written")
			}
		})
	}
}
