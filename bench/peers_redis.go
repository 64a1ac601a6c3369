package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// redisPeerRows compare redisstore.
func redisPeerRows(tb testing.TB, s Scale) []Row {
	server := redistest.Start(tb)
	client := server.Client(tb)
	store := openStore(tb, client)
	fill(tb, store, s.Records, time.Time{})
	w := newWorld(tb, store, newRing(tb, "k1"), 1024)
	create, update := creating(tb, store), updating(tb, store, 128)

	sessions := goredisstore.New(client)
	expiry := time.Now().Add(time.Hour)
	transactions := newTransactions(tb, client)
	hashes := newHashes(tb, server.Addr)
	for _, id := range w.ids {
		check(tb, sessions.CommitCtx(w.ctx, id, []byte(value), expiry))
	}
	find := func() error { _, _, err := sessions.FindCtx(w.ctx, w.id()); return err }
	commit := func() error { return sessions.CommitCtx(w.ctx, w.id(), []byte(value), expiry) }

	const all, alone = "compare-and-swap, lists, claims, outcomes, change log", "lists, claims, outcomes, change log"
	var rows []Row
	for _, n := range []int{1, 64} {
		at := ""
		if n > 1 {
			at = fmt.Sprintf(", %d goroutines", n)
		}
		rows = append(rows,
			Row{Name: "Store.Get" + at, Against: "scs goredisstore", Lacks: all, Goroutines: n, Ours: w.storeGet, Base: find},
			Row{Name: "Store.Get" + at, Against: "rueidis HGETALL", Lacks: alone, Goroutines: n, Ours: w.storeGet, Base: hashes.get},
			Row{Name: "Store.Commit update" + at, Against: "scs goredisstore", Lacks: all, Goroutines: n, Ours: update, Base: commit},
			Row{Name: "Store.Commit update" + at, Against: "rueidis, version in Lua", Lacks: alone, Goroutines: n, Ours: update, Base: hashes.update},
			Row{Name: "Store.Commit update" + at, Against: "WATCH, MULTI", Reach: 1, Goroutines: n, Ours: update, Base: transactions.update},
			Row{Name: "Store.Commit create" + at, Against: "WATCH, MULTI", Reach: 1, Goroutines: n, Ours: create, Base: transactions.create},
		)
	}
	return rows
}

// hashes are records as an object mapper keeps them on rueidis: a hash with a version, which a script compares. (The om
// package of rueidis is a module that the module proxy does not serve; these are the commands that it sends.)
type hashes struct {
	ctx    context.Context
	client rueidis.Client
	save   *rueidis.Lua
	free   chan *versioned
}

// versioned is a record with the version that is stored, 0 for none.
type versioned struct {
	key     string
	number  int64 // what it is made from
	version int64
}

func newVersioned(prefix string) *versioned {
	n := numbers.Add(1)
	return &versioned{key: prefix + keyOf(tenant, n).ID, number: n}
}

const saveIfVersion = `
if redis.call('HGET', KEYS[1], 'ver') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'ver', ARGV[2], 'body', ARGV[3])
return ARGV[2]`

func newHashes(tb testing.TB, addr string) *hashes {
	tb.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	check(tb, err)
	tb.Cleanup(client.Close)
	h := &hashes{tb.Context(), client, rueidis.NewLuaScript(saveIfVersion), make(chan *versioned, 128)}
	for range cap(h.free) {
		v := newVersioned("hash:")
		v.version = 1
		check(tb, client.Do(h.ctx, client.B().Hset().Key(v.key).FieldValue().FieldValue("ver", "1").FieldValue("body", value).Build()).Error())
		h.free <- v
	}
	return h
}

func (h *hashes) get() error {
	v := <-h.free
	defer func() { h.free <- v }()
	fields, err := h.client.Do(h.ctx, h.client.B().Hgetall().Key(v.key).Build()).AsStrMap()
	if err == nil && len(fields) == 0 {
		err = errors.New("no hash")
	}
	return err
}

