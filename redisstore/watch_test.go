package redisstore

import (
	"slices"
	"testing"
	"time"
)

// watched is one bucket, its log, and what a store remembers of it.
type watched struct {
	watch
	b   bucket
	log []string
}

func newWatched(log ...string) *watched {
	return &watched{b: keyspace{"n", 1}.bucket(0), log: log}
}

// saw remembers an event at a time.
func (w *watched) saw(id string, now time.Duration) { w.seen[0].saw(id, int64(now)) }

// look returns what the log has of the events that are remembered now.
func (w *watched) look() eventLog {
	log := eventLog{first: "1-0", last: "9-0", oldest: "1-0", has: make(map[string]bool)}
	e := w.of(w.b)
	for _, id := range []string{e.newest, e.waiting, e.settled} {
		log.has[id] = slices.Contains(w.log, id)
	}
	return log
}

// TestSettledEvents follows one bucket: an event is settled by a comparison that finds it long
// enough after it was seen.
func TestSettledEvents(t *testing.T) {
	w := newWatched("1-0", "2-0", "3-0", "4-0")
	compared := func(old time.Duration, want string) {
		t.Helper()
		w.update(w.b, w.look(), int64(old))
		if got := w.of(w.b).settled; got != want {
			t.Errorf("settled %q, want %q", got, want)
		}
	}
	w.saw("1-0", 1)
	compared(0, "")
	w.saw("2-0", 5)
	compared(4, "1-0")
	for n := range 10 { // always a newer one
		w.saw("3-0", 6)
		w.saw("4-0", 7+time.Duration(n))
	}
	w.saw("3-0", 9) // a reader is behind
	compared(5, "1-0")
	compared(6, "3-0")
	compared(7, "4-0")
}

// TestLostTailIsNotSettled loses the newest event in a failover. However late a store finds out,
// and whatever it sees meanwhile, the event does not become settled.
func TestLostTailIsNotSettled(t *testing.T) {
	w := newWatched("1-0", "3-0")
	w.saw("1-0", 0)
	w.update(w.b, w.look(), 0)
	w.saw("2-0", 1) // will be lost
	log := w.look()
	w.saw("3-0", 2) // after the failover
	for range 2 {
		w.update(w.b, log, 1)
		if e := w.of(w.b); e.settled != "1-0" || e.newest != "3-0" || e.waiting == "2-0" {
			t.Errorf("remembered %+v, want no trace of the lost event", e)
		}
		log = w.look()
	}
	if w.lost == "" {
		t.Error("the loss was not noticed")
	}
}

// TestLostEvents asks logs for an event that they do not have.
func TestLostEvents(t *testing.T) {
	for what, log := range map[string]eventLog{
		"never any":       {},
		"began after":     {first: "6-0", last: "7-0", oldest: "6-0"},
		"ended before":    {first: "1-0", last: "4-0", oldest: "1-0"},
		"others remain":   {first: "1-0", last: "7-0", oldest: "4-0"},
		"all lost before": {first: "1-0", last: "4-0"},
	} {
		if !log.lost("5-0") {
			t.Errorf("%s: the event counts as trimmed", what)
		}
	}
	for what, log := range map[string]eventLog{
		"trimmed":     {first: "1-0", last: "7-0", oldest: "6-0"},
		"all trimmed": {first: "1-0", last: "7-0"},
		"there":       {has: map[string]bool{"5-0": true}},
	} {
		if log.lost("5-0") {
			t.Errorf("%s: the event counts as lost", what)
		}
	}
	if (eventLog{}).lost("") {
		t.Error("no event counts as lost")
	}
}
