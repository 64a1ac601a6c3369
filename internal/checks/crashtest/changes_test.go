package crashtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
)

// now is Change.Now of every change. Nothing expires during a run.
var now = time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)

// keysPerWriter is how many records each writer changes in turn.
const keysPerWriter = 4

// state is what is stored at a key. Everything else follows from the operation that wrote it.
type state struct {
	Op         string // that wrote the record or tombstone; "" = nothing is stored
	Revision   int64
	Generation int64
	Deleted    bool
}

// operation names the nth change of a writer.
func operation(writer string, n int) string { return fmt.Sprintf("%s.%d", writer, n) }

// writerOf returns the writer of an operation.
func writerOf(op string) string { return op[:strings.LastIndexByte(op, '.')] }

// keyOf returns the key that an operation changes.
func keyOf(op string) installation.Key {
	n := 0
	_, _ = fmt.Sscan(op[strings.LastIndexByte(op, '.')+1:], &n) // an operation ends in a number
	return installation.Key{
		Tenant: "tenant", ID: fmt.Sprintf("%s-%d", writerOf(op), n%keysPerWriter),
	}
}

// random is the same for the same operation.
func random(op, what string) *rand.Rand {
	sum := sha256.Sum256([]byte(op + " " + what))
	return rand.New(rand.NewPCG(
		binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:]),
	))
}

// next returns the change of an operation to what is stored, and the state after it. The same
// arguments give the same change, so the parent knows what the child has written.
func next(op string, old state) (installation.Change, state) {
	sum := sha256.Sum256([]byte(op))
	c := installation.Change{Now: now, Key: keyOf(op), If: old.Revision}
	copy(c.Op[:], sum[:])
	after := old
	kind := random(op, "kind")
	switch n := kind.IntN(10); {
	case old.Op == "" || old.Deleted:
		after = state{op, old.Revision + 1, old.Generation + 1, false}
	case n == 0:
		after = state{op, old.Revision + 1, old.Generation, true}
	case n == 1: // an event alone
	default:
		after = state{op, old.Revision + 1, old.Generation, false}
	}
	if after != old {
		c.Record = after.record()
	}
	if hasOutcome(op) {
		c.Idempotency = &installation.Outcome{
			Digest: sum, Until: now.AddDate(1, 0, 0), Data: []byte(op),
		}
	}
	c.Events = []installation.Event{{
		Type: event.Updated, Key: c.Key, Revision: after.Revision, Generation: after.Generation,
		Time: now, Reason: op,
	}}
	return c, after
}

// hasOutcome reports whether an operation has an idempotency key.
func hasOutcome(op string) bool { return random(op, "outcome").IntN(2) == 0 }

// record returns the record or tombstone of a state.
func (s state) record() *installation.Record {
	key := keyOf(s.Op)
	r := &installation.Record{Key: key, Revision: s.Revision, Generation: s.Generation}
	if s.Deleted {
		r.Deleted, r.Deadline = true, now.AddDate(1, 0, 0)
		return r
	}
	rng := random(s.Op, "record")
	r.Created = now.Add(time.Duration(s.Generation) * time.Second)
	r.Index = []string{"all", fmt.Sprintf("ext=%d", rng.IntN(3))}
	r.Claims = []string{fmt.Sprintf("%s %d", key.ID, rng.IntN(3))}
	slices.Sort(r.Claims)
	size := rng.IntN(4000)
	if rng.IntN(16) == 0 {
		size = rng.IntN(100_000) // many pages
	}
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	r.Body = installation.BodyFromBytes(append([]byte(s.Op+" "), body...))
	return r
}
