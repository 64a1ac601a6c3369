package lineartest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
)

// harness makes calls of concurrent clients and checks the history.
type harness struct {
	log     installation.EventReader
	ledger  ledger.Ledger
	clients []*client
}

// newHarness returns a harness whose clients share a store.
func newHarness(s interface {
	installation.Store
	installation.EventReader
}) *harness {
	h := &harness{log: s}
	for range clients {
		h.clients = append(h.clients, &client{store: s})
	}
	return h
}

// lossy adds a client whose requests and answers can get lost.
func (h *harness) lossy(s installation.Store) *client {
	c := &client{store: s, lossy: true}
	h.clients = append(h.clients, c)
	return c
}

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

// checkLosses is check, and some outcomes must be unknown, of both kinds.
func (h *harness) checkLosses(t *testing.T) {
	t.Helper()
	if unknown, applied := h.check(t); applied == 0 || applied == unknown {
		t.Errorf("%d outcomes are unknown, %d of them applied; want some of both kinds",
			unknown, applied)
	}
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
