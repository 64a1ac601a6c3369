package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// repair are the options of a Verify that repairs.
var repair = &redisstore.VerifyOptions{Repair: true}

// Keys of the only bucket of the namespace "verify".
const (
	verifyIndex  = "{verify:00}:x"
	verifyEvents = "{verify:00}:e"
	verifyFields = "{verify:00}:h"
)

// startVerify returns a store with the namespace "verify", and a client of its server.
func startVerify(t *testing.T) (*redisstore.Store, *redis.Client) {
	client := redistest.Start(t).Client(t)
	return open(t, client, &redisstore.Options{Namespace: "verify"}), client
}

// keyed returns the change that makes a record and keeps an outcome.
func keyed(key installation.Key, digest byte) installation.Change {
	c := create(key, "")
	c.Idempotency = &installation.Outcome{
		Digest: installation.Digest{digest}, Until: time.Now().Add(time.Hour),
	}
	return c
}

// verifyCase damages a namespace with one bucket, the records a and b and an outcome of each.
type verifyCase struct {
	damage func(t *testing.T, c *redis.Client)
	want   []redisstore.Problem // without Repaired
}

// send returns a damage that is one command.
func send(words ...any) func(*testing.T, *redis.Client) {
	return func(t *testing.T, c *redis.Client) {
		t.Helper()
		if err := c.Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// replace returns a damage that removes a key before a command.
func replace(key string, words ...any) func(*testing.T, *redis.Client) {
	return func(t *testing.T, c *redis.Client) {
		t.Helper()
		drop(t, c, key)
		send(words...)(t, c)
	}
}

// repaired are the kinds of problems that Repair corrects.
var repaired = map[redisstore.ProblemKind]bool{
	redisstore.ProblemMissingMember: true, redisstore.ProblemStaleMember: true,
	redisstore.ProblemMisplacedMember: true, redisstore.ProblemUnreadableMember: true,
	redisstore.ProblemMissingKey: true, redisstore.ProblemExpiringKey: true,
}

// runVerifyCases checks that each case is found and named, and repaired or left alone.
func runVerifyCases(t *testing.T, cases map[string]verifyCase) {
	server := redistest.Start(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client := server.Client(t)
			client.FlushAll(t.Context())
			s := open(t, client, &redisstore.Options{Namespace: "verify"})
			must(t, s, keyed(id("a"), 1), keyed(id("b"), 2))
			checkIndex(t, s)
			tc.damage(t, client)

			checkProblems(t, s, client, tc.want)
		})
	}
}

// checkProblems checks that Verify finds and names problems, and that it repairs them or leaves
// them alone.
func checkProblems(
	t *testing.T, s *redisstore.Store, client *redis.Client, want []redisstore.Problem,
) {
	t.Helper()
	before := dump(t, client)
	wantProblems(t, s, nil, want)
	if diff := cmp.Diff(before, dump(t, client)); diff != "" {
		t.Errorf("a report has changed something:\n%s", diff)
	}
	var marked, left []redisstore.Problem
	for _, p := range want {
		if p.Repaired = repaired[p.Kind]; !p.Repaired {
			left = append(left, p)
		}
		marked = append(marked, p)
	}
	wantProblems(t, s, repair, marked)
	wantProblems(t, s, nil, left)
	if len(left) < len(marked) {
		return
	}
	if diff := cmp.Diff(before, dump(t, client)); diff != "" {
		t.Errorf("a repair without anything to repair has changed something:\n%s", diff)
	}
}

// dump returns all keys with their values and whether they expire.
func dump(t *testing.T, c *redis.Client) map[string]string {
	all := make(map[string]string)
	for _, k := range keysOf(t, c, "*") {
		left := c.PTTL(t.Context(), k).Val()
		all[k] = fmt.Sprintf("%q expires %t", c.Dump(t.Context(), k).Val(), left >= 0)
	}
	return all
}

// wantProblems checks the problems that a Verify reports, and that it has checked everything.
func wantProblems(
	t *testing.T, s *redisstore.Store, o *redisstore.VerifyOptions, want []redisstore.Problem,
) {
	t.Helper()
	report, err := s.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[redisstore.Problem]int)
	for _, p := range report.Problems {
		got[p]++
	}
	wanted, kinds := make(map[redisstore.Problem]int), found{}
	for _, p := range want {
		wanted[p]++
		kinds[p.Kind]++
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("verify %+v: problems (-want +got):\n%s", o, diff)
	}
	if !maps.Equal(kinds, report.Found) {
		t.Errorf("verify %+v: got numbers %v, want %v", o, report.Found, kinds)
	}
}

