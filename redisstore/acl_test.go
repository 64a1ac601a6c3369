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

func allow(tb testing.TB, server *redistest.Server, rights []string) {
	tb.Helper()
	words := []any{"acl", "setuser", "store", "reset", "on", ">only-a-test"}
	for _, r := range rights {
		words = append(words, r)
	}
	if err := server.Client(tb).Do(tb.Context(), words...).Err(); err != nil {
		tb.Fatal(err)
	}
}

// TestDocumentedRights runs the suite, and all else that a store can do, as a user with the documented rights and no more.
func TestDocumentedRights(t *testing.T) {
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
	t.Run("standalone", func(t *testing.T) {
		server := redistest.Start(t)
		allow(t, server, rights)
		client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "store", Password: "only-a-test"})
		t.Cleanup(func() { _ = client.Close() })
		underRights(t, client)
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		for _, m := range cluster.Masters {
			allow(t, m, rights)
		}
		underRights(t, cluster.Client(t, &redis.ClusterOptions{Username: "store", Password: "only-a-test"}))
	})
}

func underRights(t *testing.T, client redis.UniversalClient) {
	storetest.Run(t, func(t *testing.T) installation.Store {
		s := open(t, client, &redisstore.Options{Buckets: 3})
		t.Cleanup(func() { agree(t, s) })
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
	unconfirmed(t, open(t, client, &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: 1e6}), create(id("a"), ""))
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
			client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "store", Password: "only-a-test"})
			t.Cleanup(func() { _ = client.Close() })
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
