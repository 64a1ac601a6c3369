package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Someone who can write to the server damages what is stored. Then no answer may say that
// something is absent or was changed by another. Undamaged records stay available, and nothing
// follows from what cannot be read.

const record = "{damaged:00}:r:6:tenant:a"

// Places in the string of a record that has one op entry.
const (
	atRevision   = 1
	atGeneration = 9
	atCount      = 17
	atEntry      = 18
	atMark       = 42
	atRest       = 43
	atNames      = 63
)

// replaced returns an edit that puts text at a place of a string.
func replaced(at int, text string) func(string) string {
	return func(s string) string { return s[:at] + text + s[at+len(text):] }
}

// cut returns an edit that cuts a string short.
func cut(at int) func(string) string { return func(s string) string { return s[:at] } }

// renamed returns an edit that replaces a name, with the bytes before it, by as many others.
func renamed(name, by string) func(string) string {
	return func(s string) string { return strings.Replace(s, name, by, 1) }
}

// always returns an edit that replaces the string.
func always(s string) func(string) string { return func(string) string { return s } }

// damages are edits that damage the string of a record. Its claim comes first, then its terms.
var damages = map[string]func(string) string{
	"a word":                        always("x"),
	"the kind alone":                cut(atRevision),
	"cut short in the revision":     cut(atGeneration - 1),
	"cut short before the op entry": cut(atEntry),
	"cut short in the op entry":     cut(atMark),
	"cut short before the times":    cut(atRest),
	"cut short before the names":    cut(atNames - 1),
	"cut short in the names":        cut(atNames + 5),
	"unknown kind":                  replaced(0, "x"),
	"kind of a tombstone":           replaced(0, "t"),
	"revision 0":                    replaced(atRevision, strings.Repeat("\x00", 8)),
	"negative revision":             replaced(atRevision, "\xff"),
	"negative generation":           replaced(atGeneration, "\xff"),
	"no op entries":                 replaced(atCount, "\x00"),
	"one op entry too few":          replaced(atCount, "\x02"),
	"nine op entries": func(s string) string {
		return s[:atCount] + "\x09" + strings.Repeat(s[atEntry:atRest], 9) + s[atRest:]
	},
	"op entry of an unknown kind":        replaced(atMark, "x"),
	"no names, but their bytes":          replaced(atRest+16, "\x00\x00\x00\x01"),
	"more names than bytes":              replaced(atRest+16, "\x7f\xff\xff\xff"),
	"a name that is not whole":           replaced(atNames-1, "\x0f"),
	"a name that ends too late":          replaced(atNames, "\x01\x00"),
	"a name without a scope":             replaced(atNames, "\x00\x00"),
	"a name of an unknown scope":         renamed("tall", "zall"),
	"a term in the scope of global ones": renamed("tall", "gall"),
	"a global term in another scope":     renamed("g@all", "t@all"),
}

// buriedDamages are edits that damage the string of a tombstone.
var buriedDamages = map[string]func(string) string{
	"cut short":              func(s string) string { return s[:len(s)-1] },
	"with a body":            func(s string) string { return s + "x" },
	"with a name":            func(s string) string { return s[:len(s)-1] + "\x04\x00\x02tx" },
	"with a time of its own": func(s string) string { return s[:len(s)-20] + "x" + s[len(s)-19:] },
}

// TestDamagedRecord damages a record in every way that its parts allow.
func TestDamagedRecord(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	edited := func(edit func(string) string) func() error {
		return func() error {
			value, err := client.Get(t.Context(), record).Result()
			if err != nil || edit(value) == value {
				return fmt.Errorf("no edit of %q: %w", value, err)
			}
			return client.Set(t.Context(), record, edit(value), redis.KeepTTL).Err()
		}
	}
	for name, edit := range damages {
		t.Run(name, func(t *testing.T) { testDamaged(t, client, false, edited(edit)) })
	}
	for name, edit := range buriedDamages {
		t.Run("tombstone "+name, func(t *testing.T) {
			testDamaged(t, client, true, edited(edit))
		})
	}
	t.Run("a hash", func(t *testing.T) {
		testDamaged(t, client, false, func() error {
			client.Del(t.Context(), record)
			return client.HSet(t.Context(), record, "r", "1").Err()
		})
	})
}