func (h *hashes) update() error {
	v := <-h.free
	defer func() { h.free <- v }()
	old := strconv.FormatInt(v.version, 10)
	v.version++
	return h.save.Exec(h.ctx, h.client, []string{v.key}, []string{old, strconv.FormatInt(v.version, 10), value}).Error()
}

// transactions do what our script does with WATCH and MULTI: recognise a retry, compare and swap, keep lists, a claim, an
// outcome and a change log. What they leave out is small: the marks by which a reader learns that the log was cut.
type transactions struct {
	ctx    context.Context
	client *redis.Client
	free   chan *versioned
}

const (
	txMeta   = "tx:meta"
	txIndex  = "tx:index"
	txEvents = "tx:events"
)

func newTransactions(tb testing.TB, client *redis.Client) *transactions {
	tb.Helper()
	t := &transactions{tb.Context(), client, make(chan *versioned, 128)}
	check(tb, client.Set(t.ctx, txMeta, "format 1", 0).Err())
	for range cap(t.free) {
		v := newVersioned("tx:")
		check(tb, t.commit(v))
		t.free <- v
	}
	return t
}

func (t *transactions) create() error { return t.commit(newVersioned("tx:")) }

func (t *transactions) update() error {
	v := <-t.free
	defer func() { t.free <- v }()
	return t.commit(v)
}

// commit writes a record if its revision is the one that is known, 0 for a new one.
func (t *transactions) commit(v *versioned) error {
	c := creation(tenant, v.number, installation.Body{})
	op, members := string(c.Op[:]), strings.Join(c.Record.Index, "\n")
	claim, outcome := "tx:claim:"+c.Record.Claims[0], "tx:outcome:"+string(c.Idempotency.Digest[:])
	watched := []string{v.key}
	if v.version == 0 {
		watched = append(watched, claim, outcome)
	}
	unique := watched[1:] // what must not be there yet
	written, err := c.Events[0].MarshalBinary()
	if err != nil {
		return err
	}
	err = t.client.Watch(t.ctx, func(tx *redis.Tx) error {
		reads := tx.Pipeline()
		meta, stored := reads.Get(t.ctx, txMeta), reads.HMGet(t.ctx, v.key, "r", "o", "x")
		taken := redis.NewIntResult(0, nil)
		if len(unique) > 0 {
			taken = reads.Exists(t.ctx, unique...)
		}
		if _, err := reads.Exec(t.ctx); err != nil {
			return err
		}
		revision, _ := stored.Val()[0].(string)
		ops, _ := stored.Val()[1].(string)
		listed, _ := stored.Val()[2].(string)
		if meta.Val() != "format 1" || strings.Contains(ops, op) || taken.Val() > 0 || revision != v.revision() {
			return errors.New("another revision")
		}
		_, err := tx.TxPipelined(t.ctx, func(pipe redis.Pipeliner) error {
			ops = (ops + op)[max(0, len(ops)+len(op)-8*len(op)):]
			pipe.HSet(t.ctx, v.key, "r", v.version+1, "g", 1, "o", ops, "c", c.Now.UnixMicro(), "t", "", "x", members, "b", value)
			if listed != members {
				places := make([]redis.Z, len(c.Record.Index))
				for i, term := range c.Record.Index {
					places[i].Member = term + "\x00" + v.key
				}
				pipe.ZAdd(t.ctx, txIndex, places...)
			}
			if v.version == 0 {
				pipe.Set(t.ctx, claim, v.key, 0)
				pipe.Set(t.ctx, outcome, c.Idempotency.Data, 24*time.Hour)
			}
			pipe.XAdd(t.ctx, &redis.XAddArgs{Stream: txEvents, MaxLen: 100_000, Approx: true, Values: []any{"e", written}})
			return nil
		})
		return err
	}, watched...)
	if err == nil {
		v.version++
	}
	return err
}

// revision is the version as it is stored, "" for nothing.
func (v *versioned) revision() string {
	if v.version == 0 {
		return ""
	}
	return strconv.FormatInt(v.version, 10)
}
