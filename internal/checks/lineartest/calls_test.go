package lineartest

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/ledger"
)

const (
	clients = 8
	calls   = 400 // per client

	forever = math.MaxInt64 // when a call ends whose answer never came
)

// run makes the calls of one round. The metadata of a commit is the id of its operation.
func (h *harness) run(t *testing.T, round int) (all []porcupine.Operation) {
	t.Helper()
	var (
		mu    sync.Mutex
		wait  sync.WaitGroup
		began = time.Now()
	)
	for number, c := range h.clients {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(round), uint64(number)))
			seen := make([]state, keys)
			for i := range calls {
				in := chooseCall(random, seen, int64(number*calls+i+1))
				operation := fmt.Sprintf("round %d, commit %d", round, in.written)
				called := time.Since(began)
				out, err := h.call(t.Context(), c, round, in, operation)
				returned := time.Since(began)
				if err != nil {
					t.Errorf("%s: %v", operation, err)
					return
				}
				learn(&seen[in.key], in, out)
				mu.Lock()
				all = append(all, porcupine.Operation{
					ClientId: number, Input: in, Output: out, Metadata: operation,
					Call: int64(called), Return: int64(returned),
				})
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return all
}

// chooseCall returns the next call of a client that has seen these records. number is the content
// of what it writes.
func chooseCall(random *rand.Rand, seen []state, number int64) input {
	in := input{key: random.IntN(keys)}
	switch n := random.IntN(12); {
	case n < 3:
		return in
	case n == 3:
		in.digest = 1 + random.IntN(digests)
		return in
	case n < 6:
		in.digest = 1 + random.IntN(digests)
	}
	last := seen[in.key]
	in.expected, in.written, in.generation = last.revision, number, last.generation
	if last.value == 0 { // a new record, or one over a tombstone
		in.generation++
	} else {
		in.removes = random.IntN(6) == 0
	}
	return in
}

// learn updates what a client knows of a record.
func learn(seen *state, in input, out output) {
	switch {
	case out.unknown, out.outcome != 0, in.written == 0 && in.digest != 0:
	case out.conflict:
		seen.revision = out.revision
	case in.written == 0:
		*seen = state{revision: out.revision, generation: out.generation, value: out.value}
	default:
		seen.revision, seen.generation, seen.value = out.revision, in.generation, in.written
		if in.removes {
			seen.value = 0
		}
	}
}

// call makes one call.
func (h *harness) call(
	ctx context.Context, c *client, round int, in input, operation string,
) (output, error) {
	key := installation.Key{Tenant: "tenant", ID: fmt.Sprintf("%d-%d", round, in.key)}
	digest := installation.Digest{byte(round), byte(in.key), byte(in.digest)}
	switch {
	case in.written != 0:
		return h.commit(ctx, c, newChange(key, digest, in, operation))
	case in.digest == 0:
		return get(ctx, c.store, key)
	}
	o, err := c.store.Outcome(ctx, key.Tenant, digest)
	if errors.Is(err, installation.ErrNotFound) {
		return output{}, nil
	}
	if err != nil {
		return output{}, err
	}
	return output{outcome: number(o.Data)}, nil
}

// commit makes a Commit, and notes its result.
func (h *harness) commit(
	ctx context.Context, c *client, change installation.Change,
) (output, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	c.giveUp = cancel
	c.mu.Unlock()
	receipt, err := c.store.Commit(ctx, change)
	h.ledger.Note(change.Events[0].Reason, ledger.ResultOf(change, receipt, err))
	conflict, isConflict := errors.AsType[*installation.ConflictError](err)
	switch {
	case errors.Is(err, installation.ErrUnknownOutcome) && c.lossy:
		return output{unknown: true}, nil
	case isConflict:
		return output{revision: conflict.Revision, conflict: true}, nil
	case receipt.Outcome != nil:
		return output{outcome: number(receipt.Outcome.Data)}, nil
	}
	return output{revision: receipt.Revision}, err
}

// get makes a Get.
func get(ctx context.Context, s installation.Store, key installation.Key) (output, error) {
	r, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, installation.ErrNotFound):
		return output{}, nil
	case err != nil:
		return output{}, err
	}
	out := output{revision: r.Revision, generation: r.Generation}
	if !r.Deleted {
		out.value = number(r.Body.Bytes())
		out.torn = !slices.Equal(r.Index, terms(out.value))
	}
	return out, nil
}

// newChange returns the change of a commit. The content is in the body, the terms and the outcome.
func newChange(
	key installation.Key, digest installation.Digest, in input, operation string,
) installation.Change {
	c := installation.Change{
		Now: time.Now(), Key: key, If: in.expected,
		Record: &installation.Record{
			Key: key, Revision: in.expected + 1, Generation: in.generation,
		},
		Events: []installation.Event{{
			Type: event.Updated, Key: key, Revision: in.expected + 1, Time: time.Now(),
			Reason: operation,
		}},
	}
	_, _ = cryptorand.Read(c.Op[:]) // never fails
	if in.removes {
		c.Record.Deleted, c.Record.Deadline = true, c.Now.AddDate(0, 1, 0)
	} else {
		c.Record.Created, c.Record.Index = c.Now, terms(in.written)
		c.Record.Body = installation.BodyFromBytes(fmt.Append(nil, in.written))
	}
	if in.digest != 0 {
		c.Idempotency = &installation.Outcome{
			Digest: digest, Until: c.Now.AddDate(0, 0, 1), Data: fmt.Append(nil, in.written),
		}
	}
	return c
}

// terms returns the terms of a record with this content.
func terms(content int64) []string {
	return []string{"all", fmt.Sprintf("content=%d", content)}
}

// number parses the content of a record.
func number(text []byte) (content int64) {
	_, _ = fmt.Sscan(string(text), &content) // 0 for none
	return content
}
