package faults

import (
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/storetest"
)

// The double keeps the whole contract of a store.
func TestDoubleIsStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) installation.Store { return newServer(rules{}).connect() })
}

// Every write of the service keeps its promises, whatever the network does to it.
func TestInvariant2CommitUnderFaults(t *testing.T) {
	began := time.Now()
	w := newWalk(t, rules{})
	w.all(operations(), writers())
	for kind, n := range w.found {
		t.Errorf("%s: %d violations; the first: %s", kind, n, w.first[kind])
	}
	t.Logf("%d runs in %v", w.runs, time.Since(began).Round(time.Millisecond))
}

// broken is a store without one of the rules, and what a walk finds on it.
type broken struct {
	name string
	rules
	found string // the kind of violation
}

// The walk finds a violation on a store without any one of the rules of "Commit". So the walk
// would notice that a rule is gone.
func TestInvariant2EachRuleOfCommitIsNeeded(t *testing.T) {
	for _, b := range []broken{
		{"a new change after a lost answer", rules{newChange: true}, "code"},
		{"stored revision = If proves it", rules{ifProves: true}, "refusal"},
		{"the count of tokens is not looked at", rules{countIgnored: true}, "needless"},
		{"the oldest token is not looked at", rules{oldestIgnored: true}, "success"},
		{"the mark is ignored", rules{markIgnored: true}, "success"},
		{"a retry of an event repeats it", rules{retryOfEvent: true}, "success"},
		{"another epoch proves it", rules{epochProves: true}, "success"},
		{"the epoch is not inside Change", rules{epochIgnored: true}, "floor"},
	} {
		t.Run(b.name, func(t *testing.T) {
			w := newWalk(t, b.rules)
			w.until = b.found
			w.all(operations(), writers())
			if w.found[b.found] == 0 {
				t.Errorf("%d runs found %v, want %q", w.runs, w.found, b.found)
			}
			t.Logf("%d runs; %s", w.runs, w.first[b.found])
		})
	}
}
