package faults

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// faultKinds returns what can happen to the messages from one step on.
func faultKinds() []fault {
	return []fault{
		{},
		{fates: []fate{notSent}},
		{fates: []fate{refused}},
		{fates: []fate{lost}},
		{fates: []fate{late}},
		{fates: []fate{veryLate}},
		{fates: []fate{late, lost}},
		{fates: []fate{veryLate, lost}},
		{fates: []fate{notSent}, outage: true},
		{fates: []fate{lost}, outage: true},
		{fates: []fate{veryLate}, outage: true},
	}
}

// walk takes operations through every fault at every step in turn, with a second writer at every
// step in turn.
type walk struct {
	t     testing.TB
	broke rules
	keys  crypto.KeyWrapper
	runs  int
	found map[string]int    // violations by kind
	first map[string]string // the first violation of each kind
	until string            // stop at a violation of this kind
}

func newWalk(t testing.TB, broke rules) *walk {
	return &walk{t: t, broke: broke, keys: fixture.Ring(t), found: map[string]int{},
		first: map[string]string{}}
}

// newService returns a service of a process of its own on a store.
func (w *walk) newService(store installation.Store, at *clock) *service {
	s, err := installation.New(store, w.keys, &installation.Options{Now: at.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *walk) all(ops []operation, others []writer) {
	for _, op := range ops {
		from := startOf(w, op.name)
		for _, kind := range faultKinds() {
			w.faultAtEveryStep(from, kind, others)
			if w.found[w.until] > 0 {
				return
			}
		}
	}
}

// start is where the runs of one operation begin.
type start struct {
	op    operation
	begun *server
	code  crypto.Secret
	at    clock
}

// faultAtEveryStep walks until a run ends before the fault.
func (w *walk) faultAtEveryStep(from start, kind fault, others []writer) {
	for step := 0; ; step++ {
		r := w.run(from, &network{fault: kind, faultAt: step, otherAt: -1}, nil)
		if len(kind.fates) > 0 && !r.faulted {
			return
		}
		for i := range others {
			for otherAt := 0; ; otherAt++ {
				n := &network{fault: kind, faultAt: step, otherAt: otherAt}
				if r := w.run(from, n, &others[i]); !r.met || w.found[w.until] > 0 {
					break
				}
			}
		}
		if len(kind.fates) == 0 {
			return
		}
	}
}

// run is one run of an operation.
type run struct {
	*network
	start
	w     *walk
	store *client
	clock *clock
	other *writer
	res   *result
	err   error
}

func (w *walk) run(from start, n *network, other *writer) *run {
	w.runs++
	server := from.begun.fork(w.broke)
	r := &run{network: n, start: from, w: w, clock: &clock{from.at.at}, other: other}
	if other != nil {
		second := as(w.newService(server.connect(), r.clock), "other")
		n.other = func() {
			if other.restores {
				server.restore(from.begun.backup())
			}
			other.run(context.Background(), second)
		}
	}
	r.store = &client{server: server, network: n}
	svc := as(w.newService(r.store, r.clock), "caller")
	r.res, r.err = from.op.run(w.t.Context(), svc, from.code)
	conflicted := r.store.conflicted
	n.settle()
	r.check(conflicted)
	return r
}

// violation counts a broken promise.
func (r *run) violation(kind, format string, args ...any) {
	r.w.found[kind]++
	if r.w.first[kind] == "" {
		other := "nobody"
		if r.other != nil {
			other = r.other.name
		}
		r.w.first[kind] = fmt.Sprintf("%s, fates %v from step %d (outage %t), %s at step %d: %s",
			r.op.name, r.fault.fates, r.faultAt, r.fault.outage, other, r.otherAt,
			fmt.Sprintf(format, args...))
	}
}

// check compares the answer with what the server did.
func (r *run) check(conflicted bool) {
	mine := r.mine()
	r.checkEvents(mine, conflicted)
	r.checkRevisions()
	if r.err == nil && r.res != nil && len(mine) > 0 {
		if got := mine[0].Record.Revision; got != r.res.Revision {
			r.violation("effect", "the answer has revision %d, the record %d", r.res.Revision, got)
		}
	}
	if r.other == nil && !r.faulted && (r.err != nil || len(mine) != 1) {
		r.violation("plain", "%d events without a fault: %v", len(mine), r.err)
	}
	if r.op.invite && r.err == nil {
		r.checkCode()
	}
	if r.op.keyed && r.err != nil {
		r.checkRepeat()
	}
}

// mine returns the changes of the caller that no restore has removed, one for each event.
func (r *run) mine() (mine []applied) {
	for _, a := range r.store.history {
		for _, e := range a.Events {
			if e.Actor.User.ID == "caller" && a.life == r.store.lives {
				mine = append(mine, a)
			}
		}
	}
	return mine
}

// checkEvents counts the events of the caller: one for a success, none for a refusal.
func (r *run) checkEvents(mine []applied, conflicted bool) {
	unknown := errors.Is(r.err, installation.ErrUnknownOutcome)
	switch n := len(mine); {
	case r.mayRepeat():
	case r.err == nil && n == 0 && r.res != nil && !r.res.Changed:
	case r.err == nil && n != 1:
		r.violation("success", "%d events", n)
	case r.err != nil && !unknown && n != 0:
		r.violation("refusal", "%d events after %v", n, r.err)
	case unknown && n > 1:
		r.violation("unknown", "%d events", n)
	case unknown && conflicted && !r.forgot():
		r.violation("needless", "the store could have known: %v", r.err)
	}
	if errors.Is(r.err, installation.ErrEpoch) {
		r.violation("epoch", "the caller got %v", r.err)
	}
}

// mayRepeat reports whether the run meets a stated limit: an event alone that arrives very late can
// repeat, if the record has forgotten its token.
func (r *run) mayRepeat() bool {
	isLate := false
	for _, f := range r.fault.fates {
		isLate = isLate || f == late || f == veryLate
	}
	return r.op.event && isLate && r.forgot()
}

// forgot reports whether the record has had more changes than it remembers.
func (r *run) forgot() bool {
	n := len(r.begun.rows[fixture.KeyAt(id)].entries)
	for _, a := range r.store.history {
		if a.Key == fixture.KeyAt(id) {
			n++
		}
	}
	return n >= installation.RememberedOps
}

// checkRevisions looks for a revision or generation that was given out twice, or from before the
// epoch.
func (r *run) checkRevisions() {
	type place struct {
		installation.Key
		revision int64
	}
	seen := map[place]bool{}
	generation := map[installation.Key]int64{}
	for _, a := range r.store.history {
		if a.Record == nil {
			continue
		}
		p := place{a.Key, a.Record.Revision}
		if seen[p] || a.Record.Generation < generation[a.Key] {
			r.violation("repeats", "revision %d of generation %d", p.revision, a.Record.Generation)
		}
		if a.Record.Revision < a.epoch {
			r.violation("floor", "revision %d in epoch %d", a.Record.Revision, a.epoch)
		}
		seen[p], generation[a.Key] = true, a.Record.Generation
	}
}

// checkCode redeems the code that the caller got, if its invitation is the one that is stored.
func (r *run) checkCode() {
	stored, err := r.store.server.get(fixture.KeyAt(id))
	mine := r.mine()
	if err != nil || len(mine) == 0 || stored.Deleted ||
		stored.Generation != r.res.Generation || r.store.meta[0].Epoch != mine[0].epoch {
		return
	}
	svc := r.w.newService(r.store.server.fork(r.w.broke).connect(), r.clock)
	_, err = accept(context.Background(), svc.In(fixture.Tenant), r.res.Code)
	if err != nil {
		r.violation("code", "the code that the caller got is not the stored one: %v", err)
	}
}

// checkRepeat sends a request with an idempotency key again, on a network without faults.
func (r *run) checkRepeat() {
	svc := as(r.w.newService(r.store.server.connect(), r.clock), "caller")
	res, err := r.op.run(context.Background(), svc, r.code)
	n := len(r.mine())
	if err == nil && res.Changed && n != 1 || err != nil && n != 0 {
		r.violation("repeat", "%d events after the repeat: %v", n, err)
	}
}
