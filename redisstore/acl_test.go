package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
	"github.com/go-installation/installation/storetest"
)

// documentedRights returns the rights that the package documentation names for a user, with the given namespace.
func documentedRights(tb testing.TB, namespace string) []string {
	tb.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		tb.Fatal(err)
	}
	var rights []string
	for _, block := range regexp.MustCompile(`(?m)^//\t(\S.*)$`).FindAllStringSubmatch(string(doc), -1) {
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
	if err := admin.ConfigResetStat(tb.Context()).Err(); err != nil { // what was sent to start the server is not counted
		tb.Fatal(err)
	}
}

// dialAs returns a client of the user that [allow] makes.
func dialAs(tb testing.TB, server *redistest.Server) *redis.Client {
	return redistest.NewClient(tb, &redis.Options{
		Addr: server.Addr, Username: "store", Password: "only-a-test",
	})
}

// TestDocumentedRights runs the suite, and all else that a store can do, as a user with the documented rights and no more. None
// of what it sends is refused, and each right is needed: its command is sent.
func TestDocumentedRights(t *testing.T) {
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
	used := make(map[string]bool)
	t.Run("standalone", func(t *testing.T) {
		server := redistest.Start(t)
		allow(t, server, rights)
		client := dialAs(t, server)
		underRights(t, client, server.Client(t))
		noteUse(t, used, server)
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		for _, m := range cluster.Masters {
			allow(t, m, rights)
		}
		admin := cluster.Client(t, nil)
		client := cluster.Client(t, &redis.ClusterOptions{Username: "store", Password: "only-a-test"})
		underRights(t, client, admin)

		s := open(t, client, &redisstore.Options{Namespace: "test-asking", Buckets: 1})
		slot := redistest.Slot("test-asking:00")
		from := cluster.Owner(slot)
		for _, to := range cluster.Masters {
			if to != from {
				cluster.OpenSlot(t, slot, from, to)
				if _, err := s.Get(t.Context(), id("none")); !errors.Is(err, installation.ErrNotFound) {
					t.Errorf("get while a slot is being moved: error %v, want %v", err, installation.ErrNotFound)
				}
				break
			}
		}
		noteUse(t, used, cluster.Masters...)
	})
	if len(used) == 0 && !t.Failed() { // both parts were skipped: that there is no redis-server was said there
		t.Skip("no redis-server to prove the rights on")
	}
	for _, r := range rights[1:] {
		if !used[r] {
			t.Errorf("the documented right %s is not needed", r)
		}
	}
}

// noteUse notes which rights a user has made use of, and checks that nothing was refused but what the client can do without.
func noteUse(tb testing.TB, used map[string]bool, servers ...*redistest.Server) {
	tb.Helper()
	for _, server := range servers {
		client := server.Client(tb)
		stats, err := client.Info(tb.Context(), "commandstats").Result()
		if err != nil {
			tb.Fatal(err)
		}
		for _, command := range regexp.MustCompile(`(?m)^cmdstat_([^:]+):calls=[1-9]`).FindAllStringSubmatch(stats, -1) {
			used["+"+command[1]] = true
		}
		refused, err := client.ACLLog(tb.Context(), 100).Result()
		if err != nil {
			tb.Fatal(err)
		}
		for _, entry := range refused {
			if !strings.HasPrefix(entry.Object, "client|") { // by which it introduces itself
				tb.Errorf("%s was refused: %s %s", entry.Object, entry.Context, entry.Reason)
			}
		}
	}
}

// underRights does what a store can do, with a client that has its rights; admin has all.
func underRights(t *testing.T, client, admin redis.UniversalClient) {
	storetest.Run(t, func(t *testing.T) installation.Store {
		s := open(t, client, &redisstore.Options{Buckets: 3})
		t.Cleanup(func() { checkIndex(t, s) })
		return s
	})
	findings, err := open(t, client, nil).Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Level == installation.LevelUnknown || f.Level == installation.LevelError {
			t.Errorf("finding %+v", f)
		}
	}
	unconfirmed(t, open(t, client, &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Millisecond}), create(id("a"), ""))

	s := open(t, client, &redisstore.Options{Namespace: "test-repaired", Buckets: 1})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	const index = "{test-repaired:00}:x"
	missing := admin.ZRange(t.Context(), index, 0, 0).Val()[0]
	admin.ZRem(t.Context(), index, missing)
	admin.ZAdd(t.Context(), index, redis.Z{Member: "ctenant\x00live=b\x00nobody"}, redis.Z{Member: "zzz"})
	verified(t, s, &redisstore.VerifyOptions{Repair: true}, redisstore.VerifyReport{
		Records: 2, Members: 7, Missing: 1, Stale: 1, Unreadable: 1,
	})
	checkIndex(t, s)
}

