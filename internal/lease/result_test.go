package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/refresh"
)

// away makes a store go away once the caller has sent, until a time.
func away(c *caller, d time.Duration) {
	c.send = func(context.Context) error {
		end := time.Now().Add(d)
		c.beforeStore = func() error {
			if time.Now().Before(end) {
				return errAway
			}
			return nil
		}
		return c.rotate()
	}
}

func TestResultIsStoredWhenTheStoreIsBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, m := newRow(), New(nil)
		a := &caller{row: r}
		away(a, length/3-3*time.Second)
		if err := m.do(t, a, refresh.Retry); err != nil || r.token != 1 || len(m.Late()) != 0 {
			t.Errorf("token %d, late %v, error %v", r.token, m.Late(), err)
		}
	})
}

// A process keeps a token that it cannot store, also if the store is away for longer than the
// process waits.
func TestLateResultIsStoredByTheNextCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, m := newRow(), New(nil)
		a := &caller{row: r}
		away(a, length/3+3*time.Second)
		start := time.Now()
		if err := m.do(t, a, refresh.Retry); !errors.Is(err, errAway) || len(m.Late()) != 1 {
			t.Errorf("late %v, error %v", m.Late(), err)
		}
		if got := time.Since(start); got != length/3 {
			t.Errorf("the caller waited %v for the store", got)
		}
		b := &caller{row: r}
		if err := m.do(t, b, refresh.Retry); !errors.Is(err, errAway) || r.sent != 1 {
			t.Errorf("while the store is away: %d sent, error %v", r.sent, err)
		}
		advance(3 * time.Second)
		b.seen = &View{Credential: 1}
		if err := m.do(t, b, refresh.Retry); err != nil || r.token != 1 || r.sent != 1 {
			t.Errorf("token %d, %d sent, error %v", r.token, r.sent, err)
		}
		if len(m.Late()) != 0 {
			t.Errorf("late %v", m.Late())
		}
	})
}

// lateCaller returns a caller whose result is late: the store goes away for the length of a lease.
func lateCaller(t *testing.T, m *Memory, r *row) *caller {
	t.Helper()
	a := &caller{row: r}
	away(a, length)
	if err := m.do(t, a, refresh.Retry); !errors.Is(err, errAway) {
		t.Fatalf("got %v, want the error of the store", err)
	}
	return a
}

func TestLateResultIsDroppedIfTheRecordChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, m := newRow(), New(nil)
		a := lateCaller(t, m, r)
		r.reconnect()
		advance(length)
		if err := m.StoreLate(t.Context(), place); err != nil || a.dropped != 1 || r.token != 2 {
			t.Errorf("%d dropped, token %d, error %v", a.dropped, r.token, err)
		}
		if len(m.Late()) != 0 {
			t.Errorf("late %v", m.Late())
		}
	})
}

// One caller at a time stores a late result, because a Record is not safe for concurrent use.
func TestLateResultIsStoredByOneCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, m := newRow(), New(nil)
		a := lateCaller(t, m, r)
		advance(length)
		before := a.stores
		a.beforeStore = func() error { advance(time.Second); return nil }
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := m.StoreLate(t.Context(), place); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if a.stores != before+1 || r.token != 1 {
			t.Errorf("%d calls of Store, token %d", a.stores-before, r.token)
		}
	})
}

func TestResultIsDroppedIfTheRecordChanged(t *testing.T) {
	r := newRow()
	a := &caller{row: r}
	a.send = func(context.Context) error {
		err := a.rotate()
		r.reconnect()
		return err
	}
	if err := New(nil).do(t, a, refresh.Retry); err != nil || a.dropped != 1 || r.token != 2 {
		t.Errorf("%d dropped, token %d, error %v", a.dropped, r.token, err)
	}
}

func TestResultIsStoredAlthoughTheCallerLeft(t *testing.T) {
	r := newRow()
	ctx, cancel := context.WithCancel(t.Context())
	a := &caller{row: r}
	a.send = func(sending context.Context) error {
		cancel()
		return errors.Join(sending.Err(), a.rotate())
	}
	err := New(nil).Do(ctx, place, a, options(refresh.Retry))
	if !errors.Is(err, context.Canceled) || r.token != 1 || r.view.State != nil {
		t.Errorf("token %d, lease %+v, error %v", r.token, r.view.State, err)
	}
}

