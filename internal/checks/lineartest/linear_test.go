package lineartest

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

func TestMemstoreIsLinearizable(t *testing.T) {
	s := memstore.New()
	h := newHarness(s)
	for range clients {
		h.clients = append(h.clients, &client{store: s})
	}
	h.check(t)
}

func TestRedisstoreIsLinearizable(t *testing.T) {
	s := openRedis(t, redistest.Start(t).Addr)
	h := newHarness(s)
	for range clients {
		h.clients = append(h.clients, &client{store: s})
	}
	h.check(t)
}

// TestRedisstoreLosesAnswers loses scripts and answers between the clients and the server. After
// half of the losses, the caller gives up and does not learn the outcome.
func TestRedisstoreLosesAnswers(t *testing.T) {
	server := redistest.Start(t)
	h := newHarness(openRedis(t, server.Addr))
	for range clients {
		proxy := redistest.StartProxy(t, server.Addr)
		c := &client{store: openRedis(t, proxy.Addr()), lossy: true}
		proxy.Lose(c.loses, nil)
		h.clients = append(h.clients, c)
	}
	if unknown, applied := h.check(t); applied == 0 || applied == unknown {
		t.Errorf("%d outcomes are unknown, %d of them applied; want some of both kinds",
			unknown, applied)
	}
}

// loses decides what is lost of a script, and whether the caller gives up.
func (c *client) loses() redistest.Loss {
	loss := redistest.LoseNothing
	switch rand.IntN(20) {
	case 0:
		loss = redistest.LoseScript
	case 1, 2:
		loss = redistest.LoseAnswer
	default:
		return loss
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.giveUp != nil && rand.IntN(2) == 0 {
		c.giveUp()
	}
	return loss
}

// openRedis opens the store of a server.
func openRedis(t *testing.T, addr string) *redisstore.Store {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = c.Close() })
	s, err := redisstore.Open(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// harness makes calls of concurrent clients and checks the history.
type harness struct {
	log     installation.EventReader
	ledger  ledger.Ledger
	clients []*client
}

func newHarness(log installation.EventReader) *harness { return &harness{log: log} }

// client makes one call after another.
type client struct {
	store installation.Store
	lossy bool // answers can get lost

	mu     sync.Mutex
	giveUp context.CancelFunc // of the current commit
}

// check checks the history of clients that concurrently read, write and remove the same few
// records. Each operation must be in the change log as often as its answer says. It returns how
// many outcomes were unknown, and how many of these were applied.
func (h *harness) check(t *testing.T) (unknown, applied int) {
	t.Helper()
	rounds := 1
	if os.Getenv("INSTALLATION_LONG") == "1" {
		rounds = 20
	}
	for round := range rounds {
		calls := h.run(t, round)
		counts, err := h.ledger.Check(t.Context(), h.log)
		if err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		history, seen := historyOf(calls, counts)
		result, info := porcupine.CheckOperationsVerbose(model, history, time.Minute)
		if result != porcupine.Ok {
			path := filepath.Join(t.ArtifactDir(), "history.html")
			t.Errorf("round %d: %s: see %s, which -artifacts keeps (error %v)",
				round, result, path, porcupine.VisualizePath(model, info, path))
		}
		t.Logf("round %d: %d calls of %d clients on %d records, %v: %s",
			round, len(calls), len(h.clients), keys, seen, result)
		unknown, applied = unknown+seen["unknown"], applied+seen["unknown, applied"]
	}
	return unknown, applied
}

// historyOf returns the history of calls, and how often each kind of answer was seen. A commit with
// an unknown outcome takes effect at any time after its call if it has an event, else never.
func historyOf(
	calls []porcupine.Operation, counts map[string]int,
) (history []porcupine.Operation, seen map[string]int) {
	seen = make(map[string]int)
	for _, op := range calls {
		in, out := op.Input.(input), op.Output.(output)
		for kind, is := range map[string]bool{
			"conflicts": out.conflict, "unknown": out.unknown,
			"keys used before": out.outcome != 0 && in.written != 0 && out.outcome != in.written,
			"own outcomes":     out.outcome != 0 && out.outcome == in.written,
			"removals":         in.removes && !out.conflict && out.outcome == 0 && !out.unknown,
		} {
			if is {
				seen[kind]++
			}
		}
		if out.unknown {
			if counts[op.Metadata.(string)] == 0 {
				continue
			}
			seen["unknown, applied"]++
			op.Return = forever
		}
		history = append(history, op)
	}
	return history, seen
}
