package lineartest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

const (
	clients = 8
	keys    = 4
	calls   = 400 // per client
)

// input is a call: a Get, or a Commit if written is not 0.
type input struct {
	key      int
	expected int64 // Change.If
	written  int64 // content of the record after it, different in every commit
	removes  bool  // the commit leaves a tombstone
}

// output is the answer to a call.
type output struct {
	revision int64 // of the stored record, or of the receipt
	value    int64 // content of the record, 0 for a tombstone or no record
	conflict bool
}

// state is one record of a single-threaded store.
type state struct{ revision, value int64 }

// model is a single-threaded store. Records are independent of each other, so the
// checker handles each one separately.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, keys)
		for _, op := range history {
			k := op.Input.(input).key
			parts[k] = append(parts[k], op)
		}
		return parts
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		now, call, answer := s.(state), in.(input), out.(output)
		if call.written == 0 {
			return answer.revision == now.revision && answer.value == now.value, now
		}
		fits := now.revision == call.expected
		next := state{now.revision + 1, call.written}
		if call.removes {
			next.value = 0
		}
		switch {
		case answer.conflict:
			return !fits && answer.revision == now.revision, now
		default:
			return fits && answer.revision == next.revision, next
		}
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

func TestMemstoreIsLinearizable(t *testing.T) { linearizable(t, memstore.New()) }

func TestRedisstoreIsLinearizable(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr})
	t.Cleanup(func() { _ = client.Close() })
	s, err := redisstore.Open(t.Context(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	linearizable(t, s)
}

// The checker finds a lost update, a stale read, a false conflict and a
// resurrected record.
func TestModelRejectsBadHistories(t *testing.T) {
	at := func(from, to int64, in input, out output) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: from, Return: to}
	}
	made := at(1, 2, input{written: 1}, output{revision: 1})
	for name, history := range map[string][]porcupine.Operation{
		"lost update": {
			made,
			at(3, 4, input{expected: 1, written: 2}, output{revision: 2}),
			at(3, 4, input{expected: 1, written: 3}, output{revision: 2}),
		},
		"stale read": {made, at(3, 4, input{}, output{})},
		"false conflict": {
			made, at(3, 4, input{expected: 1, written: 2}, output{revision: 1, conflict: true}),
		},
		"resurrection": {
			made,
			at(3, 4, input{expected: 1, written: 2, removes: true}, output{revision: 2}),
			at(5, 6, input{}, output{revision: 2, value: 1}),
		},
	} {
		if porcupine.CheckOperations(model, history) {
			t.Errorf("%s: the checker accepts it", name)
		}
	}
	good := []porcupine.Operation{made, at(3, 4, input{}, output{revision: 1, value: 1})}
	if !porcupine.CheckOperations(model, good) {
		t.Error("the checker rejects a good history")
	}
}

// linearizable checks the history of clients that concurrently read, write and
// remove the same few records.
func linearizable(t *testing.T, s installation.Store) {
	t.Helper()
	rounds := 1
	if os.Getenv("INSTALLATION_LONG") == "1" {
		rounds = 20
	}
	for round := range rounds {
		history, conflicts := run(t, s, round)
		result, info := porcupine.CheckOperationsVerbose(model, history, time.Minute)
		if result != porcupine.Ok {
			t.Errorf("round %d: %s: %+v", round, result, info)
		}
		t.Logf("round %d: %d calls of %d clients on %d records, %d conflicts: %s",
			round, len(history), clients, keys, conflicts, result)
	}
}

// run returns the history of one round.
func run(
	t *testing.T, s installation.Store, round int,
) (history []porcupine.Operation, conflicts int) {
	t.Helper()
	var (
		mu    sync.Mutex
		wait  sync.WaitGroup
		began = time.Now()
	)
	for c := range clients {
		wait.Go(func() {
			random := mathrand.New(mathrand.NewPCG(uint64(round), uint64(c)))
			seen := make([]int64, keys)
			for i := range calls {
				in := input{key: random.IntN(keys)}
				if random.IntN(3) > 0 {
					in.expected = seen[in.key]
					in.written = int64(c*calls + i + 1)
					in.removes = random.IntN(8) == 0 && in.expected > 0
				}
				called := time.Since(began)
				out, err := call(t.Context(), s, round, in)
				returned := time.Since(began)
				if err != nil {
					t.Error(err)
					return
				}
				seen[in.key] = out.revision
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: c, Input: in, Output: out,
					Call: int64(called), Return: int64(returned),
				})
				if out.conflict {
					conflicts++
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return history, conflicts
}

// call makes one call.
func call(ctx context.Context, s installation.Store, round int, in input) (output, error) {
	key := installation.Key{Tenant: "tenant", ID: fmt.Sprintf("%d-%d", round, in.key)}
	if in.written == 0 {
		r, err := s.Get(ctx, key)
		switch {
		case errors.Is(err, installation.ErrNotFound):
			return output{}, nil
		case err != nil:
			return output{}, err
		}
		var value int64
		_, _ = fmt.Sscan(string(r.Body.Bytes()), &value) // 0 for the empty body of a tombstone
		return output{revision: r.Revision, value: value}, nil
	}
	c := installation.Change{Now: time.Now(), Key: key, If: in.expected}
	_, _ = rand.Read(c.Op[:]) // never fails
	c.Record = &installation.Record{Key: key, Revision: in.expected + 1, Generation: 1}
	if in.removes {
		c.Record.Deleted, c.Record.Deadline = true, c.Now.AddDate(0, 1, 0)
	} else {
		c.Record.Created, c.Record.Index = c.Now, []string{"all"}
		c.Record.Body = installation.BodyFromBytes(fmt.Append(nil, in.written))
	}
	receipt, err := s.Commit(ctx, c)
	if conflict, ok := errors.AsType[*installation.ConflictError](err); ok {
		return output{revision: conflict.Revision, conflict: true}, nil
	}
	return output{revision: receipt.Revision}, err
}
