package lease

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation/refresh"
)

func TestDoSendsOnceAndStores(t *testing.T) {
	r := newRow()
	m := New(nil)
	for range 2 {
		if err := m.do(t, &caller{row: r}, refresh.Fail); err != nil {
			t.Fatal(err)
		}
	}
	if r.sent != 2 || r.spent != 0 || r.token != r.valid || r.view.State != nil {
		t.Errorf("%d sent, %d spent, token %d, valid %d, lease %+v",
			r.sent, r.spent, r.token, r.valid, r.view.State)
	}
}

// If a holder counted from the commit of its lease, it would think that it has more time than the
// others give it.
func TestLeaseCountsFromBeforeItIsCommitted(t *testing.T) {
	c := newManual()
	r := newRow()
	a := &caller{row: r, beforeChange: func() error { c.pass(length / 3); return nil }}
	if err := New(c).do(t, a, refresh.Retry); !isReason(err, refresh.Passing, "slow-store") {
		t.Errorf("got %v", err)
	}
	if r.sent != 0 || r.view.State != nil {
		t.Errorf("%d sent, lease %+v", r.sent, r.view.State)
	}
}

// The monotonic clock can stand still while the machine is suspended, and the wall clock can be put
// back. A holder that trusts only one of them sends after others took over.
func TestHolderGoesByBothClocks(t *testing.T) {
	for name, test := range map[string]struct{ mono, wall time.Duration }{
		"suspended": {0, length}, "put back": {length, -time.Hour},
	} {
		c := newManual()
		r := newRow()
		a := &caller{row: r, afterChange: func(View, *State) error {
			c.move(test.mono, test.wall)
			return nil
		}}
		err := New(c).do(t, a, refresh.Retry)
		if !isReason(err, refresh.Passing, "slow-store") || r.sent != 0 {
			t.Errorf("%s: %d sent, error %v", name, r.sent, err)
		}
	}
}

func TestSendGetsAThirdOfTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRow()
		a := &caller{row: r, beforeChange: func() error { advance(time.Second); return nil }}
		a.send = func(ctx context.Context) error {
			start := time.Now()
			<-ctx.Done()
			if got := time.Since(start); got != length/3-time.Second {
				t.Errorf("Send had %v", got)
			}
			return ctx.Err()
		}
		err := New(nil).do(t, a, refresh.Retry)
		late := errors.Is(err, context.DeadlineExceeded)
		if !late || !isReason(err, refresh.Unknown, "no-answer") {
			t.Errorf("got %v", err)
		}
	})
}

// A process stores a token and dies before it frees the lease. The lease names the credential that
// was sent, so the next process does not mark a good connection.
func TestLeaseOfAnotherCredentialIsFree(t *testing.T) {
	for _, kind := range []Kind{Sending, Doubtful, Failed} {
		r := newRow()
		r.view.State = &State{Kind: kind, Credential: 1, Epoch: 1, Duration: length}
		r.view.Credential = 2
		if err := New(nil).do(t, &caller{row: r}, refresh.Fail); err != nil || r.sent != 1 {
			t.Errorf("kind %d: %d sent, error %v", kind, r.sent, err)
		}
	}
}

// The process remembers when it first saw a lease. Otherwise callers who wait for less than a lease
// never see one run out.
func TestSeenLeasesStayInMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRow()
		r.die(t, false)
		m := New(nil)
		var errs []error
		start := time.Now()
		for len(errs) < 10 {
			err := m.do(t, &caller{row: r}, refresh.Retry)
			if err == nil {
				break
			}
			errs = append(errs, err)
		}
		if slices.ContainsFunc(errs, func(err error) bool {
			return !isReason(err, refresh.Passing, refresh.Busy)
		}) {
			t.Errorf("got %v", errs)
		}
		if got := time.Since(start); len(errs) == 0 || got < length || got > length+2*time.Second {
			t.Errorf("the lease ran out after %v, in call %d", got, len(errs)+1)
		}
	})
}

func TestLeaseOfAnotherEpochHasRunOut(t *testing.T) {
	for policy, sent := range map[refresh.Policy]int{refresh.Retry: 1, refresh.Fail: 0} {
		t.Run(string(policy), func(t *testing.T) {
			r := newRow()
			r.view.State = &State{Kind: Sending, Credential: 1, Epoch: 1, Duration: length}
			r.view.Epoch = 2 // a restore was accepted
			err := New(nil).do(t, &caller{row: r}, policy)
			if r.sent != sent || (policy == refresh.Fail) != errors.Is(err, refresh.ErrFailed) {
				t.Errorf("%d sent, error %v", r.sent, err)
			}
		})
	}
}

// A sends and dies. B takes over the lease and gets no tokens. C must know that the token may be
// spent.
func TestDoubtOutlivesAHolderThatDidNotSend(t *testing.T) {
	for name, spoil := range map[string]func(b *caller){
		"slow store": func(b *caller) {
			b.afterChange = func(View, *State) error { advance(length); return nil }
		},
		"refused": func(b *caller) {
			b.send = func(context.Context) error {
				return &refresh.Error{Answer: refresh.Passing, Reason: "429"}
			}
		},
		"no second look": func(b *caller) {
			b.afterChange = func(View, *State) error {
				b.beforeLook = func() error { return errAway }
				return nil
			}
		},
		"lost answer": func(b *caller) {
			b.afterChange = func(View, *State) error { b.afterChange = nil; return errAway }
		},
	} {
		t.Run(name, func(t *testing.T) { bubble(t, func(t *testing.T) { checkDoubt(t, spoil) }) })
	}
}

