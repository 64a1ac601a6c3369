package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// acceptWalk takes the acceptance of a restore through every fault at every step, with a second
// operator at every step. The clocks of the operators differ.
type acceptWalk struct {
	broke rules
	runs  int
	found map[string]string // the first violation of each kind
}

// clockSkews is how far the clock of the first operator is ahead.
var clockSkews = []time.Duration{-time.Hour, 0, time.Hour}

func (w *acceptWalk) all(ctx context.Context) {
	w.found = map[string]string{}
	for _, skew := range clockSkews {
		for _, kind := range faultKinds() {
			for step := 0; w.otherAtEveryStep(ctx, skew, kind, step); step++ {
			}
		}
	}
}

// otherAtEveryStep reports whether the fault began in some run.
func (w *acceptWalk) otherAtEveryStep(
	ctx context.Context, skew time.Duration, kind fault, step int,
) (faulted bool) {
	for otherAt := 0; ; otherAt++ {
		n := &network{fault: kind, faultAt: step, otherAt: otherAt}
		w.run(ctx, skew, n)
		faulted = faulted || n.faulted
		if !n.met {
			return faulted
		}
	}
}

func (w *acceptWalk) run(ctx context.Context, skew time.Duration, n *network) {
	w.runs++
	s := newServer(w.broke)
	at := &clock{fixture.Start}
	n.other = func() { _, _ = s.connect().AcceptRestore(ctx, at.now()) }
	first := &client{server: s, network: n}
	in, err := first.AcceptRestore(ctx, at.now().Add(skew))
	seen, seenErr := s.connect().Namespace(ctx)
	if err == nil && (seenErr != nil || seen != in) {
		w.violation("answer", "%+v, but the namespace is %+v, %v", in, seen, seenErr)
	}
	n.settle()
	in, err = s.connect().AcceptRestore(ctx, at.now())
	seen, seenErr = s.connect().Namespace(ctx)
	if err != nil || seenErr != nil || seen != in {
		w.violation("split", "after a repeat: %v, %v", err, seenErr)
	}
	if s.lowered {
		w.violation("lowered", "an epoch went back, fates %v from step %d, the other at step %d, "+
			"skew %v", n.fault.fates, n.faultAt, n.otherAt, skew)
	}
}

func (w *acceptWalk) violation(kind, format string, args ...any) {
	if w.found[kind] == "" {
		w.found[kind] = fmt.Sprintf(format, args...)
	}
}

// However an accept ends, a repeat completes it. No epoch ever goes back.
func TestInvariant22AcceptUnderFaults(t *testing.T) {
	w := &acceptWalk{}
	w.all(t.Context())
	for kind, first := range w.found {
		t.Errorf("%s: %s", kind, first)
	}
	t.Logf("%d runs", w.runs)
}

// The walk finds a violation on a store without any one of the rules of "Accept".
func TestInvariant22EachRuleOfAcceptIsNeeded(t *testing.T) {
	for _, b := range []broken{
		{"accept by blind write", rules{blindAccept: true}, "lowered"},
		{"no target above all buckets", rules{ownTarget: true}, "split"},
	} {
		t.Run(b.name, func(t *testing.T) {
			w := &acceptWalk{broke: b.rules}
			w.all(t.Context())
			if w.found[b.found] == "" {
				t.Errorf("%d runs found %v, want %q", w.runs, w.found, b.found)
			}
			t.Logf("%d runs; %s", w.runs, w.found[b.found])
		})
	}
}

// While the buckets have different epochs, no process of this model can write. Every store at least
// refuses commits to the buckets of another epoch than it knows.
func TestInvariant22AcceptedInPart(t *testing.T) {
	at := &clock{fixture.Start}
	s := newServer(rules{})
	w := newWalk(t, rules{})
	running := as(w.newService(s.connect(), at), "running")
	install(t, running)
	cut := s.connect()
	cut.fault, cut.faultAt = fault{fates: []fate{notSent}, outage: true}, buckets+1
	if _, err := cut.AcceptRestore(t.Context(), at.now()); err == nil {
		t.Fatal("an accept on a network that fails in between succeeded")
	}
	fresh := as(w.newService(s.connect(), at), "new")
	for name, svc := range map[string]*service{"running": running, "new": fresh} {
		_, err := svc.Patch(t.Context(), installation.PatchRequest{ID: id, Parts: named("b")})
		fixture.WantErr(t, name+" process, patch", err, installation.ErrUnavailable)
	}
	if _, err := fresh.AcceptRestore(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, svc := range map[string]*service{"running": running, "new": fresh} {
		_, err := svc.Patch(t.Context(), installation.PatchRequest{ID: id, Parts: named(name)})
		if err != nil {
			t.Errorf("%s process, after the repeat: %v", name, err)
		}
	}
}
