package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// repair are the options of a Verify that repairs.
var repair = &redisstore.VerifyOptions{Repair: true}

// TestVerify damages an index in every way and repairs it.
func TestVerify(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	const index = "{verify:00}:x"
	for _, name := range []string{"a", "b", "c"} {
		c := create(id("%s", name), "")
		c.Record.Deadline = time.Now()
		must(t, s, c)
	}
	must(t, s, create(id("gone"), ""))
	checkIndex(t, s)
	var lost []any
	whole := recordMembers(t, client, "verify")
	for _, member := range whole {
		if len(lost) < 3 && redisstore.MemberID(member) != "gone" {
			lost = append(lost, member)
		}
	}

	client.ZRem(t.Context(), index, lost...)
	client.ZAdd(t.Context(), index,
		redis.Z{Member: "ttenant\x00false\x0012345678a"},
		redis.Z{Member: "ctenant\x00live=nobody\x00nobody"})
	drop(t, client, "{verify:00}:r:6:tenant:gone") // with its claim and two terms
	want := redisstore.VerifyReport{
		Records: 3, Members: int64(len(whole)) - 3 + 2, Missing: 3, Stale: 2 + 3,
	}
	q := installation.Query{Tenant: "tenant", Term: "false", Limit: 10}
	page, err := s.List(t.Context(), q)
	if err != nil || len(page.Records) > 0 {
		t.Errorf("list of a term that no record has: %+v, error %v", page, err)
	}
	verified(t, s, nil, want)
	verified(t, s, &redisstore.VerifyOptions{}, want) // looking has changed nothing
	verified(t, s, repair, want)
	checkIndex(t, s)
	due := installation.Query{Tenant: "tenant", DueBefore: time.Now()}
	for _, q := range []installation.Query{listAll, countAll, due} {
		if n, err := s.Count(t.Context(), q); err != nil || n != 3 {
			t.Errorf("count %+v: %d, error %v, want 3", q, n, err)
		}
	}
}

// TestVerifyTaken has two records claim the same: a tool cannot say which one is right.
func TestVerifyTaken(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	must(t, s, create(id("a"), ""))
	client.ZRem(t.Context(), "{verify:00}:x", "ctenant\x00live=a\x00a")
	c := create(id("b"), "")
	c.Record.Claims = []string{"live=a"}
	must(t, s, c)
	want := redisstore.VerifyReport{Records: 2, Members: 5, Taken: 1}
	verified(t, s, repair, want)
	verified(t, s, nil, want)
}

// TestVerifyUnreadable stores keys and members that this package did not write.
func TestVerifyUnreadable(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	must(t, s, create(id("a"), ""))
	client.ZAdd(t.Context(), "{verify:00}:x", redis.Z{Member: "zzz"}, redis.Z{Member: "t"})
	client.Set(t.Context(), "{verify:00}:r:x", "r", 0)
	verified(t, s, nil, redisstore.VerifyReport{Records: 1, Members: 5, Unreadable: 3})
	verified(t, s, repair, redisstore.VerifyReport{Records: 1, Members: 5, Unreadable: 3})
	// Verify removes no keys.
	verified(t, s, nil, redisstore.VerifyReport{Records: 1, Members: 3, Unreadable: 1})
}

// TestVerifyTwoHolders has two records claim the same, both with an index member: the report
// counts both, and Verify changes neither.
func TestVerifyTwoHolders(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	must(t, s, create(id("a"), ""))
	const claim = "ctenant\x00live=a\x00a"
	client.ZRem(t.Context(), "{verify:00}:x", claim)
	c := create(id("b"), "")
	c.Record.Claims = []string{"live=a"}
	must(t, s, c)
	client.ZAdd(t.Context(), "{verify:00}:x", redis.Z{Member: claim})
	for _, o := range []*redisstore.VerifyOptions{nil, repair, nil} {
		verified(t, s, o, redisstore.VerifyReport{Records: 2, Members: 6, Taken: 2})
	}
}

// TestVerifyGhost assigns a claim of a record to one that does not exist: one run repairs it.
func TestVerifyGhost(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	must(t, s, create(id("a"), ""))
	client.ZRem(t.Context(), "{verify:00}:x", "ctenant\x00live=a\x00a")
	client.ZAdd(t.Context(), "{verify:00}:x", redis.Z{Member: "ctenant\x00live=a\x00ghost"})
	want := redisstore.VerifyReport{Records: 1, Members: 3, Missing: 1, Stale: 1}
	verified(t, s, repair, want)
	checkIndex(t, s)
}

// TestVerifyScore gives a member a score, which hides it from lists.
func TestVerifyScore(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		client := redistest.NewClient(t, &redis.Options{
			Addr: redistest.Start(t).Addr, Protocol: protocol,
		})
		s := open(t, client, &redisstore.Options{Namespace: "verify"})
		must(t, s, create(id("a"), ""))
		checkIndex(t, s)
		claim := redis.Z{Score: 5, Member: "ctenant\x00live=a\x00a"}
		client.ZAdd(t.Context(), "{verify:00}:x", claim)
		verified(t, s, repair, redisstore.VerifyReport{Records: 1, Members: 3, Missing: 1})
		checkIndex(t, s)
		for i := range 1500 { // with scores against their order, in which no end is found
			client.ZAdd(t.Context(), "{verify:00}:x", redis.Z{
				Score: float64(-i), Member: fmt.Sprintf("ctenant\x00live=%06d\x00nobody", i),
			})
		}
		report, err := s.Verify(t.Context(), repair)
		if err != nil || report.Stale < 1500 {
			t.Errorf("verify: %+v, error %v, want 1500 stale members", report, err)
		}
		checkIndex(t, s)
	}
}

// TestVerifyOutcome uses a tenant whose name looks like a part of a record's key.
func TestVerifyOutcome(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), nil)
	c := create(installation.Key{Tenant: "a}:r:b", ID: "a"}, "")
	c.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	must(t, s, c)
	checkIndex(t, s)
}

// verified checks the report of a Verify.
func verified(
	tb testing.TB, s *redisstore.Store, o *redisstore.VerifyOptions, want redisstore.VerifyReport,
) {
	tb.Helper()
	if got, err := s.Verify(tb.Context(), o); err != nil || got != want {
		tb.Errorf("verify %+v: got %+v, error %v, want %+v", o, got, err, want)
	}
}
