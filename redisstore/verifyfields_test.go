package redisstore_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestVerifyFixedKeys damages the fixed keys of a bucket.
func TestVerifyFixedKeys(t *testing.T) {
	expiring := func(key string) verifyCase {
		return verifyCase{
			send("expire", key, 3600),
			[]redisstore.Problem{in(redisstore.ProblemExpiringKey, key)},
		}
	}
	missing := func(key string) redisstore.Problem { return in(redisstore.ProblemMissingKey, key) }
	damaged := func(key string) redisstore.Problem { return in(redisstore.ProblemDamagedKey, key) }
	runVerifyCases(t, map[string]verifyCase{
		"index expires": expiring(verifyIndex),
		"events expire": expiring(verifyEvents),
		"fields expire": expiring(verifyFields),
		"no stream":     {send("del", verifyEvents), []redisstore.Problem{missing(verifyEvents)}},
		"no empty field": {
			send("hdel", verifyFields, ""), []redisstore.Problem{missing(verifyFields)},
		},
		"no stream but a string": {
			send("set", verifyEvents, "x"), []redisstore.Problem{damaged(verifyEvents)},
		},
		"no hash but a string": {
			send("set", verifyFields, "x"), []redisstore.Problem{damaged(verifyFields)},
		},
	})
}

// TestVerifyRestoresFields loses the hash of a bucket whose log was trimmed. A report lists what is
// wrong. A repair restores what the log proves, so readers miss nothing, and go on.
func TestVerifyRestoresFields(t *testing.T) {
	s, client := startVerify(t)
	early := installation.Key{Tenant: "early", ID: "a"}
	must(t, s, create(early, "trimmed"), keyed(id("a"), 1))
	for i := range 1100 { // more than a batch of fields and of events
		must(t, s, create(installation.Key{Tenant: fmt.Sprint("t", i), ID: "a"}, ""))
	}
	a := must(t, s, update(get(t, s, id("a")), "seen"))
	own := installation.EventQuery{Tenant: "tenant"}
	own.After = read(t, s, own, "", "seen").Next
	must(t, s, update(a, "new"))
	client.XTrimMaxLen(t.Context(), verifyEvents, 1102) // all but the first two
	before := client.HGetAll(t.Context(), verifyFields).Val()
	trimmedID := before["tearly"]
	firstKept := client.XRangeN(t.Context(), verifyEvents, "-", "+", 1).Val()[0]
	delete(before, outcomeField(1))
	delete(before, "tearly")
	before["first"], _ = firstKept.Values["b"].(string)
	drop(t, client, verifyFields)

	lost := found{redisstore.ProblemMissingKey: 1, redisstore.ProblemStaleMember: 1}
	reported := maps.Clone(lost)
	reported[redisstore.ProblemWrongTail] = 1101 + 2
	verified(t, s, nil, reported)
	verified(t, s, repair, lost)
	checkIndex(t, s)
	after := client.HGetAll(t.Context(), verifyFields).Val()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the fields before and after, trimmed is %s:\n%s", trimmedID, diff)
	}
	own.After = read(t, s, own, "new").Next
	must(t, s, update(get(t, s, id("a")), "newer"))
	read(t, s, own, "newer")
	checkIndex(t, s)
}

// TestVerifyRestoresEmptyHash loses the hash of a bucket without events.
func TestVerifyRestoresEmptyHash(t *testing.T) {
	s, client := startVerify(t)
	drop(t, client, verifyFields)
	lost := found{redisstore.ProblemMissingKey: 1}
	verified(t, s, nil, lost)
	verified(t, s, repair, lost)
	checkIndex(t, s)
	must(t, s, create(id("a"), ""))
	checkIndex(t, s)
}

// TestVerifyLostMeta loses the meta of a bucket: Verify names the bucket and repairs nothing there.
func TestVerifyLostMeta(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify", Buckets: 2})
	must(t, s, create(id("a"), ""))
	drop(t, client, "{verify:01}:x")
	_, err := s.Verify(t.Context(), repair)
	wantUnavailable(t, "verify", err)
	if !strings.Contains(err.Error(), "bucket 1") {
		t.Errorf("error %v, want one that names bucket 1", err)
	}
}

// outcomeField returns the field of an outcome of the tenant, with a digest that starts so.
func outcomeField(digest byte) string {
	return "o6:tenant" + string(digest) + strings.Repeat("\x00", 31)
}

// outcomeName names such an outcome in a report.
func outcomeName(digest byte) string {
	return "outcome " + hex.EncodeToString([]byte{digest}) + strings.Repeat("00", 31)
}

