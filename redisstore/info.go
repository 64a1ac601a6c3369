package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/storecall"
)

// rejectServers returns an error if a server is too old, lacks a command, is a replica, or can
// evict any record.
func (s *Store) rejectServers(ctx context.Context) error {
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		if c, ok := node.(*redis.Client); ok && caches(c) {
			return errCaches
		}
		info, _ := infoOf(ctx, node) // without INFO, all levels are unknown
		for _, check := range []func(map[string]string) (health.Level, string){
			version, role, s.eviction,
		} {
			if level, text := check(info); level == health.Error {
				return storecall.Unavailable("%s", text)
			}
		}
		return s.checkCommands(ctx, node)
	})
	if err != nil && !errors.Is(err, errCaches) {
		err = wrapError(ctx, installation.ErrUnavailable, err)
	}
	return err
}

// What this package needs of a server.
const (
	oldestServer = 7 // the major version
	textNeeds    = "this package needs Redis 7.0 or later, or a compatible server, " +
		"with none of its commands renamed"
)

func version(info map[string]string) (health.Level, string) {
	name, number := "Redis", info["redis_version"]
	if valkey := info["valkey_version"]; valkey != "" {
		name, number = "Valkey", valkey
	}
	first, _, _ := strings.Cut(number, ".")
	switch major, err := strconv.Atoi(first); {
	case err != nil:
		return health.Unknown, "the server does not report its version"
	case major < oldestServer:
		return health.Error, fmt.Sprintf("the server is %s %s: %s", name, number, textNeeds)
	default:
		return health.OK, "the server is " + name + " " + number
	}
}

// neededCommands are the commands without which a store does not work.
var neededCommands = strings.Fields("eval evalsha script get set hget hmget hset hdel hlen hscan " +
	"zadd zrem zrange zcard zlexcount zscore zmscore zscan xadd xlen xrange xrevrange persist")

// checkCommands returns an error if a server says that it lacks a command.
func (s *Store) checkCommands(ctx context.Context, node redis.UniversalClient) error {
	names := neededCommands
	if s.opts.RequireReplicas > 0 {
		names = append(slices.Clip(names), "wait")
	}
	words := []any{"command", "info"}
	for _, name := range names {
		words = append(words, name)
	}
	found, err := node.Do(ctx, words...).Slice()
	if err != nil || len(found) != len(names) {
		return nil // the server does not say
	}
	var missing []string
	for i, details := range found {
		if details == nil {
			missing = append(missing, strings.ToUpper(names[i]))
		}
	}
	if missing == nil {
		return nil
	}
	return storecall.Unavailable("the server lacks %s: %s", strings.Join(missing, ", "), textNeeds)
}

// eviction is evictionPolicy, unless [Options.AllowEviction] is set.
func (s *Store) eviction(info map[string]string) (health.Level, string) {
	if s.opts.AllowEviction {
		return health.OK, ""
	}
	return evictionPolicy(info)
}

func evictionPolicy(info map[string]string) (health.Level, string) {
	policy, unlimited := info["maxmemory_policy"], info["maxmemory"] == "0"
	text := "maxmemory-policy " + policy
	switch {
	case policy == "":
		return health.Unknown, "the server does not report its maxmemory-policy"
	case strings.HasPrefix(policy, "allkeys-") && unlimited:
		return health.Warning, text + " would evict records, without an error, once " +
			"the server has a memory limit; set noeviction"
	case unlimited:
		return health.OK, "there is no memory limit, so nothing is evicted"
	case strings.HasPrefix(policy, "allkeys-"):
		return health.Error, text + " evicts records at the memory limit, " +
			"without an error; set noeviction"
	case strings.HasPrefix(policy, "volatile-"):
		return health.Warning, text + " evicts tombstones at the memory limit: " +
			"a revision could then come again; set noeviction"
	default:
		return health.OK, text
	}
}

func evictedKeys(info map[string]string) (health.Level, string) {
	switch evicted := info["evicted_keys"]; evicted {
	case "":
		return health.Unknown, "the server does not report evictions"
	case "0":
		return health.OK, "no key was evicted since the server started"
	default:
		return health.Warning,
			evicted + " keys were evicted since the server started, maybe of this namespace"
	}
}

// scarce is the use of the memory limit, in percent, above which Health warns.
const scarce = 90

func memory(info map[string]string) (health.Level, string) {
	limit, err := strconv.ParseFloat(info["maxmemory"], 64)
	used, err2 := strconv.ParseFloat(info["used_memory"], 64)
	// The limit does not apply to buffers for replicas and for the append-only file.
	apart, _ := strconv.ParseFloat(info["mem_not_counted_for_evict"], 64)
	if err != nil || err2 != nil {
		return health.Unknown, "the server does not report its memory"
	}
	if limit == 0 {
		return health.OK, "there is no memory limit"
	}
	percent := 100 * (used - apart) / limit
	text := fmt.Sprintf("%.0f %% of maxmemory are in use", percent)
	switch policy := info["maxmemory_policy"]; {
	case percent > 100 && policy == "noeviction":
		return health.Error, text + ": the server refuses what needs memory"
	case percent > scarce:
		return health.Warning, text + ": beyond it the server refuses or evicts"
	default:
		return health.OK, text
	}
}

func persistence(info map[string]string) (health.Level, string) {
	switch {
	case info["aof_enabled"] == "":
		return health.Unknown, "the server does not report its persistence"
	case info["aof_enabled"] != "1":
		return health.Warning, "the append-only file is off: a crash loses " +
			"everything since the last snapshot; set appendonly yes"
	case info["aof_last_write_status"] == "err":
		return health.Error, "the server cannot write its append-only file"
	default:
		return health.OK, "the append-only file is on"
	}
}

func role(info map[string]string) (health.Level, string) {
	switch info["role"] {
	case "":
		return health.Unknown, "the server does not report its role"
	case "master":
		return health.OK, "the server is a primary"
	default:
		return health.Error,
			"the server is a replica: its data is old, and it rejects writes"
	}
}

func (s *Store) replicas(info map[string]string) (health.Level, string) {
	n, err := strconv.Atoi(info["connected_slaves"])
	switch want := s.opts.RequireReplicas; {
	case err != nil:
		return health.Unknown, "the server does not report its replicas"
	case n < want:
		return health.Error,
			fmt.Sprintf("%d replicas, but each commit requires %d", n, want)
	case n == 0:
		return health.Warning, "no replica: the data is lost with this server"
	default:
		return health.OK, fmt.Sprintf("%d replicas", n)
	}
}

// infoOf returns the fields of INFO.
func infoOf(ctx context.Context, node redis.UniversalClient) (map[string]string, error) {
	text, err := node.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}