// TestMissingRights takes the rights that scripts need away, one at a time. A store cannot be opened without one of them. In
// one that was open, the error of a commit tells whether nothing was written or nobody knows, and the health check sees it.
func TestMissingRights(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
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

			refused(t, client, options, "right")
			switch findings, err := s.Health(t.Context()); {
			case err != nil && right != "+get":
				t.Errorf("health: %v", err)
			case err == nil && right != "+script|load": // which is missed when a server has forgotten them
				level(t, findings, "scripts", installation.LevelError)
			}
			created, changed, bury := create(id("created"), ""), update(stored, ""), update(buried, "")
			created.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
			changed.Record.Index = []string{"other"}
			bury.Record = &installation.Record{Key: buried.Key, Revision: 2, Generation: 1, Deleted: true, Deadline: time.Now().Add(time.Hour)}
			for _, c := range []installation.Change{created, changed, bury} {
				_, err := s.Commit(t.Context(), c)
				revision, _ := admin.HGet(t.Context(), fmt.Sprintf("{%s:00}:r:6:tenant:%s", options.Namespace, c.Key.ID), "r").Int64()
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

// scriptRights returns the rights that it takes to run the scripts.
func scriptRights(tb testing.TB) []string {
	tb.Helper()
	rights := []string{"+evalsha", "+script|load"}
	for _, file := range []string{"commit.lua", "open.lua", "repair.lua"} {
		source, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`redis\.call\('(\w+)'`).FindAllStringSubmatch(string(source), -1) {
			rights = append(rights, "+"+strings.ToLower(call[1]))
		}
	}
	return rights
}

// TestWrongTypes plants something else in the place of a key of the namespace: nothing of a commit that meets it is written.
func TestWrongTypes(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	for name, plant := range map[string]func(redis.UniversalClient) error{
		"index":  func(c redis.UniversalClient) error { return c.Set(ctx, "{planted:00}:x", "x", 0).Err() },
		"events": func(c redis.UniversalClient) error { return c.Set(ctx, "{planted:00}:e", "x", 0).Err() },
		"tails":  func(c redis.UniversalClient) error { return c.Set(ctx, "{planted:00}:l", "x", 0).Err() },
		"full log": func(c redis.UniversalClient) error {
			return c.Do(ctx, "xadd", "{planted:00}:e", "18446744073709551615-18446744073709551615", "t", "x").Err()
		},
		"record": func(c redis.UniversalClient) error { return c.Set(ctx, "{planted:00}:r:6:tenant:a", "x", 0).Err() },
		"members": func(c redis.UniversalClient) error {
			return c.HSet(ctx, "{planted:00}:r:6:tenant:a", "x", "\x00").Err()
		},
		"unending members": func(c redis.UniversalClient) error {
			return c.HSet(ctx, "{planted:00}:r:6:tenant:a", "x", "\x00\x09x").Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := redistest.Start(t).Client(t)
			s := open(t, client, &redisstore.Options{Namespace: "planted"})
			if err := plant(client); err != nil {
				t.Fatal(err)
			}
			c := create(id("a"), "")
			c.Record.Claims = nil
			for range 2 {
				receipt, err := s.Commit(ctx, c)
				if !errors.Is(err, installation.ErrUnavailable) && !errors.Is(err, installation.ErrUnknownOutcome) {
					t.Errorf("receipt %+v, error %v, want %v or %v", receipt, err, installation.ErrUnavailable, installation.ErrUnknownOutcome)
				}
			}
			if n := client.HExists(ctx, "{planted:00}:r:6:tenant:a", "r").Val(); n {
				t.Error("the record was written")
			}
		})
	}
}