// testDamaged damages one of two records, or the tombstone in its place.
func testDamaged(t *testing.T, client *redis.Client, buried bool, damage func() error) {
	ctx := t.Context()
	client.FlushAll(ctx)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	stored := must(t, s, create(id("a"), "body"))
	if buried {
		stored = must(t, s, bury(stored, time.Now().Add(time.Hour)))
	}
	must(t, s, create(id("b"), ""))
	index := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val()
	if err := damage(); err != nil {
		t.Fatal(err)
	}

	_, err := s.Get(ctx, id("a"))
	wantUnavailable(t, "get", err)
	page, err := s.List(ctx, listAll)
	if err != nil || !slices.Contains(keysIn(page), id("b")) {
		t.Errorf("list: %v, error %v, want what is whole in it", keysIn(page), err)
	}
	for _, r := range page.Records {
		if r.Key == id("a") && (r.Revision != 0 || len(r.Body.Bytes()) != 0) {
			t.Errorf("list: %+v, want the key alone of what cannot be read", r)
		}
	}
	want := found{redisstore.ProblemDamagedRecord: 1}
	for _, o := range []*redisstore.VerifyOptions{nil, repair, nil} {
		verified(t, s, o, want)
	}
	now := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val()
	if !slices.Equal(now, index) {
		t.Errorf("the index was %v and is %v, want no change", index, now)
	}
	checkCommitsToDamaged(t, s, client, stored)
}

// checkCommitsToDamaged checks that no commit writes anything if it meets a damaged record.
func checkCommitsToDamaged(
	t *testing.T, s installation.Store, client *redis.Client, stored *installation.Record,
) {
	t.Helper()
	before := contents(t, client)
	again := create(id("a"), "")
	again.Record.Claims = nil
	moved := update(stored, "")
	moved.Record.Index = []string{"all", "other"}
	touched := update(stored, "")
	touched.Record = nil
	for what, c := range map[string]installation.Change{
		"create": again, "update": moved, "same names": update(stored, ""), "touch": touched,
		"delete": bury(stored, time.Now().Add(time.Hour)),
	} {
		_, err := s.Commit(t.Context(), c)
		wantError(t, what, err, installation.ErrUnavailable, installation.ErrUnknownOutcome)
		noClaim(t, what, err)
		if !maps.Equal(contents(t, client), before) {
			t.Errorf("%s has written", what)
		}
	}
}

// TestDamagedBytes edits each byte of a record and of a tombstone. Get and the script of Commit
// agree on what is damaged: a commit succeeds if the record can be read, and else writes nothing.
func TestDamagedBytes(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	live := must(t, s, create(id("a"), "body"))
	values := []string{client.Get(t.Context(), record).Val()}
	must(t, s, bury(live, time.Time{}))
	values = append(values, client.Get(t.Context(), record).Val())
	damaged := 0
	for _, value := range values {
		for at := range len(value) {
			for _, b := range []byte{0, 1, 'c', 'g', 'n', 'r', 't', '@', 0x7f, value[at] ^ 0x80} {
				edited := value[:at] + string([]byte{b}) + value[at+1:]
				client.Set(t.Context(), record, edited, 0)
				r, readError := s.Get(t.Context(), id("a"))
				if readError != nil {
					r = live
					damaged++
				}
				touch := update(r, "")
				touch.Record, touch.Events = nil, nil
				_, err := s.Commit(t.Context(), touch)
				written := client.Get(t.Context(), record).Val() != edited
				if (err == nil) != (readError == nil) || written != (err == nil) {
					t.Errorf("%q: get: error %v, commit: error %v, has written %t",
						edited, readError, err, written)
				}
			}
		}
	}
	if damaged < 100 {
		t.Errorf("%d edits did damage, want more", damaged)
	}
}

