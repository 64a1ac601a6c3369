package redisstore_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

const movingNamespace = "moving"

// slotChanges are the kinds of changes, by what they do to the keys of a bucket. Each gets the
// record that a create has stored, and a tombstone for the last one.
var slotChanges = map[string]func(stored *installation.Record) installation.Change{
	"update": func(r *installation.Record) installation.Change { return update(r, "") },
	"delete": func(r *installation.Record) installation.Change {
		return bury(r, time.Now().Add(time.Hour))
	},
	"the only term changes": func(r *installation.Record) installation.Change {
		c := update(r, "")
		c.Record.Index = []string{"other"}
		return c
	},
	"event only": func(r *installation.Record) installation.Change {
		c := update(r, "")
		c.Record = nil
		return c
	},
	"re-create": func(r *installation.Record) installation.Change {
		c := create(r.Key, "")
		c.If, c.Record.Revision = r.Revision, r.Revision+1
		return c
	},
	"create": func(r *installation.Record) installation.Change {
		return create(installation.Key{Tenant: r.Key.Tenant, ID: "new" + r.Key.ID}, "")
	},
}

// TestCommitWhileSlotMoves commits every kind of change while the keys of the bucket are on two
// servers. The slot is closed when the store retries. Every change is applied once and whole.
func TestCommitWhileSlotMoves(t *testing.T) {
	m := startMoving(t)
	for what, change := range slotChanges {
		for _, keyed := range []bool{false, true} {
			for where, moved := range map[string]func(record string) []string{
				"nothing":    func(string) []string { return nil },
				"record":     func(record string) []string { return []string{record} },
				"fixed keys": func(string) []string { return fixedKeys },
				"one of them": func(record string) []string {
					return []string{record, fixedKeys[m.moves%len(fixedKeys)]}
				},
				"everything": func(record string) []string { return append(fixedKeys, record) },
			} {
				t.Run(fmt.Sprintf("%s/keyed %t/moved %s", what, keyed, where), func(t *testing.T) {
					key := id("%d", m.moves)
					stored := must(t, m.store, create(key, ""))
					if what == "re-create" {
						stored = must(t, m.store, bury(stored, time.Now().Add(time.Hour)))
					}
					c := change(stored)
					c.Events[0].Reason = t.Name()
					if keyed {
						c.Idempotency = &installation.Outcome{
							Digest: installation.Digest{byte(m.moves), byte(m.moves >> 8)},
							Until:  time.Now().Add(time.Hour),
						}
					}
					m.open(t, moved(recordKey(key))...)
					m.log.call(func() { m.close() })
					must(t, m.store, c)
					m.close()
					m.check(t, c)
				})
			}
		}
	}
	checkIndex(t, m.store)
}

// TestCommitIntoOpenSlot leaves the slot open: what has its fixed keys on one server is written
// there.
func TestCommitIntoOpenSlot(t *testing.T) {
	m := startMoving(t)
	for what, change := range slotChanges {
		t.Run(what, func(t *testing.T) {
			key := id("%d", m.moves)
			stored := must(t, m.store, create(key, ""))
			if what == "re-create" {
				stored = must(t, m.store, bury(stored, time.Now().Add(time.Hour)))
			}
			m.open(t, append(fixedKeys, recordKey(key))...)
			m.to.Client(t).ScriptFlush(t.Context()) // as on a server that has just joined
			c := change(stored)
			c.Events[0].Reason = t.Name()
			must(t, m.store, c)
			m.check(t, c)
			m.close()
		})
	}
	checkIndex(t, m.store)
}

