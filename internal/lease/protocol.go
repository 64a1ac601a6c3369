package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation/internal/backoff"
	"github.com/go-installation/installation/refresh"
)

// ErrChanged means that a record is not as a View says.
var ErrChanged = errors.New("installation: the record changed meanwhile")

// ErrRefused means that a change of a record fails each time.
var ErrRefused = errors.New("installation: the record cannot be changed like this")

// View is what a read of a record shows.
type View struct {
	State      *State // nil = free
	Generation int64
	Credential int64 // number of the one that is sent; 0 = none that can be used up
	Token      int64 // number of what the last refresh brought
	Newest     int64 // number of the newest credential of any kind
	Epoch      int64 // of the namespace
	Provider   string

	Done   bool // there is nothing to send
	Usable bool // what the record has is still good for now
}

// of reports whether v has the same credentials as another view.
func (v View) of(other View) bool {
	return v.Generation == other.Generation && v.Credential == other.Credential &&
		v.Token == other.Token
}

// Record is a record with a credential to send, for one caller. It keeps what Send brought until
// Store or Drop.
type Record interface {
	// Look reads the record, with the credential for Send.
	Look(ctx context.Context) (View, error)
	// Change commits a lease, nil for free, if generation, credential and lease are those of v.
	// Otherwise the error is ErrChanged.
	Change(ctx context.Context, v View, next *State) error
	// Send sends the credential of the last Look. An error that is no *refresh.Error counts as one
	// with the answer Unknown.
	Send(ctx context.Context) error
	// Store commits what Send brought and frees the lease, if generation and credential are those
	// of v, whatever the lease is. If the record has it already, Store does nothing. Otherwise the
	// error is ErrChanged. It is ErrRefused if the record can never have what Send brought.
	Store(ctx context.Context, v View) error
	// Drop gives up what Send brought, because the record has another credential or none, or
	// because Store was refused.
	Drop(ctx context.Context)
}

// MinDuration is the shortest Options.Duration. A third of it has to be enough for a commit.
const MinDuration = 30 * time.Millisecond

// Options are those of one call.
type Options struct {
	Duration time.Duration // of a lease; sending and storing each get a third of it
	Patience time.Duration // how long to wait for others; 0 = not at all
	Fail     func(provider string) bool
	Now      func() time.Time // of the service
}

// Do sends the credential of a record once, unless there is nothing to send. If somebody else is
// sending it, Do waits and looks again. It returns nil if the record has what it should have, or
// what it has is good for now.
//
// Once the credential is sent, Do goes on although ctx ends, for at most two thirds of the duration
// of the lease.
func (m *Memory) Do(ctx context.Context, key Key, r Record, o Options) error {
	wait := backoff.Backoff{First: 20 * time.Millisecond, Longest: time.Second}
	var first *View
	changes := 0
	for start := read(m.clock); ; {
		if err := m.StoreLate(ctx, key); err != nil {
			return err
		}
		v, err := r.Look(ctx)
		if err != nil || v.Done {
			return err
		}
		if first == nil {
			first = &v
		}
		if v.Usable && !v.of(*first) {
			return nil // it is new, and the provider gives no better one
		}
		t := try{m: m, key: key, r: r, o: o, view: v}
		patience := o.Patience
		switch err = t.next(ctx); err {
		case nil:
			_, err = r.Look(ctx) // at what was stored
			return err
		case errAgain:
			if changes++; changes < maxChanges {
				continue
			}
		case errFull:
			patience = max(patience, o.Duration/3)
		case errWait:
		default:
			return t.excuse(ctx, err)
		}
		busy := &refresh.Error{Answer: refresh.Passing, Reason: refresh.Busy}
		if start.until(read(m.clock)) >= patience {
			return t.excuse(ctx, busy)
		}
		if wait.Wait(ctx) != nil {
			return t.excuse(ctx, busy)
		}
	}
}

// maxChanges is how often a call looks again at once. More often is no race: reads may lag.
const maxChanges = 10

