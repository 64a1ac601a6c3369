package redisstore_test

import (
	"context"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// editedConn changes what it reads, but not its length.
type editedConn struct {
	net.Conn
	edit func([]byte)
}

func (c editedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.edit(p[:n])
	return n, err
}

// TestOpenRejectsOldServers opens stores on a server that names an old version in INFO.
func TestOpenRejectsOldServers(t *testing.T) {
	server := redistest.Start(t)
	version := regexp.MustCompile(`(redis|valkey)_version:\d+`)
	client := redistest.NewClient(t, &redis.Options{
		Addr: server.Addr,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return editedConn{conn, func(p []byte) {
				for _, at := range version.FindAllIndex(p, -1) {
					p[at[1]-1] = '6'
				}
			}}, err
		},
	})
	const mention = "needs Redis 7.0"
	rejected(t, client, nil, mention)
	if n := client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the server has %d keys, want none", n)
	}
	// If it does not answer INFO, it is accepted unless it lacks a command. Redis 6 lacks one.
	silent := redistest.NewClient(t, &redis.Options{
		Addr: server.Addr, Dialer: client.Options().Dialer,
		Username: "store", Password: "only-a-test",
	})
	if strings.HasPrefix(redistest.Info(t.Context(), server.Client(t), "redis_version"), "6.") {
		allow(t, server, []string{"~*", "+@all", "-info"})
		rejected(t, silent, nil, "ZMSCORE: this package "+mention)
		return
	}
	rights := documentedRights(t, "test-")
	rights[0] = "~{test-*"
	allow(t, server, slices.DeleteFunc(rights, func(r string) bool { return r == "+info" }))
	open(t, silent, nil)
}

// TestOpenNamesMissingCommands opens stores on servers that have renamed a command.
func TestOpenNamesMissingCommands(t *testing.T) {
	for _, command := range redisstore.NeededCommands {
		name := strings.ToUpper(command)
		t.Run(name, func(t *testing.T) {
			client := redistest.Start(t, "--rename-command", name, "hidden").Client(t)
			rejected(t, client, nil, name+": this package needs Redis 7.0")
			if n := client.DBSize(t.Context()).Val(); n != 0 {
				t.Errorf("the server has %d keys, want none", n)
			}
		})
	}
	t.Run("WAIT", func(t *testing.T) {
		client := redistest.Start(t, "--rename-command", "WAIT", "hidden").Client(t)
		open(t, client, nil)
		rejected(t, client, &redisstore.Options{RequireReplicas: 1}, "WAIT")
	})
	t.Run("cluster", func(t *testing.T) {
		server := redistest.Start(t, "--cluster-enabled", "yes",
			"--cluster-config-file", "nodes.conf", "--rename-command", "HSET", "hidden")
		if err := server.Client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
			t.Fatal(err)
		}
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}})
		t.Cleanup(func() { _ = client.Close() })
		redistest.Await(t, "the cluster is up", func() bool {
			return client.Get(t.Context(), "none").Err() == redis.Nil
		})
		rejected(t, client, nil, "HSET: this package needs Redis 7.0")
	})
}

// TestNeededCommands compares the commands that Open asks for with the documented rights.
func TestNeededCommands(t *testing.T) {
	optional := []string{"wait", "pttl", "hello", "info", "scan", "command", "cluster", "asking"}
	var documented []string
	for _, right := range documentedRights(t, "test-")[1:] {
		name, _, _ := strings.Cut(right[1:], "|")
		if !slices.Contains(optional, name) && name != "config" {
			documented = append(documented, name)
		}
	}
	slices.Sort(documented)
	needed := slices.Sorted(slices.Values(redisstore.NeededCommands))
	if !slices.Equal(needed, documented) {
		t.Errorf("Open asks for %q, documented are %q", needed, documented)
	}
}