func checkDoubt(t *testing.T, spoil func(b *caller)) {
	t.Helper()
	r := newRow()
	r.die(t, true)
	m, b := New(nil), &caller{row: r}
	spoil(b)
	m.ranOut(place, r.view.State)
	advance(length)
	if err := m.do(t, b, refresh.Retry); err == nil {
		t.Fatal("B succeeded")
	}
	if !r.view.State.Of(Doubtful, 1) {
		t.Errorf("B left %+v", r.view.State)
	}
	sent := r.sent
	err := New(nil).do(t, &caller{row: r}, refresh.Fail)
	if r.sent != sent || !isReason(err, refresh.Permanent, refresh.Interrupted) {
		t.Errorf("C sent %d times, error %v", r.sent-sent, err)
	}
}

// A token whose answer was lost may be spent. Only the policy Retry sends it again.
func TestUnknownLeavesDoubt(t *testing.T) {
	for policy, spent := range map[refresh.Policy]int{refresh.Retry: 1, refresh.Fail: 0} {
		t.Run(string(policy), func(t *testing.T) {
			c, r := newManual(), newRow()
			a := &caller{row: r}
			a.send = func(context.Context) error { return errors.Join(a.rotate(), errAway) }
			m := New(c)
			err := m.do(t, a, policy)
			if !isReason(err, refresh.Unknown, "no-answer") || !r.view.State.Of(Doubtful, 1) {
				t.Errorf("lease %+v, error %v", r.view.State, err)
			}
			c.pass(firstPause)
			err = m.do(t, &caller{row: r}, policy)
			if r.spent != spent || !errors.Is(err, refresh.ErrFailed) {
				t.Errorf("%d spent, error %v", r.spent, err)
			}
		})
	}
}

// The answer to the commit of a lease is lost, and a retry recognizes the commit. This is no proof
// that the lease is still there: a user may have reconnected in between. Without another look, the
// holder and somebody else send the new token.
func TestHolderLooksAgainBeforeItSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRow()
		end := make(chan error)
		a, b := &caller{row: r, greedy: true}, &caller{row: r}
		b.send = func(context.Context) error { // while A goes on
			end <- nil
			<-end
			return b.rotate()
		}
		a.afterChange = func(View, *State) error {
			a.afterChange = nil
			r.reconnect()
			go func() { end <- New(nil).do(t, b, refresh.Fail) }()
			return <-end
		}
		if err := New(nil).do(t, a, refresh.Fail); !isReason(err, refresh.Passing, refresh.Busy) {
			t.Errorf("A got %v", err)
		}
		end <- nil
		if err := <-end; err != nil || r.sent != 1 || r.spent != 0 {
			t.Errorf("%d sent, %d spent; B got %v", r.sent, r.spent, err)
		}
	})
}

// A dead token is sent once, and not with every call.
func TestFailedIsNotSentAgain(t *testing.T) {
	r := newRow()
	r.token = -1
	for range 5 {
		err := New(nil).do(t, &caller{row: r}, refresh.Retry)
		if !isReason(err, refresh.Permanent, "invalid_grant") {
			t.Errorf("got %v", err)
		}
	}
	if r.sent != 1 {
		t.Errorf("%d sent", r.sent)
	}
}

// Nothing is marked if another token was stored in the meantime.
func TestPermanentMarksOnlyTheTokenThatWasSent(t *testing.T) {
	r := newRow()
	a := &caller{row: r}
	a.send = func(context.Context) error {
		a.send = nil
		r.reconnect()
		return &refresh.Error{Answer: refresh.Permanent, Reason: "invalid_grant"}
	}
	if err := New(nil).do(t, a, refresh.Retry); err != nil || r.view.State != nil {
		t.Errorf("lease %+v, error %v", r.view.State, err)
	}
}

// lagging is a record whose reads never show the lease that was just taken.
type lagging struct {
	*caller
	looks int
}

func (l *lagging) Look(ctx context.Context) (View, error) {
	v, err := l.caller.Look(ctx)
	v.State = nil
	if l.looks++; l.looks > 10_000 {
		return v, errAway
	}
	return v, err
}

// Reads from a replica that lags do not make a caller take the lease again and again.
func TestCallerGivesUpIfReadsLag(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRow()
		l := &lagging{caller: &caller{row: r}}
		start := time.Now()
		err := New(nil).Do(t.Context(), place, l, options(refresh.Retry))
		if !isReason(err, refresh.Passing, refresh.Busy) || r.sent != 0 {
			t.Errorf("%d sent, error %v", r.sent, err)
		}
		if got := time.Since(start); l.looks > 200 || got < length/3 || got > length/2 {
			t.Errorf("%d reads in %v", l.looks, got)
		}
	})
}

// A nil *refresh.Error in an error is an error like any other: the credential may be used.
func TestNilErrorLeavesDoubt(t *testing.T) {
	r := newRow()
	a := &caller{row: r, send: func(context.Context) error { return (*refresh.Error)(nil) }}
	err := New(newManual()).do(t, a, refresh.Retry)
	if !isReason(err, refresh.Unknown, refresh.NoAnswer) || !r.view.State.Of(Doubtful, 1) {
		t.Errorf("lease %+v, error %v", r.view.State, err)
	}
}
