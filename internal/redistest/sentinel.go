package redistest

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Sentinel is a master with one replica, watched by three sentinels.
type Sentinel struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// masterName is what the sentinels call the master.
const masterName = "records"

// StartSentinel starts the servers and waits until the sentinels have found all of them. A master counts as dead after a second.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s := &Sentinel{Master: Start(tb)}
	s.Replica = Start(tb, "--replicaof", fmt.Sprintf("127.0.0.1 %d", s.Master.port))
	ctx := tb.Context()
	replica := s.Replica.Client(tb)
	Await(tb, "the replica follows", func() bool { return s.Replica.Info(ctx, replica, "master_link_status") == "up" })
	for range 3 {
		file := writeFile(tb, "sentinel.conf", fmt.Sprintf(
			"sentinel monitor %[1]s 127.0.0.1 %[2]d 2\n"+
				"sentinel down-after-milliseconds %[1]s 1000\n"+
				"sentinel failover-timeout %[1]s 5000\n", masterName, s.Master.port))
		s.Sentinels = append(s.Sentinels, launch(tb, file, []string{"--sentinel"}))
	}
	for _, each := range s.Sentinels {
		client := redis.NewSentinelClient(&redis.Options{Addr: each.Addr})
		tb.Cleanup(func() { _ = client.Close() })
		Await(tb, "a sentinel knows all servers", func() bool {
			state, err := client.Master(ctx, masterName).Result()
			return err == nil && state["num-slaves"] == "1" && state["num-other-sentinels"] == "2" && client.CkQuorum(ctx, masterName).Err() == nil
		})
	}
	return s
}

// Client returns a client that asks the sentinels for the master; it is closed when the test ends.
func (s *Sentinel) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	options := &redis.FailoverOptions{MasterName: masterName}
	for _, each := range s.Sentinels {
		options.SentinelAddrs = append(options.SentinelAddrs, each.Addr)
	}
	c := redis.NewFailoverClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}
