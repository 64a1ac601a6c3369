package refreshing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/refresh"
)

// fault is what happens at one step of a holder. A step is a call of the store or of the provider.
type fault int

const (
	noFault    fault = iota
	notReached       // the call fails before it reaches the other side
	lostAnswer       // the call is executed, and its answer is lost
	diesBefore       // the process dies before the call
	diesAfter        // the process dies when the call was executed
)

var faults = []fault{notReached, lostAnswer, diesBefore, diesAfter}

// walkLease is so short that a caller waits for others twice. So the walk is finite.
const walkLease = 60 * time.Millisecond

// holder is one of the two processes of a walk.
type holder struct {
	svc   *installation.Service
	steps int // that can have a fault
	dead  bool

	arrived chan struct{} // a step is about to begin
	proceed chan struct{} // it may begin
	done    chan struct{} // no more steps
}

// step waits until it is the turn of the holder. Then it makes the call, or a fault.
func (r *interleaving) step(h *holder, kind string, call func() error) error {
	if r.over {
		return call()
	}
	if h.dead {
		return errAway
	}
	since := time.Now()
	h.arrived <- struct{}{}
	<-h.proceed
	r.stopped = r.stopped || kind == "send" && time.Since(since) > 0
	r.trail += fmt.Sprintf(" %c:%s", 'A'+slices.Index(r.holders, h), kind)
	f := noFault
	if r.plan.everywhere || kind != "Get" {
		if h == r.holders[0] && h.steps == r.plan.step && r.plan.fault != noFault {
			f, r.faulted = r.plan.fault, true
		}
		h.steps++
	}
	if f == notReached || f == diesBefore {
		h.dead = f == diesBefore
		return errAway
	}
	err := call()
	if f == lostAnswer || f == diesAfter {
		if h.dead = f == diesAfter; kind == "Get" {
			return errAway
		}
		return errLost
	}
	return err
}

// plan says where the fault of a run is. The holders are alike, so it is always the first one that
// has a fault: each of them can begin.
type plan struct {
	policy     refresh.Policy
	fault      fault
	step       int
	everywhere bool // count reads as steps too
	turns      int  // how often a holder can be interrupted
}

// interleaving is one run of two holders.
type interleaving struct {
	plan
	t       testing.TB
	keys    crypto.KeyWrapper
	choices []int // at each step, 1 = the other holder goes on; the run extends them
	options []int // how many choices each step had
	last    int   // the holder of the last step
	over    bool
	faulted bool // the run came to the fault
	stopped bool // time passed between the last look at the clock and the request
	trail   string
	broken  []string

	store   installation.Store
	holders []*holder
	grant   grant
}

