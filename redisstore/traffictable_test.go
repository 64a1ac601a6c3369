package redisstore_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation/internal/ledger"
)

// window is the time in which a slot is open: it moves one key at a time.
type window struct{ closed atomic.Bool }

// inTime is how long a call may take that began in an open slot.
const inTime = 2 * time.Second

// figures count the calls of each kind.
type figures struct {
	mu     sync.Mutex
	byKind map[string]*figure
}

// figure counts the calls of one kind.
type figure struct {
	calls                               int
	acknowledged, refused, unknown      int
	unavailable                         int // refused because the store could not
	opened, openedInTime, openedAndOpen int // began in an open slot; see the table
	slowest                             time.Duration
}

// call is what a call of Commit was like.
type call struct {
	window      *window // in which it began; nil for none
	took        time.Duration
	result      ledger.Result
	unavailable bool
}

func (f *figures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byKind = make(map[string]*figure)
}

func (f *figures) add(kind string, c call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKind == nil {
		f.byKind = make(map[string]*figure)
	}
	n := f.byKind[kind]
	if n == nil {
		n = new(figure)
		f.byKind[kind] = n
	}
	n.calls++
	n.slowest = max(n.slowest, c.took)
	switch {
	case c.result == ledger.Success:
		n.acknowledged++
	case c.result == ledger.Unknown:
		n.unknown++
	case c.unavailable:
		n.unavailable++
	default:
		n.refused++
	}
	if c.window == nil {
		return
	}
	n.opened++
	if c.result == ledger.Unknown || c.unavailable {
		return // it ended, but not well
	}
	if c.took <= inTime {
		n.openedInTime++
	}
	if !c.window.closed.Load() {
		n.openedAndOpen++
	}
}

// percent returns n of all in percent.
func percent(n, all int) float64 { return 100 * float64(n) / float64(max(1, all)) }

// String returns the table.
func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %7s %8s %8s %8s %8s %7s %7s %11s %8s\n", "operation", "calls",
		"in open", "in 2 s", "in slot", "success", "refusal", "unknown", "unavailable", "slowest")
	for _, kind := range kinds {
		n := f.byKind[kind]
		if n == nil {
			n = new(figure)
		}
		fmt.Fprintf(&b, "%-24s %7d %8d %7.2f%% %7.2f%% %8d %7d %7d %11d %6.2f s\n", kind, n.calls,
			n.opened, percent(n.openedInTime, n.opened), percent(n.openedAndOpen, n.opened),
			n.acknowledged, n.refused, n.unknown, n.unavailable, n.slowest.Seconds())
	}
	return b.String()
}

// summary returns the totals, and the worst percentages of calls that began in an open slot.
func (f *figures) summary() string {
	opened := func(n *figure) int { return n.opened }
	worst := func(value func(*figure) int) (percents float64, of string) {
		percents = 100
		for _, kind := range kinds {
			if p := percent(f.total(value, kind), f.total(opened, kind)); p <= percents {
				percents, of = p, kind
			}
		}
		return percents, of
	}
	timely, slow := worst(func(n *figure) int { return n.openedInTime })
	inside, late := worst(func(n *figure) int { return n.openedAndOpen })
	acknowledged := func(n *figure) int { return n.acknowledged }
	return fmt.Sprintf("%d acknowledged, %d deletes and %d re-creations among them; "+
		"%d began in an open slot, of each operation at least %.1f %% ended in 2 s (%s) and "+
		"%.1f %% while it was open (%s)", f.total(acknowledged), f.total(acknowledged, deleteOne),
		f.total(acknowledged, createAgain), f.total(opened), timely, slow, inside, late)
}

// total adds up a figure of some kinds, or of all.
func (f *figures) total(value func(*figure) int, of ...string) (sum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(of) == 0 {
		of = kinds
	}
	for _, kind := range of {
		if n := f.byKind[kind]; n != nil {
			sum += value(n)
		}
	}
	return sum
}

// checkOpen checks how the calls ended that began in an open slot: at least 95 % of each kind in
// time, and at least 60 % while the slot was still open.
func (f *figures) checkOpen(tb testing.TB) {
	tb.Helper()
	for _, kind := range kinds {
		opened := f.total(func(n *figure) int { return n.opened }, kind)
		timely := f.total(func(n *figure) int { return n.openedInTime }, kind)
		inside := f.total(func(n *figure) int { return n.openedAndOpen }, kind)
		if opened == 0 || percent(timely, opened) < 95 || percent(inside, opened) < 60 {
			tb.Errorf("%s: %d began in an open slot, %d ended in time, %d while it was open",
				kind, opened, timely, inside)
		}
	}
}
