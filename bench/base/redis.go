package base

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// fields are those of a hash, with a record in them: revision, generation, time of creation,
// deadline, terms and body.
var fields = []string{"r", "g", "c", "t", "x", "b"}

var values = []any{
	"r", "1", "g", "1", "c", "1764270000000000", "t", "", "x", strings.Repeat("x", 638), "b", body,
}

const (
	termPrefix = "tproject-4400\x00all\x00"
	index      = "{base:00}:x"
)

// keys are those of the strings and of the hashes, one after the other.
type keys struct{ next atomic.Int64 }

func (k *keys) string() string { return stringKey(k.next.Add(1)) }
func (k *keys) hash() string   { return hashKey(id(k.next.Add(1) * 7919)) }

func stringKey(n int64) string { return "base-" + strconv.FormatInt(n%stored, 10) }
func hashKey(id string) string { return "{base:00}:r:12:project-4400:" + id }
func id(n int64) string        { return fmt.Sprintf("01890a5d-ac96-774b-bcdd-%012d", n%stored) }

// Redis is go-redis, one command after the other.
type Redis struct {
	ctx    context.Context
	client redis.UniversalClient
	keys   keys
}

// NewRedis stores what the calls read.
func NewRedis(ctx context.Context, client redis.UniversalClient) (*Redis, error) {
	pipe := client.Pipeline()
	for n := range int64(stored) {
		pipe.Set(ctx, stringKey(n), body, 0)
		pipe.HSet(ctx, hashKey(id(n)), values...)
		pipe.ZAdd(ctx, index, redis.Z{Member: fmt.Sprintf("%s%08d%s", termPrefix, n, id(n))})
	}
	_, err := pipe.Exec(ctx)
	return &Redis{ctx: ctx, client: client}, err
}

// Get reads 2 KiB.
func (r *Redis) Get() error { return r.client.Get(r.ctx, r.keys.string()).Err() }

// HMGet reads a record.
func (r *Redis) HMGet() error { return r.client.HMGet(r.ctx, r.keys.hash(), fields...).Err() }

// Set writes 2 KiB.
func (r *Redis) Set() error { return r.client.Set(r.ctx, r.keys.string(), body, 0).Err() }

// GetSet reads and then writes 2 KiB.
func (r *Redis) GetSet() error { return errors.Join(r.Get(), r.Set()) }

// Page reads a range of names, then their records in one pipeline.
func (r *Redis) Page() error {
	start, stop := "["+termPrefix, "("+termPrefix+"\xff"
	names, err := r.client.ZRangeArgs(r.ctx, redis.ZRangeArgs{
		Key: index, Start: start, Stop: stop, ByLex: true, Count: PageSize + 1,
	}).Result()
	if err != nil || len(names) < PageSize {
		return fmt.Errorf("%d names: %w", len(names), err)
	}
	pipe := r.client.Pipeline()
	for _, name := range names[:PageSize] {
		pipe.HMGet(r.ctx, hashKey(name[len(termPrefix)+8:]), fields...)
	}
	_, err = pipe.Exec(r.ctx)
	return err
}

// Rueidis is the client rueidis, which sends what several goroutines ask for in one pipeline. It
// reads what [NewRedis] stored.
type Rueidis struct {
	ctx    context.Context
	client rueidis.Client
	keys   keys
}

// NewRueidis connects to a server.
func NewRueidis(ctx context.Context, addr string) (*Rueidis, error) {
	o := rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true}
	client, err := rueidis.NewClient(o)
	return &Rueidis{ctx: ctx, client: client}, err
}

// Close closes the connections.
func (r *Rueidis) Close() { r.client.Close() }

// Get reads 2 KiB.
func (r *Rueidis) Get() error {
	return r.client.Do(r.ctx, r.client.B().Get().Key(r.keys.string()).Build()).Error()
}

// HMGet reads a record.
func (r *Rueidis) HMGet() error {
	command := r.client.B().Hmget().Key(r.keys.hash()).Field(fields...).Build()
	return r.client.Do(r.ctx, command).Error()
}

// Set writes 2 KiB.
func (r *Rueidis) Set() error {
	return r.client.Do(r.ctx, r.client.B().Set().Key(r.keys.string()).Value(body).Build()).Error()
}