// TestDamagedMember adds members that cannot be read to a list: the others are listed, whatever
// the page size.
func TestDamagedMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	var log bytes.Buffer
	s := open(t, client, &redisstore.Options{
		Namespace: "damaged", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	const prefix = "ttenant\x00all\x00"
	for _, member := range []string{prefix, prefix + "\x01short", prefix + "\xff"} {
		client.ZAdd(t.Context(), "{damaged:00}:x", redis.Z{Member: member})
	}
	for _, limit := range []int{1, 2, 10} {
		for _, reverse := range []bool{false, true} {
			q := listAll
			q.Limit, q.Reverse = limit, reverse
			got := pagesOf(t, s, q)
			if reverse {
				slices.Reverse(got)
			}
			if !slices.Equal(got, []installation.Key{id("a"), id("b")}) {
				t.Errorf("pages of %d, reverse %t: %v, want both records", limit, reverse, got)
			}
		}
	}
	text := log.String()
	if !strings.Contains(text, "run Verify") || strings.Contains(text, "tenant") {
		t.Errorf("the log says %q, want a word about it and no member", &log)
	}
	want := found{redisstore.ProblemUnreadableMember: 3}
	verified(t, s, repair, want)
	checkIndex(t, s)
}

// TestScoredMember gives a member a score, which puts it in a wrong place. Then a range of the
// server contains other members. No list may contain a wrong record, least of all one of
// another tenant. The namespace can still be opened and repaired.
func TestScoredMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	o := &redisstore.Options{Namespace: "damaged"}
	s := open(t, client, o)
	other, kept := installation.Key{Tenant: "other", ID: "x"}, create(id("b"), "")
	kept.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	must(t, s, create(id("a"), ""), kept, create(other, ""))
	const index = "{damaged:00}:x"
	for _, score := range []float64{-1, 1} {
		for _, member := range client.ZRange(t.Context(), index, 0, -1).Val() {
			client.ZAdd(t.Context(), index, redis.Z{Score: score, Member: member})
			t.Run(fmt.Sprintf("%q at %v", member, score), func(t *testing.T) { checkLists(t, s) })
			_, err := s.Commit(t.Context(), create(id("new"), ""))
			noClaim(t, "a create whose claim nobody has", err)
			if err == nil {
				must(t, s, bury(get(t, s, id("new")), time.Time{}))
				drop(t, client, "{damaged:00}:r:6:tenant:new")
			}
			if _, err := open(t, client, o).Verify(t.Context(), repair); err != nil {
				t.Error(err)
			}
			if redisstore.MemberID(member) == "" { // Verify leaves those without a record
				client.ZAdd(t.Context(), index, redis.Z{Member: member})
			}
			checkIndex(t, s)
		}
	}
}

// checkLists checks that lists of a tenant end and contain each of its records once at most.
func checkLists(t *testing.T, s installation.Store) {
	for _, q := range []installation.Query{
		{Limit: 1, Tenant: "tenant", Term: "all"}, {Limit: 10, Tenant: "tenant", Term: "all"},
		{Limit: 1, Tenant: "tenant", Term: "all", Reverse: true},
		{Limit: 10, Tenant: "tenant", Term: "all", Reverse: true},
		{Limit: 1, Tenant: "tenant", DueBefore: time.Now()},
		{Limit: 10, Tenant: "tenant", DueBefore: time.Now()},
	} {
		for n := 0; ; n++ {
			page, err := s.List(t.Context(), q)
			if err != nil {
				wantError(t, "list", err, installation.ErrUnavailable)
			}
			for i, k := range keysIn(page) {
				again := slices.Contains(keysIn(page)[:i], k)
				if again || k.Tenant != "tenant" || q.Term == "" {
					t.Errorf("query %+v: %v", q, keysIn(page))
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			if n == 9 {
				t.Fatal("the list has no end")
			}
		}
	}
}

// TestFlushedMeanwhile flushes the server between the two round trips of a list: an empty page
// would be wrong.
func TestFlushedMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	s := open(t, client, nil)
	must(t, s, create(id("a"), ""))
	client.AddHook(beforePipeline(func() { server.Client(t).FlushAll(t.Context()) }))
	page, err := s.List(t.Context(), listAll)
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}

// beforePipeline is a hook that calls a function before each pipeline.
type beforePipeline func()

func (beforePipeline) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (beforePipeline) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (f beforePipeline) ProcessPipelineHook(
	next redis.ProcessPipelineHook,
) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		f()
		return next(ctx, commands)
	}
}

// TestForeignEvent puts an event of another tenant into the log of a tenant.
func TestForeignEvent(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	must(t, s, create(installation.Key{Tenant: "other", ID: "a"}, "of another"))
	entry := client.XRange(t.Context(), "{damaged:00}:e", "-", "+").Val()[0]
	planted := client.XAdd(t.Context(), &redis.XAddArgs{
		Stream: "{damaged:00}:e",
		Values: []any{"t", "tenant", "p", "", "e", entry.Values["e"]},
	}).Val()
	client.HSet(t.Context(), "{damaged:00}:h", "ttenant", planted)
	page, err := s.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 10})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}