// about returns a problem with the record of an ID, "" for none but the tenant.
func about(kind redisstore.ProblemKind, id, name string) redisstore.Problem {
	return redisstore.Problem{
		Kind: kind, Key: installation.Key{Tenant: "tenant", ID: id}, Name: name,
	}
}

// in returns a problem that is about no record.
func in(kind redisstore.ProblemKind, name string) redisstore.Problem {
	return redisstore.Problem{Kind: kind, Name: name}
}

// TestVerifyCounts counts what a clean namespace contains.
func TestVerifyCounts(t *testing.T) {
	s, _ := startVerify(t)
	must(t, s, keyed(id("a"), 1), keyed(id("b"), 2))
	must(t, s, bury(must(t, s, create(id("c"), "")), time.Now().Add(time.Hour)))
	want := redisstore.VerifyReport{
		Records: 3, Members: 2*3 + 2 + 1, Outcomes: 2, Events: 4,
	}
	got, err := s.Verify(t.Context(), nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || !got.Clean() {
		t.Errorf("report (-want +got):\n%s\nerror %v", diff, err)
	}
}

// TestVerifyMembers damages the index members of records.
func TestVerifyMembers(t *testing.T) {
	claim := func(s string) string { return "ctenant\x00" + s }
	runVerifyCases(t, map[string]verifyCase{
		"missing claim": {
			send("zrem", verifyIndex, claim("live=a\x00a")),
			[]redisstore.Problem{about(redisstore.ProblemMissingMember, "a", "claims")},
		},
		"missing terms": {
			func(t *testing.T, c *redis.Client) {
				for _, m := range c.ZRange(t.Context(), verifyIndex, 0, -1).Val() {
					if redisstore.MemberID(m) == "a" && m[0] != 'c' {
						c.ZRem(t.Context(), verifyIndex, m)
					}
				}
			},
			[]redisstore.Problem{
				about(redisstore.ProblemMissingMember, "a", "term all"),
				about(redisstore.ProblemMissingMember, "a", "term @all"),
			},
		},
		"stale term of a record": {
			send("zadd", verifyIndex, 0, "ttenant\x00false\x0012345678a"),
			[]redisstore.Problem{about(redisstore.ProblemStaleMember, "a", "term false")},
		},
		"stale claim and deadline of nobody": {
			send("zadd", verifyIndex, 0, claim("live=x\x00x"), 0, "dtenant\x0012345678x"),
			[]redisstore.Problem{
				about(redisstore.ProblemStaleMember, "x", "claims"),
				about(redisstore.ProblemStaleMember, "x", "deadlines"),
			},
		},
		"misplaced": {
			send("zadd", verifyIndex, 5, claim("live=a\x00a")),
			[]redisstore.Problem{about(redisstore.ProblemMisplacedMember, "a", "claims")},
		},
		"misplaced meta": {
			func(t *testing.T, c *redis.Client) {
				for _, m := range c.ZRange(t.Context(), verifyIndex, 0, -1).Val() {
					if m[0] == 'm' {
						send("zadd", verifyIndex, 5, m)(t, c)
					}
				}
			},
			[]redisstore.Problem{in(redisstore.ProblemMisplacedMember, "meta")},
		},
		"unreadable": {
			send("zadd", verifyIndex, 0, "zzz", 0, "t", 0, "", 0, "o1", 0,
				"o00000000000000000001first"),
			slices.Repeat([]redisstore.Problem{in(redisstore.ProblemUnreadableMember, "index")}, 5),
		},
		"several metas": {
			send("zadd", verifyIndex, 0, "minstallation-2 1 00 0 00"),
			[]redisstore.Problem{in(redisstore.ProblemForeignMeta, "meta")},
		},
	})
}

// TestVerifyRecords damages the keys of records, and adds keys that are none.
func TestVerifyRecords(t *testing.T) {
	const a, long = "{verify:00}:r:6:tenant:a", 600_000
	damaged := about(redisstore.ProblemDamagedRecord, "a", "record")
	unknown := []string{
		"{verify:00}:m", "{verify:00}:aa", "{verify:00}:r:x", "{verify:00}:r:1:tenant:a",
		"{verify:00}",
	}
	outside := []string{"{verify:01}:x", "{verify:0}:x", "{verify:"}
	var strangers []redisstore.Problem
	for _, key := range append(unknown, outside...) {
		p := in(redisstore.ProblemUnknown, key)
		if slices.Contains(outside, key) {
			p.Bucket = -1
		}
		strangers = append(strangers, p)
	}
	runVerifyCases(t, map[string]verifyCase{
		"damaged":      {send("setrange", a, 0, "x"), []redisstore.Problem{damaged}},
		"another type": {replace(a, "hset", a, "r", 1), []redisstore.Problem{damaged}},
		"empty for good": { // it reads as no record, so its members are stale
			send("set", a, ""), []redisstore.Problem{
				damaged,
				about(redisstore.ProblemStaleMember, "a", "claims"),
				about(redisstore.ProblemStaleMember, "a", "term all"),
				about(redisstore.ProblemStaleMember, "a", "term @all"),
			},
		},
		"expires": {
			send("pexpire", a, long),
			[]redisstore.Problem{about(redisstore.ProblemExpiringKey, "a", "record")},
		},
		"placeholder": {send("set", a+"new", "", "px", long), nil},
		"reserved for a log of accesses": {
			send("xadd", "{verify:00}:a", "*", "e", "x"), nil,
		},
		"keys of others": {
			send("mset", "verify", "x", "{verify", "x", "{verify2:00}:z", "x"), nil,
		},
		"unknown keys": {
			func(t *testing.T, c *redis.Client) {
				for _, p := range strangers {
					send("set", p.Name, "x")(t, c)
				}
			}, strangers,
		},
	})
}

// TestVerifyTombstones finds nothing wrong with tombstones, whether they expire or not.
func TestVerifyTombstones(t *testing.T) {
	s, _ := startVerify(t)
	for i, end := range []time.Time{{}, time.Now().Add(time.Hour)} {
		must(t, s, bury(must(t, s, create(id("%d", i), "")), end))
	}
	checkIndex(t, s)
}

// TestVerifyHolders has two records claim the same. Verify cannot decide which one is right.
func TestVerifyHolders(t *testing.T) {
	const claim = "ctenant\x00live=a\x00a"
	conflict := func(id string) redisstore.Problem {
		return about(redisstore.ProblemClaimConflict, id, "claims")
	}
	for name, tc := range map[string]struct {
		both bool
		want []redisstore.Problem
	}{
		"the index has one":  {false, []redisstore.Problem{conflict("a")}},
		"the index has both": {true, []redisstore.Problem{conflict("a"), conflict("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := startVerify(t)
			must(t, s, create(id("a"), ""))
			send("zrem", verifyIndex, claim)(t, client)
			c := create(id("b"), "")
			c.Record.Claims = []string{"live=a"}
			must(t, s, c)
			if tc.both {
				send("zadd", verifyIndex, 0, claim)(t, client)
			}
			before := dump(t, client)
			for _, o := range []*redisstore.VerifyOptions{nil, repair, nil} {
				wantProblems(t, s, o, tc.want)
			}
			if diff := cmp.Diff(before, dump(t, client)); diff != "" {
				t.Errorf("Verify has changed something:\n%s", diff)
			}
		})
	}
}

// TestVerifyGhost assigns a claim of a record to one that does not exist: one run repairs it.
func TestVerifyGhost(t *testing.T) {
	s, client := startVerify(t)
	must(t, s, create(id("a"), ""))
	send("zrem", verifyIndex, "ctenant\x00live=a\x00a")(t, client)
	send("zadd", verifyIndex, 0, "ctenant\x00live=a\x00ghost")(t, client)
	verified(t, s, repair, found{
		redisstore.ProblemMissingMember: 1, redisstore.ProblemStaleMember: 1,
	})
	checkIndex(t, s)
}

// TestVerifyDisorder gives members scores against their order, in which the server does not find
// the end of a range.
func TestVerifyDisorder(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		client := redistest.NewClient(t, &redis.Options{
			Addr: redistest.Start(t).Addr, Protocol: protocol,
		})
		s := open(t, client, &redisstore.Options{Namespace: "verify"})
		must(t, s, create(id("a"), ""))
		checkIndex(t, s)
		for i := range 1500 {
			client.ZAdd(t.Context(), verifyIndex, redis.Z{
				Score: float64(-i), Member: fmt.Sprintf("ctenant\x00live=%06d\x00nobody", i),
			})
		}
		report := verified(t, s, repair, found{redisstore.ProblemStaleMember: 1500})
		if n := len(report.Problems); n != redisstore.MaxProblems {
			t.Errorf("%d problems are listed, want %d", n, redisstore.MaxProblems)
		}
		checkIndex(t, s)
	}
}