func TestNothingIsSentForACallerWhoLeft(t *testing.T) {
	r := newRow()
	ctx, cancel := context.WithCancel(t.Context())
	a := &caller{row: r, afterChange: func(View, *State) error { cancel(); return nil }}
	err := New(nil).Do(ctx, place, a, options(refresh.Retry))
	if !errors.Is(err, context.Canceled) || r.sent != 0 || r.view.State != nil {
		t.Errorf("%d sent, lease %+v, error %v", r.sent, r.view.State, err)
	}
}

func TestPanicLeavesTheLeaseAndTheGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, m := newRow(), New(nil)
		a := &caller{row: r, send: func(context.Context) error { panic("in the host's function") }}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = m.do(t, a, refresh.Retry)
		}()
		one, _ := m.gates.byProvider.Get("crm")
		if one.inside != 0 || !r.view.State.Of(Sending, 1) {
			t.Errorf("%d inside the gate, lease %+v", one.inside, r.view.State)
		}
		m.ranOut(place, r.view.State)
		advance(length)
		if err := m.do(t, &caller{row: r}, refresh.Retry); err != nil {
			t.Errorf("after the lease ran out: %v", err)
		}
	})
}

func TestValidTokenExcusesWhatPasses(t *testing.T) {
	for _, answer := range []refresh.Answer{refresh.Passing, refresh.Unknown, refresh.Permanent} {
		r, m := newRow(), New(newManual())
		a := &caller{row: r, usable: true, send: func(context.Context) error {
			return &refresh.Error{Answer: answer}
		}}
		for range 2 { // the second call is in the pause
			err := m.do(t, a, refresh.Retry)
			if (answer == refresh.Permanent) != errors.Is(err, refresh.ErrFailed) ||
				answer != refresh.Permanent && err != nil {
				t.Errorf("%s: %v", answer, err)
			}
		}
	}
}

func TestShutGateSendsNothing(t *testing.T) {
	m := New(newManual())
	fail := func(context.Context) error { return &refresh.Error{Answer: refresh.Passing} }
	for n := range maxFailures {
		a := &caller{row: newRow(), send: fail}
		_ = m.Do(t.Context(), Key{ID: fmt.Sprint(n)}, a, options(refresh.Retry))
	}
	r := newRow()
	err := m.do(t, &caller{row: r}, refresh.Retry)
	if !isReason(err, refresh.Passing, refresh.Paused) || r.sent != 0 || r.view.State != nil {
		t.Errorf("%d sent, lease %+v, error %v", r.sent, r.view.State, err)
	}
}

func TestFullGateIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := New(nil)
		leave, _ := m.gates.enter("crm", 0)
		one, _ := m.gates.byProvider.Get("crm")
		one.slots = 1 // it is opening
		time.AfterFunc(length/6, func() { leave(answer{result: answered}) })
		o := options(refresh.Retry)
		o.Patience = 0
		if err := m.Do(t.Context(), place, &caller{row: newRow()}, o); err != nil {
			t.Error(err)
		}
	})
}

// A result that the store refuses for good is lost. The process does not keep it.
func TestRefusedResultIsDropped(t *testing.T) {
	refuse := func() error { return fmt.Errorf("%w: too large", ErrRefused) }
	bubble(t, func(t *testing.T) {
		start := time.Now()
		m := New(nil)
		a := &caller{row: newRow(), beforeStore: refuse}
		err := m.do(t, a, refresh.Retry)
		if !errors.Is(err, ErrRefused) || a.dropped != 1 || len(m.Late()) != 0 {
			t.Errorf("at once: %d dropped, late %v, error %v", a.dropped, m.Late(), err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the caller waited %v for a refusal", got)
		}
	})
	bubble(t, func(t *testing.T) {
		m := New(nil)
		a := lateCaller(t, m, newRow())
		a.beforeStore = refuse
		err := m.StoreLate(t.Context(), place)
		if !errors.Is(err, ErrRefused) || a.dropped != 1 || len(m.Late()) != 0 {
			t.Errorf("late: %d dropped, late %v, error %v", a.dropped, m.Late(), err)
		}
		if err := m.StoreLate(t.Context(), place); err != nil {
			t.Errorf("after the refusal: %v", err)
		}
	})
}