// TestSlotLeftOpen opens a store and asks for its health while a move is not ended, whatever has
// moved. Commits that cannot be made end in time with an error that names the slot.
func TestSlotLeftOpen(t *testing.T) {
	m := startMoving(t)
	stored := must(t, m.store, create(id("a"), ""))
	for where, moved := range map[string][]string{
		"nothing": nil, "index": fixedKeys[:1], "events": fixedKeys[1:2], "fixed keys": fixedKeys,
	} {
		t.Run(where, func(t *testing.T) {
			m.open(t, moved...)
			defer m.close()
			s := open(t, m.client(t), &redisstore.Options{Namespace: movingNamespace})
			get(t, s, id("a"))
			if len(pagesOf(t, s, listAll)) == 0 {
				t.Error("the list is empty")
			}
			for _, f := range healthOf(t, s) {
				if f.Level == health.Error {
					t.Errorf("finding %+v", f)
				}
			}
			var log retries
			logged := open(t, m.client(t), &redisstore.Options{
				Namespace: movingNamespace, Logger: log.logger(),
			})
			_, err := logged.Commit(log.firstTry(t), update(stored, ""))
			if where == "nothing" {
				if err != nil {
					t.Error(err)
				}
				stored.Revision++
				return
			}
			wantUnavailable(t, "commit", err)
			if slot := strconv.Itoa(int(m.slot)); !strings.Contains(err.Error(), "slot "+slot) {
				t.Errorf("error %v, want one that names slot %s", err, slot)
			}
		})
	}
}

// moving is a store with one bucket, whose slot moves between two masters.
type moving struct {
	cluster  *redistest.Cluster
	store    *redisstore.Store
	log      retries
	slot     uint16
	from, to *redistest.Server
	moves    int
	close    func() // ends the move, if it has not ended yet
}

var fixedKeys = []string{"{moving:00}:x", "{moving:00}:e", "{moving:00}:h"}

func recordKey(key installation.Key) string {
	return fmt.Sprintf("{moving:00}:r:%d:%s:%s", len(key.Tenant), key.Tenant, key.ID)
}

func startMoving(t *testing.T) *moving {
	m := &moving{cluster: redistest.StartCluster(t, 3, 0), slot: redistest.Slot("moving:00")}
	m.store = open(t, m.client(t), &redisstore.Options{
		Namespace: movingNamespace, Buckets: 1, Logger: m.log.logger(),
	})
	m.from = m.cluster.Owner(m.slot)
	i := slices.Index(m.cluster.Masters, m.from)
	m.to = m.cluster.Masters[(i+1)%len(m.cluster.Masters)]
	return m
}

func (m *moving) client(t *testing.T) *redis.ClusterClient { return m.cluster.Client(t, nil) }

// open begins to move the slot, and moves keys.
func (m *moving) open(t *testing.T, keys ...string) {
	t.Helper()
	m.moves++
	m.cluster.OpenSlot(t, m.slot, m.from, m.to)
	m.cluster.MoveKeys(t, m.from, m.to, keys...)
	m.close = sync.OnceFunc(func() {
		m.log.call(func() {})
		m.cluster.CloseSlot(t, m.slot, m.from, m.to)
		m.from, m.to = m.to, m.from // the next move goes back
	})
}

// check checks that a change was applied once and whole.
func (m *moving) check(t *testing.T, c installation.Change) {
	t.Helper()
	r := get(t, m.store, c.Key)
	if c.Record != nil && (r.Revision != c.Record.Revision || r.Deleted != c.Record.Deleted) {
		t.Errorf("%+v is stored, want %+v", r, c.Record)
	}
	for _, term := range []string{"all", "other"} {
		listed := slices.Contains(pagesOf(t, m.store, installation.Query{
			Tenant: c.Key.Tenant, Term: term, Limit: 100,
		}), c.Key)
		if want := !r.Deleted && slices.Contains(r.Index, term); listed != want {
			t.Errorf("listed under %q: %t, want %t", term, listed, want)
		}
	}
	if n := countEvents(t, m.store)[c.Events[0].Reason]; n != 1 {
		t.Errorf("the event is there %d times, want once", n)
	}
	if o := c.Idempotency; o != nil {
		if _, err := m.store.Outcome(t.Context(), c.Key.Tenant, o.Digest); err != nil {
			t.Error(err)
		}
	}
}