// TestVerifyOutcomes damages outcomes and the index members of their ends.
func TestVerifyOutcomes(t *testing.T) {
	end := func(t *testing.T, c *redis.Client) string { // of the first outcome
		for _, m := range c.ZRange(t.Context(), verifyIndex, 0, -1).Val() {
			if m[0] == 'o' && strings.HasSuffix(m, outcomeField(1)) {
				return m
			}
		}
		t.Fatal("the outcome has no end")
		return ""
	}
	one := func(kind redisstore.ProblemKind) []redisstore.Problem {
		return []redisstore.Problem{about(kind, "", outcomeName(1))}
	}
	runVerifyCases(t, map[string]verifyCase{
		"no end": {
			func(t *testing.T, c *redis.Client) { send("zrem", verifyIndex, end(t, c))(t, c) },
			one(redisstore.ProblemMissingMember),
		},
		"misplaced end": {
			func(t *testing.T, c *redis.Client) { send("zadd", verifyIndex, 1, end(t, c))(t, c) },
			one(redisstore.ProblemMisplacedMember),
		},
		"two ends": {
			send("zadd", verifyIndex, 0, "o00000000000000000001"+outcomeField(1)),
			one(redisstore.ProblemStaleMember),
		},
		"no outcome": {
			send("hdel", verifyFields, outcomeField(1)), one(redisstore.ProblemStaleMember),
		},
		"too short": {
			send("hset", verifyFields, outcomeField(1), "1"), one(redisstore.ProblemDamagedOutcome),
		},
		"not digits": {
			send("hset", verifyFields, outcomeField(1), strings.Repeat("x", 30)),
			one(redisstore.ProblemDamagedOutcome),
		},
		"unknown fields": {
			send("hset", verifyFields, "x", "1", "o7:tenant", "1"), []redisstore.Problem{
				in(redisstore.ProblemUnknown, "field x"),
				in(redisstore.ProblemUnknown, "field o7:tenant"),
			},
		},
	})
}

// TestVerifyOddOutcome uses a tenant whose outcome looks like other data.
func TestVerifyOddOutcome(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), nil)
	for _, odd := range []string{"a}:r:b", "1:a", ":", ""} {
		must(t, s, keyed(installation.Key{Tenant: odd, ID: "a"}, 'o'))
	}
	checkIndex(t, s)
}

// TestVerifyWrongBucket puts data of a tenant into the bucket of another one.
func TestVerifyWrongBucket(t *testing.T) {
	zero, one := twoTenants()
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify", Buckets: 2})
	must(t, s, keyed(zero, 1), keyed(one, 2))
	record := func(bucket int) string {
		return fmt.Sprintf("{verify:%02d}:r:%d:%s:a", bucket, len(zero.Tenant), zero.Tenant)
	}
	send("copy", record(0), record(1))(t, client)
	send("zadd", "{verify:01}:x", 0, "c"+zero.Tenant+"\x00live=a\x00a")(t, client)
	digest := "\x01" + strings.Repeat("\x00", 31)
	outcome := fmt.Sprintf("o%d:%s%s", len(zero.Tenant), zero.Tenant, digest)
	value := client.HGet(t.Context(), verifyFields, outcome).Val()
	send("hset", "{verify:01}:h", outcome, value)(t, client)
	send("zadd", "{verify:01}:x", 0, "o"+value[:20]+outcome)(t, client)
	e := client.XRange(t.Context(), verifyEvents, "-", "+").Val()[0].Values["e"]
	event := client.XAdd(t.Context(), &redis.XAddArgs{
		Stream: "{verify:01}:e", Values: []any{"t", zero.Tenant, "p", "", "e", e},
	}).Val()
	send("hset", "{verify:01}:h", "t"+zero.Tenant, event, "last", event)(t, client)

	wrong := func(id, name string) redisstore.Problem {
		return redisstore.Problem{
			Kind: redisstore.ProblemWrongBucket, Bucket: 1, Name: name,
			Key: installation.Key{Tenant: zero.Tenant, ID: id},
		}
	}
	stale := wrong("a", "claims")
	stale.Kind = redisstore.ProblemStaleMember
	checkProblems(t, s, client, []redisstore.Problem{
		stale, wrong("a", record(1)), wrong("", outcomeName(1)), wrong("", "last event"),
		wrong("a", "1-"+event),
	})
	if r := get(t, s, zero); r.Created.After(time.Now()) || r.Revision != 1 {
		t.Errorf("the record is %+v", r)
	}
}
