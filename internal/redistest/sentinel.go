package redistest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Sentinel is a master with one replica, watched by three sentinels.
type Sentinel struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// masterName is the name under which the sentinels know the master.
const masterName = "records"

// StartSentinel starts the servers and waits until every sentinel knows all servers. Before
// [Sentinel.Failover], no sentinel counts the master as failed.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s := &Sentinel{Master: Start(tb)}
	s.Replica = StartReplica(tb, s.Master)
	config := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 2\n"+
		"sentinel down-after-milliseconds %[1]s 3600000\n"+
		"sentinel failover-timeout %[1]s 5000\n", masterName, s.Master.port)
	for range 3 {
		file := filepath.Join(tb.TempDir(), "sentinel.conf")
		must(tb, os.WriteFile(file, []byte(config), 0o600))
		s.Sentinels = append(s.Sentinels, launch(tb, file, "--sentinel"))
	}
	for _, c := range s.clients(tb) {
		Await(tb, "a sentinel knows all servers", func() bool {
			state, err := c.Master(tb.Context(), masterName).Result()
			return err == nil && state["num-slaves"] == "1" &&
				state["num-other-sentinels"] == "2" &&
				c.CkQuorum(tb.Context(), masterName).Err() == nil
		})
	}
	return s
}

// clients returns a client of each sentinel.
func (s *Sentinel) clients(tb testing.TB) []*redis.SentinelClient {
	var clients []*redis.SentinelClient
	for _, each := range s.Sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: each.Addr, ReadTimeout: Patience})
		tb.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	return clients
}

// Failover kills the master and waits until the replica has taken over. It returns the replica.
func (s *Sentinel) Failover(tb testing.TB) *Server {
	tb.Helper()
	s.Master.Kill()
	for _, c := range s.clients(tb) {
		must(tb, c.Set(tb.Context(), masterName, "down-after-milliseconds", "1000").Err())
	}
	AwaitInfo(tb, s.Replica.Client(tb), "role", "master")
	return s.Replica
}

// Client returns a client that asks the sentinels for the master. The client is closed when the
// test ends. Nil options are the defaults.
func (s *Sentinel) Client(tb testing.TB, o *redis.FailoverOptions) *redis.Client {
	tb.Helper()
	options := *cmp.Or(o, &redis.FailoverOptions{})
	options.MasterName = masterName
	setTimeouts(&options.DialTimeout, &options.ReadTimeout, &options.WriteTimeout,
		&options.PoolTimeout)
	for _, each := range s.Sentinels {
		options.SentinelAddrs = append(options.SentinelAddrs, each.Addr)
	}
	c := redis.NewFailoverClient(&options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}
