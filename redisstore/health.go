package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

// Rules of the findings of [Store.Health].
const (
	ruleMeta        = "meta"            // every bucket exists and will not expire
	ruleScripts     = "scripts"         // the server runs scripts for this user
	ruleEviction    = "eviction-policy" // the server evicts no records
	ruleEvicted     = "evicted-keys"    // the server has evicted no keys
	rulePersistence = "persistence"     // data survives a crash
	ruleRole        = "role"            // the server is a primary
	ruleReplicas    = "replicas"        // there are enough replicas
)

// Health implements [installation.HealthChecker]. It returns findings about the namespace and
// about each primary; the latter start with its address. Rules are "meta", "scripts",
// "eviction-policy", "evicted-keys", "persistence", "role" and "replicas". What a service does
// not show is a finding of level unknown.
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.readMeta(ctx, s.keys.bucket(0)); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	findings := []health.Finding{s.checkMeta(ctx), s.checkScripts(ctx)}
	var mu sync.Mutex
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		found := s.checkServer(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		findings = append(findings, found...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("health: %w", wrapError(ctx, installation.ErrUnavailable, err))
	}
	return findings, nil
}

// checkMeta checks the meta of every bucket, and that none of its fixed keys will expire.
func (s *Store) checkMeta(ctx context.Context) health.Finding {
	found := finding(health.OK, ruleMeta, "all %d buckets exist", s.keys.buckets)
	for _, b := range s.keys.all() {
		value, err := s.readMeta(ctx, b)
		if err == nil && scopeMeta+value != s.meta {
			err = errForeign(b)
		}
		if err != nil {
			return finding(health.Error, ruleMeta, "bucket %d: %v", b.number, err)
		}
		key, left, err := s.expiring(ctx, b)
		switch {
		case err != nil:
			_, text := explain(err)
			found = finding(health.Unknown, ruleMeta, "all %d buckets exist; "+
				"unknown whether one of their keys expires: %s", s.keys.buckets, text)
		case key != "":
			return finding(health.Error, ruleMeta,
				"bucket %d: its key %q was set to expire in %v; use PERSIST", b.number, key, left)
		}
	}
	return found
}

// expiring returns a fixed key of a bucket that is set to expire, and its remaining time. The
// key is "" if no fixed key expires.
func (s *Store) expiring(
	ctx context.Context, b bucket,
) (key string, left time.Duration, err error) {
	keys := b.fixed()
	commands, err := readValue(ctx, s, func(ctx context.Context) ([]redis.Cmder, error) {
		return s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, k := range keys {
				pipe.PTTL(ctx, k)
			}
			return nil
		})
	})
	for i, cmd := range commands {
		left := cmd.(*redis.DurationCmd).Val()
		if err == nil && left >= 0 { // negative if the key does not expire or exist
			return keys[i], left, nil
		}
	}
	return "", 0, err
}

// checkScripts runs a script with all commands that scripts use, in every bucket.
func (s *Store) checkScripts(ctx context.Context) health.Finding {
	for _, b := range s.keys.all() {
		if err := s.tryScripts(ctx, b); err != nil {
			_, text := explain(err)
			return finding(health.Error, ruleScripts,
				"bucket %d: scripts cannot run, so nothing can be written: %s", b.number, text)
		}
	}
	return finding(health.OK, ruleScripts, "scripts can run")
}

// tryScripts returns an error if a commit in the bucket could fail half-way. It names the command
// that a script cannot run.
func (s *Store) tryScripts(ctx context.Context, b bucket) error {
	reply, err := readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		return s.probe.run(ctx, s.client, b.fixed(), []string{s.meta})
	})
	switch {
	case err != nil:
		return err
	case len(reply) == 1 && reply[0] == "foreign":
		return errForeign(b)
	case len(reply)%2 == 0 || reply[0] != "tried":
		return errReply
	case len(reply) > 1:
		failed := scriptError(reply[2])
		_, text := explain(failed)
		return &storeError{
			sentinel: installation.ErrUnavailable,
			text:     fmt.Sprintf("scripts cannot run %s: %s", reply[1], text),
			causes:   []error{failed},
		}
	}
	return nil
}

// scriptError is the text of an error that a script has met and returned.
type scriptError string

// Error implements error.
func (e scriptError) Error() string { return string(e) }

// RedisError marks it as an error of the server.
func (scriptError) RedisError() {}

// checkServer returns the findings about one primary.
func (s *Store) checkServer(
	ctx context.Context, node redis.UniversalClient,
) (findings []health.Finding) {
	addr := ""
	if n, ok := node.(interface{ Options() *redis.Options }); ok {
		addr = n.Options().Addr + ": "
	}
	info, err := infoOf(ctx, node)
	for _, c := range []struct {
		rule  string
		check func(info map[string]string) (health.Level, string)
	}{
		{ruleEviction, evictionPolicy}, {ruleEvicted, evictedKeys},
		{rulePersistence, persistence}, {ruleRole, role}, {ruleReplicas, s.replicas},
	} {
		level, text := c.check(info)
		if err != nil {
			_, text = explain(err)
			level, text = health.Unknown, "the server does not answer INFO: "+text
		}
		findings = append(findings, finding(level, c.rule, "%s%s", addr, text))
	}
	return findings
}

// rejectServers returns an error if a server is a replica, or may evict records.
func (s *Store) rejectServers(ctx context.Context) error {
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		if c, ok := node.(*redis.Client); ok && caches(c) {
			return errCaches
		}
		info, _ := infoOf(ctx, node) // without it all levels are unknown
		if level, text := role(info); level == health.Error {
			return unavailable("%s", text)
		}
		level, text := evictionPolicy(info)
		if level == health.Error && !s.opts.AllowEviction {
			return unavailable("%s", text)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCaches) {
		err = wrapError(ctx, installation.ErrUnavailable, err)
	}
	return err
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
		return health.Warning, text + " evicts outcomes and tombstones at the memory " +
			"limit: a repeated request may run again; set noeviction"
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

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