// Results of a try that is not over.
var (
	errAgain = errors.New("installation: look again")
	errWait  = errors.New("installation: somebody else is sending")
	errFull  = errors.New("installation: enough requests are on their way to the provider")
)

// try is one attempt of a caller.
type try struct {
	m    *Memory
	key  Key
	r    Record
	o    Options
	view View
	rest *State // state after a lease without a request: free, or doubtful as before
}

// excuse returns nil instead of an error if what the record has is still good for now. A refusal
// for good stays an error.
func (t *try) excuse(ctx context.Context, err error) error {
	var e *refresh.Error
	switch {
	case !errors.As(err, &e):
		return err
	case t.view.Usable && e.Answer != refresh.Permanent:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// next does what the state of the record asks for. See the table in docs/refresh.md.
func (t *try) next(ctx context.Context) error {
	s := t.view.State
	doubtful := true
	switch {
	case s == nil, s.Credential != t.view.Credential:
		doubtful = false
	case s.Kind == Failed:
		return &refresh.Error{Answer: refresh.Permanent, Reason: s.Reason}
	case s.Kind == Sending && s.Epoch == t.view.Epoch && !t.m.ranOut(t.key, s):
		return errWait
	}
	doubtful = doubtful && t.view.Credential > 0
	if doubtful && t.o.Fail(t.view.Provider) {
		return t.again(t.r.Change(ctx, t.view, t.failure(refresh.Interrupted)))
	}
	if doubtful {
		t.rest = t.doubt(s.Reason)
	}
	if t.m.paused(t.key, t.view) {
		return &refresh.Error{Answer: refresh.Passing, Reason: refresh.Paused}
	}
	leave, p := t.m.gates.enter(t.view.Provider, read(t.m.clock).mono)
	switch p {
	case passFull:
		return errFull
	case passShut:
		return &refresh.Error{Answer: refresh.Passing, Reason: refresh.Paused}
	}
	defer func() { leave(answer{}) }() // if nothing was sent
	return t.send(ctx, leave)
}

// again turns success, and the news that the record changed, into another look at the record.
func (t *try) again(err error) error {
	if err == nil || errors.Is(err, ErrChanged) {
		return errAgain
	}
	return err
}

// failure is the state of a credential that is not sent any more.
func (t *try) failure(reason string) *State {
	now := t.o.Now()
	e := &refresh.Error{Answer: refresh.Permanent, Reason: reason}
	attempts, since := t.m.failed(t.key, t.view, e, now)
	return &State{
		Kind: Failed, Credential: t.view.Credential, Epoch: t.view.Epoch,
		Reason: e.Code(), Since: since, Attempts: attempts,
	}
}

// doubt is the state of a credential that was sent, with an unknown result.
func (t *try) doubt(reason string) *State {
	return &State{
		Kind: Doubtful, Credential: t.view.Credential, Epoch: t.view.Epoch, Reason: reason,
	}
}

// send takes the lease, sends and stores the result.
func (t *try) send(ctx context.Context, leave func(answer)) error {
	start := read(t.m.clock) // before the commit, so the lease ends here before it does for others
	mine := &State{
		Kind: Sending, Holder: holder(), Credential: t.view.Credential, Epoch: t.view.Epoch,
		Duration: t.o.Duration,
	}
	if err := t.r.Change(ctx, t.view, mine); err != nil {
		if errors.Is(err, ErrChanged) {
			return errAgain
		}
		t.free(ctx, mine) // perhaps it was committed
		return err
	}
	// The commit alone is no proof: a repeat of it can have found its own earlier try, and since
	// then somebody can have changed the record.
	now, err := t.r.Look(ctx)
	switch {
	case err != nil:
		t.free(ctx, mine)
		return err
	case !Same(now.State, mine) || now.Generation != t.view.Generation || now.Done:
		t.free(ctx, mine)
		return errAgain
	}
	t.view = now
	left := t.o.Duration/3 - start.until(read(t.m.clock))
	if err := ctx.Err(); err != nil || left <= 0 {
		t.free(ctx, mine)
		if err == nil {
			err = &refresh.Error{Answer: refresh.Passing, Reason: refresh.SlowStore}
		}
		return err
	}
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	err = t.r.Send(sending)
	return t.settle(ctx, err, leave)
}

// free ends a lease under which nothing was sent. If the commit fails, the lease runs out.
func (t *try) free(ctx context.Context, mine *State) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.o.Duration/3)
	defer cancel()
	v := t.view
	v.State = mine
	_ = t.r.Change(ctx, v, t.rest)
}

