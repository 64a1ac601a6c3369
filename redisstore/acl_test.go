package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

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

// TestMissingRights takes the rights that scripts need away, one at a time: each is missed before anything is written,
// or at Open, and the error says what is wrong.
func TestMissingRights(t *testing.T) {
	server := redistest.Start(t)
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
	for i, right := range rights {
		switch right {
		case "+evalsha", "+script|load", "+get", "+hmget", "+zrange":
		default:
			continue
		}
		t.Run(right, func(t *testing.T) {
			fewer := append(rights[:i:i], rights[i+1:]...)
			allow(t, server, fewer)
			client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "store", Password: "only-a-test"})
			t.Cleanup(func() { _ = client.Close() })
			s, err := redisstore.Open(t.Context(), client, &redisstore.Options{Namespace: fmt.Sprintf("test-rights-%d", i)})
			if err == nil {
				_, err = s.Commit(t.Context(), create(id("a"), ""))
			}
			if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), "right") {
				t.Errorf("without %s: error %v, want %v about a right", right, err, installation.ErrUnavailable)
			}
			keys, err := server.Client(t).Keys(context.WithoutCancel(t.Context()), fmt.Sprintf("{test-rights-%d:*", i)).Result()
			if err != nil || len(keys) > 1 { // the meta key
				t.Errorf("without %s: keys %q, error %v", right, keys, err)
			}
		})
	}
}
