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
)

// Rules of the findings of [Store.Health].
const (
	ruleMeta        = "meta"            // every bucket exists and will not expire
	ruleScripts     = "scripts"         // the server runs scripts for this user
	ruleEviction    = "eviction-policy" // the server evicts no records
	ruleEvicted     = "evicted-keys"    // the server has evicted no keys
	rulePersistence = "persistence"     // data survives a crash
	ruleRole        = "role"            // the server is a primary
	ruleReplicas    = "replicas"        // there are enough replicas for commits, or at least one
)

// Health implements [installation.HealthChecker]. It returns findings about the namespace and
// about each primary; the latter start with its address. Rules are "meta", "scripts",
// "eviction-policy", "evicted-keys", "persistence", "role" and "replicas". What a service does
// not show is a finding of level unknown.
func (s *Store) Health(ctx context.Context) ([]installation.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.readMeta(ctx, s.keys.bucket(0)); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	findings := []installation.Finding{s.checkMeta(ctx), s.checkScripts(ctx)}
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

// checkMeta checks the meta key of every bucket, and that none of its fixed keys will expire.
func (s *Store) checkMeta(ctx context.Context) installation.Finding {
	found := finding(installation.LevelOK, ruleMeta, "all %d buckets exist", s.keys.buckets)
	for _, b := range s.keys.all() {
		value, err := s.readMeta(ctx, b)
		if err == nil && value != s.meta {
			err = errForeign(b)
		}
		if err != nil {
			return finding(installation.LevelError, ruleMeta, "bucket %d: %v", b.number, err)
		}
		key, left, err := s.expiring(ctx, b)
		switch {
		case err != nil:
			_, text := explain(err)
			found = finding(installation.LevelUnknown, ruleMeta, "all %d buckets exist; "+
				"unknown whether one of their keys expires: %s", s.keys.buckets, text)
		case key != "":
			return finding(installation.LevelError, ruleMeta, "bucket %d: its key %q was set to "+
				"expire in %v; use PERSIST", b.number, key, left)
		}
	}
	return found
}

// expiring returns a fixed key of a bucket that is set to expire, and its remaining time. The
// key is "" if there is none.
func (s *Store) expiring(
	ctx context.Context, b bucket,
) (key string, left time.Duration, err error) {
	keys := []string{b.meta(), b.index(), b.events(), b.tails()}
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
func (s *Store) checkScripts(ctx context.Context) installation.Finding {
	for _, b := range s.keys.all() {
		if err := s.tryScripts(ctx, b); err != nil {
			_, text := explain(err)
			return finding(installation.LevelError, ruleScripts,
				"bucket %d: scripts cannot run, so nothing can be written: %s", b.number, text)
		}
	}
	return finding(installation.LevelOK, ruleScripts, "scripts can run")
}

// tryScripts returns an error if a commit in the bucket could fail half-way.
func (s *Store) tryScripts(ctx context.Context, b bucket) error {
	keys, args := []string{b.meta(), b.probe()}, []string{s.meta}
	reply, err := readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		reply, err := s.probe.run(ctx, s.client, keys, args)
		if rejectsWrites(err) {
			err = wrapError(ctx, installation.ErrUnavailable, err) // do not retry
		}
		return reply, err
	})
	if err == nil && (len(reply) != 1 || reply[0] != "tried") {
		err = errForeign(b)
	}
	return err
}

func (s *Store) checkServer(ctx context.Context, node redis.UniversalClient) []installation.Finding {
	info, err := infoOf(ctx, node)
	findings := []installation.Finding{
		evictionPolicy(info), evictedKeys(info), persistence(info), role(info), s.replicas(info),
	}
	n, hasAddr := node.(interface{ Options() *redis.Options })
	for i := range findings {
		f := &findings[i]
		if err != nil {
			_, text := explain(err)
			f.Level, f.Detail = installation.LevelUnknown, "the server does not answer INFO: "+text
		}
		if hasAddr {
			f.Detail = n.Options().Addr + ": " + f.Detail
		}
	}
	return findings
}