// settle commits what came of sending. It goes on although the caller's context ends.
func (t *try) settle(ctx context.Context, sent error, leave func(answer)) error {
	mono := read(t.m.clock).mono
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.o.Duration/3)
	defer cancel()
	if sent == nil {
		leave(answer{result: answered, at: mono})
		return t.store(ctx)
	}
	e := asError(sent)
	leave(answer{result: e.Answer, after: e.After, at: mono})
	var next *State
	switch e.Answer {
	case refresh.Permanent:
		next = t.failure(e.Reason)
	case refresh.Passing:
		t.m.failed(t.key, t.view, e, t.o.Now())
		next = t.rest
	default:
		t.m.failed(t.key, t.view, e, t.o.Now())
		next = t.doubt(e.Code())
	}
	err := insist(ctx, func() error { return t.r.Change(ctx, t.view, next) })
	if errors.Is(err, ErrChanged) && e.Answer == refresh.Permanent {
		return errAgain // somebody else sent it too, or another credential is stored by now
	}
	return e
}

// store commits the result. If the store is away for too long, the memory keeps the result.
func (t *try) store(ctx context.Context) error {
	t.m.succeeded(t.key)
	err := insist(ctx, func() error { return t.r.Store(ctx, t.view) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrChanged):
		t.r.Drop(ctx)
		return errAgain
	case errors.Is(err, ErrRefused):
		t.r.Drop(ctx)
		return fmt.Errorf("the result is lost, because it cannot be stored: %w", err)
	}
	t.m.keep(t.key, t.r, t.view)
	return fmt.Errorf("new tokens are not stored yet, and this process keeps them: %w", err)
}

// StoreLate stores the late result of a record. Without one it does nothing. If somebody else is
// storing it, StoreLate waits.
func (m *Memory) StoreLate(ctx context.Context, key Key) error {
	l := m.lateOf(key)
	if l == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	}
	if m.lateOf(key) != l {
		return nil
	}
	err := l.record.Store(ctx, l.view)
	switch {
	case errors.Is(err, ErrChanged):
		l.record.Drop(ctx)
		err = nil
	case errors.Is(err, ErrRefused):
		l.record.Drop(ctx)
		err = fmt.Errorf("an earlier result is lost, because it cannot be stored: %w", err)
	case err != nil:
		return fmt.Errorf("an earlier result is not stored yet: %w", err)
	}
	m.forget(key, l)
	return err
}

// insist calls f until it succeeds, says that another try cannot succeed, or ctx ends.
func insist(ctx context.Context, f func() error) error {
	pause := backoff.Backoff{First: 10 * time.Millisecond, Longest: 2 * time.Second}
	for {
		err := f()
		if err == nil || errors.Is(err, ErrChanged) || errors.Is(err, ErrRefused) {
			return err
		}
		if pause.Wait(ctx) != nil {
			return err
		}
	}
}

// asError returns what an error of Send says.
func asError(err error) *refresh.Error {
	e, ok := errors.AsType[*refresh.Error](err)
	switch {
	case !ok:
		return &refresh.Error{Answer: refresh.Unknown, Reason: refresh.NoAnswer, Err: err}
	case e == nil:
		return &refresh.Error{Answer: refresh.Unknown, Reason: refresh.NoAnswer}
	}
	return e
}

// holder returns a new random holder.
func holder() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails since Go 1.24
	return string(b)
}