// newInterleaving stores an installation whose access token has expired.
func newInterleaving(
	t testing.TB, keys crypto.KeyWrapper, p plan, choices []int,
) *interleaving {
	t.Helper()
	r := &interleaving{
		plan: p, t: t, keys: keys, choices: choices, last: -1, store: memstore.New(), over: true,
		grant: grant{sentAt: make(map[string]time.Time)},
	}
	tokens := r.grant.next(-time.Second)
	healthy := r.process(r.store)
	_, err := healthy.Upsert(t.Context(), installation.UpsertRequest{
		ID: id,
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-1"}),
			Connection: installation.Value(installation.Connection{
				ID: "conn-1", Provider: "crm",
				AccessToken: tokens.Access, RefreshToken: tokens.Refresh,
			}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := &holder{
			arrived: make(chan struct{}), proceed: make(chan struct{}), done: make(chan struct{}),
		}
		h.svc = r.process(&walkStore{installation.Decorator{Store: r.store}, r, h})
		o, err := h.svc.Open(t.Context(), installation.OpenRequest{ID: id, Reason: "first"})
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
		r.holders = append(r.holders, h)
	}
	r.over = false
	return r
}

func (r *interleaving) process(store installation.Store) *installation.Service {
	r.t.Helper()
	svc, err := installation.New(store, r.keys, &installation.Options{
		RefreshLease: walkLease, Interrupted: func(string) refresh.Policy { return r.policy },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return svc.As(fixture.HostActor)
}

// call is a caller who tries again when a lease has run out.
func (r *interleaving) call(h *holder) {
	defer close(h.done)
	for range 2 {
		o, err := h.svc.Refresh(
			context.Background(), installation.RefreshRequest{ID: id}, r.refreshOf(h))
		if err == nil {
			o.Close()
			return
		}
		if h.dead || errors.Is(err, refresh.ErrFailed) {
			return
		}
		advance(walkLease)
	}
}

// run lets the holders go on one step at a time. Fake time passes only while the chosen holder
// waits for it.
func (r *interleaving) run() {
	for _, h := range r.holders {
		go r.call(h)
	}
	for {
		synctest.Wait()
		var ready []int
		for i, h := range r.holders {
			if !isClosed(h.done) {
				ready = append(ready, i)
			}
		}
		if len(ready) == 0 {
			break
		}
		h := r.holders[r.choose(ready)]
		select {
		case <-h.done:
		case <-h.arrived:
			h.proceed <- struct{}{}
		}
	}
	r.over = true
	r.check()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// choose returns the holder that makes the next step. Where the given choices end, the same holder
// goes on.
func (r *interleaving) choose(ready []int) int {
	same := max(slices.Index(ready, r.last), 0)
	if len(ready) == 2 && (r.turns > 0 || r.last < 0) {
		n := len(r.options)
		if n == len(r.choices) {
			r.choices = append(r.choices, 0)
		}
		r.options = append(r.options, 2)
		if r.choices[n] == 1 {
			same = 1 - same
			if r.last >= 0 {
				r.turns--
			}
		}
	}
	r.last = ready[same]
	return r.last
}

// next returns the choices of the next run in depth-first order, nil after the last one.
func (r *interleaving) next() []int {
	for n := len(r.options) - 1; n >= 0; n-- {
		if r.choices[n]+1 < r.options[n] {
			next := slices.Clone(r.choices[:n+1])
			next[n]++
			return next
		}
	}
	return nil
}

// walk counts runs, and those that broke a promise.
type walk struct {
	t            testing.TB
	keys         crypto.KeyWrapper
	runs, broken int
}

// all walks through the interleavings of a plan. It reports whether any of them came to the fault.
func (w *walk) all(p plan) (faulted bool) {
	for choices := []int{}; choices != nil; {
		r := newInterleaving(w.t, w.keys, p, choices)
		r.run()
		w.runs++
		if len(r.broken) > 0 {
			if w.broken++; w.broken <= 5 {
				w.t.Errorf("%q\n%+v\n%s", r.broken, p, r.trail)
			}
		}
		faulted = faulted || r.faulted
		choices = r.next()
	}
	return faulted
}

// TestInvariant20EachInterleavingOfTwoHolders walks the interleavings of two holders. Then it
// walks those with one fault, at each commit and at each request to the provider. A holder that
// waits for the other one reads many times, so the number of interruptions is bounded. With
// INSTALLATION_LONG there are more of them, and faults at the reads too. Under the race detector
// there are fewer.
func TestInvariant20EachInterleavingOfTwoHolders(t *testing.T) {
	keys := fixture.RingWith(t, "k1", fixture.KEK)
	plain, faulty, everywhere := 3, 2, false
	switch {
	case os.Getenv("INSTALLATION_LONG") != "":
		plain, faulty, everywhere = 5, 3, true
	case raceEnabled:
		plain, faulty = 2, 1
	}
	for _, policy := range []refresh.Policy{refresh.Retry, refresh.Fail} {
		t.Run(string(policy), func(t *testing.T) {
			fixture.InBubble(t, func(t *testing.T) {
				w := walk{t: t, keys: keys}
				w.all(plan{policy: policy, turns: plain})
				without := w.runs
				for _, f := range faults {
					p := plan{policy: policy, fault: f, everywhere: everywhere, turns: faulty}
					for ; w.all(p); p.step++ {
					}
					if p.step == 0 {
						t.Errorf("no run came to fault %d", f)
					}
				}
				t.Logf("%d runs without a fault, %d with one; %d broke a promise",
					without, w.runs-without, w.broken)
			})
		})
	}
}