// rejectServers returns an error if a server is a replica, or may evict records.
func (s *Store) rejectServers(ctx context.Context) error {
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		if c, ok := node.(*redis.Client); ok && caches(c) {
			return errCaches
		}
		info, _ := infoOf(ctx, node) // without it the findings are unknown
		if f := role(info); f.Level == installation.LevelError {
			return unavailable("%s", f.Detail)
		}
		if f := evictionPolicy(info); f.Level == installation.LevelError && !s.opts.AllowEviction {
			return unavailable("%s", f.Detail)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCaches) {
		err = wrapError(ctx, installation.ErrUnavailable, err)
	}
	return err
}

func evictionPolicy(info map[string]string) installation.Finding {
	policy, unlimited := info["maxmemory_policy"], info["maxmemory"] == "0"
	switch {
	case policy == "":
		return finding(installation.LevelUnknown, ruleEviction,
			"the server does not report its maxmemory-policy")
	case strings.HasPrefix(policy, "allkeys-") && unlimited:
		return finding(installation.LevelWarning, ruleEviction, "maxmemory-policy %s would evict "+
			"records, without an error, once the server has a memory limit; set noeviction", policy)
	case unlimited:
		return finding(installation.LevelOK, ruleEviction, "there is no memory limit, so nothing is evicted")
	case strings.HasPrefix(policy, "allkeys-"):
		return finding(installation.LevelError, ruleEviction, "maxmemory-policy %s evicts records "+
			"at the memory limit, without an error; set noeviction", policy)
	case strings.HasPrefix(policy, "volatile-"):
		return finding(installation.LevelWarning, ruleEviction, "maxmemory-policy %s evicts outcomes "+
			"and tombstones at the memory limit: a repeated request may run again; "+
			"set noeviction", policy)
	default:
		return finding(installation.LevelOK, ruleEviction, "maxmemory-policy is %s", policy)
	}
}

func evictedKeys(info map[string]string) installation.Finding {
	switch evicted := info["evicted_keys"]; evicted {
	case "":
		return finding(installation.LevelUnknown, ruleEvicted, "the server does not report evictions")
	case "0":
		return finding(installation.LevelOK, ruleEvicted, "no key was evicted since the server started")
	default:
		return finding(installation.LevelWarning, ruleEvicted, "%s keys were evicted since the server "+
			"started, maybe of this namespace", evicted)
	}
}

func persistence(info map[string]string) installation.Finding {
	switch {
	case info["aof_enabled"] == "":
		return finding(installation.LevelUnknown, rulePersistence,
			"the server does not report its persistence")
	case info["aof_enabled"] != "1":
		return finding(installation.LevelWarning, rulePersistence, "the append-only file is off: "+
			"a crash loses everything since the last snapshot; set appendonly yes")
	case info["aof_last_write_status"] == "err":
		return finding(installation.LevelError, rulePersistence,
			"the server cannot write its append-only file")
	default:
		return finding(installation.LevelOK, rulePersistence, "the append-only file is on")
	}
}

func role(info map[string]string) installation.Finding {
	switch info["role"] {
	case "":
		return finding(installation.LevelUnknown, ruleRole, "the server does not report its role")
	case "master":
		return finding(installation.LevelOK, ruleRole, "the server is a primary")
	default:
		return finding(installation.LevelError, ruleRole,
			"the server is a replica: its data is old, and it rejects writes")
	}
}

func (s *Store) replicas(info map[string]string) installation.Finding {
	n, err := strconv.Atoi(info["connected_slaves"])
	switch {
	case err != nil:
		return finding(installation.LevelUnknown, ruleReplicas,
			"the server does not report its replicas")
	case n < s.opts.RequireReplicas:
		return finding(installation.LevelError, ruleReplicas,
			"%d replicas, but each commit requires %d", n, s.opts.RequireReplicas)
	case n == 0:
		return finding(installation.LevelWarning, ruleReplicas,
			"no replica: the data is lost with this server")
	default:
		return finding(installation.LevelOK, ruleReplicas, "%d replicas", n)
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

func finding(level installation.Level, rule, format string, args ...any) installation.Finding {
	return installation.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
