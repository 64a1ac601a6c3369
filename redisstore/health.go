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
	ruleMeta        = "meta"            // every bucket is there, and to stay
	ruleScripts     = "scripts"         // the server runs scripts for this user
	ruleEviction    = "eviction-policy" // nothing is dropped to make room
	ruleEvicted     = "evicted-keys"    // nothing was
	rulePersistence = "persistence"     // what was written is still there after a crash
	ruleRole        = "role"            // the server is a primary
	ruleReplicas    = "replicas"        // there are as many as commits want, or one at least
)

// Health implements [installation.HealthChecker]: what it can find out about the namespace, and about each primary, where
// the finding starts with its address. Rules are "meta", "scripts", "eviction-policy", "evicted-keys", "persistence",
// "role" and "replicas". What a service forbids to ask is a finding of the level unknown.
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
		return nil, fmt.Errorf("health: %w", fail(ctx, installation.ErrUnavailable, err))
	}
	return findings, nil
}

// checkMeta looks for the mark of every bucket, and whether one of the keys that a bucket has once is to vanish one day.
func (s *Store) checkMeta(ctx context.Context) installation.Finding {
	found := finding(installation.LevelOK, ruleMeta, "all %d buckets are there", s.keys.buckets)
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
			found = finding(installation.LevelUnknown, ruleMeta, "all %d buckets are there; whether one of their keys expires could not be"+
				" asked: %s", s.keys.buckets, text)
		case key != "":
			return finding(installation.LevelError, ruleMeta, "bucket %d: something has set its key %q to expire, in %v; use PERSIST",
				b.number, key, left)
		}
	}
	return found
}

