package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// plant adds an event of the tenant to the log, and says so in the fields.
func plant(t *testing.T, c *redis.Client, values ...any) (id string) {
	t.Helper()
	id, err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: verifyEvents, Values: values}).Result()
	if err != nil {
		t.Fatal(err)
	}
	send("hset", verifyFields, "last", id, "ttenant", id)(t, c)
	return id
}

// logCase damages the log of a tenant with one event of the record a and two of b, or the fields
// that say what it contains.
type logCase struct {
	damage func(t *testing.T, c *redis.Client, log []redis.XMessage)
	want   []redisstore.Problem // the names "third" and "fourth" stand for those of these events
}

func runLogCases(t *testing.T, cases map[string]logCase) {
	server := redistest.Start(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client := server.Client(t)
			client.FlushAll(t.Context())
			s := open(t, client, &redisstore.Options{Namespace: "verify"})
			b := must(t, s, create(id("a"), ""), create(id("b"), ""))
			must(t, s, update(b, ""))
			log := client.XRange(t.Context(), verifyEvents, "-", "+").Val()
			tc.damage(t, client, log)
			names := map[string]string{"third": "0-" + log[2].ID}
			planted := client.XRange(t.Context(), verifyEvents, "("+log[2].ID, "+").Val()
			if len(planted) > 0 {
				names["fourth"] = "0-" + planted[0].ID
			}
			for i, p := range tc.want {
				if name, ok := names[p.Name]; ok {
					tc.want[i].Name = name
				}
			}
			checkProblems(t, s, client, tc.want)
		})
	}
}

// Problems with the fields that name events.
var (
	wrongTail  = about(redisstore.ProblemWrongTail, "", "last event")
	wrongLast  = in(redisstore.ProblemWrongTail, "last event")
	wrongFirst = in(redisstore.ProblemWrongTail, "first event")
)

// TestVerifyEvents damages the log.
func TestVerifyEvents(t *testing.T) {
	runLogCases(t, map[string]logCase{
		"the middle is missing": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				send("xdel", verifyEvents, log[1].ID)(t, c)
			}, []redisstore.Problem{about(redisstore.ProblemBrokenChain, "b", "third")},
		},
		"the end is missing": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				send("xdel", verifyEvents, log[2].ID)(t, c)
			}, []redisstore.Problem{wrongTail, wrongLast},
		},
		"an event skips one": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				plant(t, c, "t", "tenant", "p", log[1].ID, "e", log[0].Values["e"])
			}, []redisstore.Problem{about(redisstore.ProblemBrokenChain, "a", "fourth")},
		},
		"an event forgets those before": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				plant(t, c, "t", "tenant", "p", "", "e", log[0].Values["e"])
			}, []redisstore.Problem{about(redisstore.ProblemBrokenChain, "a", "fourth")},
		},
		"an event names a later one": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				plant(t, c, "t", "tenant", "p", later, "e", log[0].Values["e"])
			}, []redisstore.Problem{about(redisstore.ProblemBrokenChain, "a", "fourth")},
		},
		"an event cannot be read": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				plant(t, c, "t", "tenant", "p", log[2].ID, "e", "x")
			}, []redisstore.Problem{about(redisstore.ProblemDamagedEvent, "", "fourth")},
		},
		"an event has no tenant": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				plant(t, c, "e", log[0].Values["e"])
			}, []redisstore.Problem{in(redisstore.ProblemDamagedEvent, "fourth"), wrongTail},
		},
		"an event is about another tenant": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				id := plant(t, c, "t", "other", "p", "", "e", log[0].Values["e"])
				send("hset", verifyFields, "ttenant", log[2].ID, "tother", id)(t, c)
			}, []redisstore.Problem{{
				Kind: redisstore.ProblemDamagedEvent, Name: "fourth",
				Key: installation.Key{Tenant: "other"},
			}},
		},
		"all but one trimmed": {
			func(t *testing.T, c *redis.Client, _ []redis.XMessage) {
				send("xtrim", verifyEvents, "maxlen", 1)(t, c)
			}, nil,
		},
		"all trimmed": {
			func(t *testing.T, c *redis.Client, _ []redis.XMessage) {
				send("xtrim", verifyEvents, "maxlen", 0)(t, c)
			}, nil,
		},
	})
}

// later is the id of an event in the future.
const later = "99999999999999-0"

// TestVerifyTails damages the fields that name events.
func TestVerifyTails(t *testing.T) {
	field := func(name, value string) func(*testing.T, *redis.Client, []redis.XMessage) {
		return func(t *testing.T, c *redis.Client, _ []redis.XMessage) {
			send("hset", verifyFields, name, value)(t, c)
		}
	}
	runLogCases(t, map[string]logCase{
		"tail of an older one": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				send("hset", verifyFields, "ttenant", log[0].ID)(t, c)
			}, []redisstore.Problem{wrongTail},
		},
		"tail of an older one of another tenant": { // is one problem, although wrong in two ways
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				other := plant(t, c, "t", "other", "p", "", "e", log[0].Values["e"])
				mine := plant(t, c, "t", "tenant", "p", log[2].ID, "e", log[0].Values["e"])
				send("hset", verifyFields, "tother", other, "ttenant", other, "last", mine)(t, c)
			}, []redisstore.Problem{wrongTail, {
				Kind: redisstore.ProblemDamagedEvent, Name: "fourth",
				Key: installation.Key{Tenant: "other"},
			}},
		},
		"tail of another tenant": {
			func(t *testing.T, c *redis.Client, log []redis.XMessage) {
				send("hset", verifyFields, "tother", log[0].ID)(t, c)
			}, []redisstore.Problem{{
				Kind: redisstore.ProblemWrongTail, Name: "last event",
				Key: installation.Key{Tenant: "other"},
			}},
		},
		"no tail": {
			func(t *testing.T, c *redis.Client, _ []redis.XMessage) {
				send("hdel", verifyFields, "ttenant")(t, c)
			}, []redisstore.Problem{wrongTail},
		},
		"tail in the future":   {field("ttenant", later), []redisstore.Problem{wrongTail}},
		"tail that is no id":   {field("ttenant", "x"), []redisstore.Problem{wrongTail}},
		"last in the future":   {field("last", later), []redisstore.Problem{wrongLast}},
		"last is too old":      {field("last", "1-0"), []redisstore.Problem{wrongLast, wrongFirst}},
		"last is no id":        {field("last", "x"), []redisstore.Problem{wrongLast}},
		"first in the future":  {field("first", later), []redisstore.Problem{wrongFirst}},
		"first is no id":       {field("first", ""), []redisstore.Problem{wrongFirst}},
		"first was trimmed":    {field("first", "1-0"), nil},
		"tail that is trimmed": {field("told", "1-0"), nil},
	})
}
