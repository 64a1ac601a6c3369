package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/storecall"
)

// Rules of the findings of [Store.Health].
const (
	ruleMeta        = "meta"            // every bucket exists and none of its fixed keys expires
	ruleHistory     = "history"         // the data did not go back to an older state
	ruleScripts     = "scripts"         // the server runs scripts for this user
	ruleEviction    = "eviction-policy" // the server evicts no records
	ruleEvicted     = "evicted-keys"    // the server has evicted no keys
	ruleMemory      = "memory"          // the server is not near its memory limit
	rulePersistence = "persistence"     // data survives a crash
	ruleRole        = "role"            // the server is a primary
	ruleReplicas    = "replicas"        // there are enough replicas
)

// Health implements [installation.HealthChecker]. It returns findings about the namespace and about
// each primary. The details of a finding about a primary start with the primary's address. Rules
// are "meta", "history", "scripts", "eviction-policy", "evicted-keys", "memory", "persistence",
// "role" and "replicas". If a server does not report a fact, the finding has the level unknown.
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.readMeta(ctx, s.keys.bucket(0)); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	findings := []health.Finding{s.checkMeta(ctx), s.checkHistory(ctx), s.checkScripts(ctx)}
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

// checkMeta checks that every bucket has the meta of this store, and that no fixed key is set to
// expire.
func (s *Store) checkMeta(ctx context.Context) health.Finding {
	found := finding(health.OK, ruleMeta, "all %d buckets exist", s.keys.buckets)
	for _, b := range s.keys.all() {
		if _, err := s.finalMeta(ctx, b); err != nil {
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

// checkScripts runs the probe in every bucket: a script that tries the commands of other scripts.
func (s *Store) checkScripts(ctx context.Context) health.Finding {
	found := finding(health.OK, ruleScripts, "scripts can run")
	for _, b := range s.keys.all() {
		err := s.tryScripts(ctx, b)
		switch text := textOf(err); {
		case isSlotMoving(err):
			found = finding(health.Warning, ruleScripts,
				"bucket %d: commits wait or fail while its keys are on two servers: %s",
				b.number, text)
		case err != nil:
			return finding(health.Error, ruleScripts,
				"bucket %d: commits fail: %s", b.number, text)
		}
	}
	return found
}

// tryScripts returns an error if a commit in the bucket could fail half-way. The error names the
// command that a script cannot run.
func (s *Store) tryScripts(ctx context.Context, b bucket) error {
	m, err := s.finalMeta(ctx, b)
	if err != nil {
		return err
	}
	reply, err := readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		reply, err := s.probe.run(ctx, s.client, b.fixed(), []string{m.member()})
		if isSlotMoving(err) || rejectsWrites(err) {
			err = wrapError(ctx, installation.ErrUnavailable, err) // do not retry
		}
		return reply, err
	})
	switch {
	case err != nil:
		return err
	case len(reply) == 1 && reply[0] == "foreign":
		if now, err := s.finalMeta(ctx, b); err != nil || now == m {
			return cmp.Or(err, errForeign(b))
		}
		return s.tryScripts(ctx, b) // a restore was accepted meanwhile
	case len(reply)%2 == 0 || reply[0] != "tried":
		return errReply
	case len(reply) > 1:
		return failedProbe(reply[1:])
	}
	return nil
}

// failedProbe returns the error for the commands that a script cannot run. In tried, each command
// is followed by the server's error for it. An error that says that the server refuses all writes
// for now is returned only if there is no other error.
func failedProbe(tried []string) error {
	command, failed := "", error(nil)
	for ; len(tried) > 0; tried = tried[2:] {
		err := scriptError(tried[1])
		if failed == nil || rejectsWrites(failed) && !rejectsWrites(err) {
			command, failed = tried[0], err
		}
	}
	_, text := explain(failed)
	switch {
	case failed.Error() == "":
		text = fmt.Sprintf("%s accepts an argument that Redis rejects: %s", command, textNeeds)
	case rejectsWrites(failed):
		text = "writes are refused: " + text
	default:
		text = fmt.Sprintf("scripts cannot run %s: %s", command, text)
	}
	return &storecall.Error{
		Sentinel: installation.ErrUnavailable, Text: text, Causes: []error{failed},
	}
}

// scriptError is the text of an error that a script has met and returned.
type scriptError string

// Error implements error.
func (e scriptError) Error() string { return string(e) }

// RedisError marks the error as one of the server.
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
		{ruleMemory, memory}, {rulePersistence, persistence}, {ruleRole, role},
		{ruleReplicas, s.replicas},
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

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