// expiring returns one of the keys that a bucket has once and that is set to expire, "" if there is none, and how long it has left.
func (s *Store) expiring(ctx context.Context, b bucket) (key string, left time.Duration, err error) {
	keys := []string{b.meta(), b.index(), b.events(), b.tails()}
	commands := make([]*redis.DurationCmd, len(keys))
	err = s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		for i, k := range keys {
			commands[i] = pipe.PTTL(ctx, k)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	for i, cmd := range commands {
		if err == nil && cmd.Val() >= 0 { // negative for a key that does not expire or is not there
			return keys[i], cmd.Val(), nil
		}
	}
	return "", 0, err
}

// checkScripts has a script try all commands that scripts use, in every bucket.
func (s *Store) checkScripts(ctx context.Context) installation.Finding {
	for _, b := range s.keys.all() {
		if err := s.tryScripts(ctx, b); err != nil {
			_, text := explain(err)
			return finding(installation.LevelError, ruleScripts, "bucket %d: scripts cannot be run, so nothing can be written: %s", b.number, text)
		}
	}
	return finding(installation.LevelOK, ruleScripts, "scripts can be run")
}

// tryScripts returns an error if a commit in the bucket could fail half way.
func (s *Store) tryScripts(ctx context.Context, b bucket) error {
	var reply []string
	err := s.read(ctx, func(ctx context.Context) (err error) {
		reply, err = s.probe.run(ctx, s.client, []string{b.meta(), b.probe()}, []string{s.meta})
		if refusesWrites(err) {
			return fail(ctx, installation.ErrUnavailable, err) // no more tries
		}
		return err
	})
	if err == nil && (len(reply) != 1 || reply[0] != "tried") {
		err = errForeign(b)
	}
	return err
}

func (s *Store) checkServer(ctx context.Context, node redis.UniversalClient) []installation.Finding {
	findings := []installation.Finding{
		evictionPolicy(ctx, node), evictedKeys(ctx, node), persistence(ctx, node), role(ctx, node), s.replicas(ctx, node),
	}
	if n, ok := node.(interface{ Options() *redis.Options }); ok {
		for i := range findings {
			findings[i].Detail = n.Options().Addr + ": " + findings[i].Detail
		}
	}
	return findings
}

// refuseServers returns an error if what answers for keys is a replica, or may drop records to make room.
func (s *Store) refuseServers(ctx context.Context) error {
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		if c, ok := node.(*redis.Client); ok && caches(c) {
			return errCaches
		}
		if f := role(ctx, node); f.Level == installation.LevelError {
			return unavailable(f.Detail)
		}
		if f := evictionPolicy(ctx, node); f.Level == installation.LevelError && !s.opts.AllowEviction {
			return unavailable(f.Detail)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCaches) {
		err = fail(ctx, installation.ErrUnavailable, err)
	}
	return err
}

func evictionPolicy(ctx context.Context, node redis.UniversalClient) installation.Finding {
	info, err := infoOf(ctx, node, "memory")
	policy := info["maxmemory_policy"]
	switch {
	case err != nil:
		return unknown(ruleEviction, err)
	case policy == "":
		return finding(installation.LevelUnknown, ruleEviction, "the server does not say what it does at its memory limit")
	case strings.HasPrefix(policy, "allkeys-") && info["maxmemory"] == "0":
		return finding(installation.LevelWarning, ruleEviction, "maxmemory-policy %s would drop records, without an error, as soon as the"+
			" server gets a memory limit; set noeviction", policy)
	case info["maxmemory"] == "0":
		return finding(installation.LevelOK, ruleEviction, "there is no memory limit, so nothing is evicted")
	case strings.HasPrefix(policy, "allkeys-"):
		return finding(installation.LevelError, ruleEviction, "maxmemory-policy %s drops records at the memory limit, without an error;"+
			" set noeviction", policy)
	case strings.HasPrefix(policy, "volatile-"):
		return finding(installation.LevelWarning, ruleEviction, "maxmemory-policy %s drops outcomes and tombstones at the memory limit:"+
			" a repeated request may run again; set noeviction", policy)
	default:
		return finding(installation.LevelOK, ruleEviction, "maxmemory-policy is %s", policy)
	}
}

func evictedKeys(ctx context.Context, node redis.UniversalClient) installation.Finding {
	info, err := infoOf(ctx, node, "stats")
	switch evicted := info["evicted_keys"]; {
	case err != nil:
		return unknown(ruleEvicted, err)
	case evicted == "":
		return finding(installation.LevelUnknown, ruleEvicted, "the server does not say how much it has evicted")
	case evicted != "0":
		return finding(installation.LevelWarning, ruleEvicted, "%s keys were evicted since the server was started, maybe of this namespace", evicted)
	default:
		return finding(installation.LevelOK, ruleEvicted, "nothing was evicted since the server was started")
	}
}

func persistence(ctx context.Context, node redis.UniversalClient) installation.Finding {
	info, err := infoOf(ctx, node, "persistence")
	switch {
	case err != nil:
		return unknown(rulePersistence, err)
	case info["aof_enabled"] == "":
		return finding(installation.LevelUnknown, rulePersistence, "the server does not say how it persists")
	case info["aof_enabled"] != "1":
		return finding(installation.LevelWarning, rulePersistence, "the append-only file is off: a crash loses what was written since the"+
			" last snapshot; set appendonly yes")
	case info["aof_last_write_status"] == "err":
		return finding(installation.LevelError, rulePersistence, "the server cannot write its append-only file")
	default:
		return finding(installation.LevelOK, rulePersistence, "the append-only file is on")
	}
}

func role(ctx context.Context, node redis.UniversalClient) installation.Finding {
	info, err := infoOf(ctx, node, "replication")
	switch {
	case err != nil:
		return unknown(ruleRole, err)
	case info["role"] == "":
		return finding(installation.LevelUnknown, ruleRole, "the server does not say whether it is a primary")
	case info["role"] != "master":
		return finding(installation.LevelError, ruleRole, "the server is a replica: what it says is old, and it takes no writes")
	default:
		return finding(installation.LevelOK, ruleRole, "the server is a primary")
	}
}

func (s *Store) replicas(ctx context.Context, node redis.UniversalClient) installation.Finding {
	info, err := infoOf(ctx, node, "replication")
	if err != nil {
		return unknown(ruleReplicas, err)
	}
	n, err := strconv.Atoi(info["connected_slaves"])
	switch {
	case err != nil:
		return finding(installation.LevelUnknown, ruleReplicas, "the server does not say how many replicas it has")
	case n < s.opts.RequireReplicas:
		return finding(installation.LevelError, ruleReplicas, "%d replicas, and each commit asks for %d", n, s.opts.RequireReplicas)
	case n == 0:
		return finding(installation.LevelWarning, ruleReplicas, "no replica: what this server holds is gone with it")
	default:
		return finding(installation.LevelOK, ruleReplicas, "%d replicas", n)
	}
}

func infoOf(ctx context.Context, node redis.UniversalClient, section string) (map[string]string, error) {
	text, err := node.Info(ctx, section).Result()
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

func unknown(rule string, err error) installation.Finding {
	_, text := explain(err)
	return finding(installation.LevelUnknown, rule, "could not be asked: %s", text)
}

func finding(level installation.Level, rule, format string, args ...any) installation.Finding {
	return installation.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
