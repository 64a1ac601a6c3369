package redisstore

import (
	"testing"
	"time"
)

// TestSettledEvents follows one bucket: an event is settled once the server has answered long
// enough after it was seen, however long the process was idle since.
func TestSettledEvents(t *testing.T) {
	const loss = time.Second
	b := keyspace{"n", 1}.bucket(0)
	var w watch
	at := func(now time.Duration) { w.answered.Store(int64(now)) }
	saw := func(id string, now time.Duration) { w.seen[0].saw(id, int64(now)) }
	want := func(settled string) {
		t.Helper()
		if got := w.of(b, loss).settled; got != settled {
			t.Errorf("settled %q, want %q", got, settled)
		}
	}
	saw("1-0", 0)
	at(loss - 1)
	want("")
	saw("2-0", loss) // long after, but no call was answered between
	want("")
	at(loss)
	want("1-0")
	for n := range 10 { // always a newer one
		saw("3-0", loss+1)
		saw("4-0", loss+2+time.Duration(n))
	}
	want("1-0")
	at(2*loss + 1)
	want("3-0")
	at(9 * loss)
	want("4-0")
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
