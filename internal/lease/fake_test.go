package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation/refresh"
)

// row is a record with a credential, and the provider that takes each credential once.
type row struct {
	mu    sync.Mutex
	view  View // Done and Usable are set by Look
	token int  // the stored credential
	valid int  // the one that the provider takes next
	sent  int
	spent int // requests with a credential that was used before
}

func newRow() *row {
	return &row{view: View{Generation: 1, Credential: 1, Epoch: 1, Provider: "crm"}}
}

// reconnect stores a new credential, as its user does.
func (r *row) reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.valid++
	r.token, r.view.State = r.valid, nil
	r.view.Credential++
}

// caller is one caller that wants another credential than the one it saw first.
type caller struct {
	*row
	seen    *View
	has     int // the credential of the last Look
	got     int // what Send brought
	stores  int // calls of Store
	dropped int
	usable  bool // the access token is still valid
	greedy  bool // wants another one each time

	// hooks, nil = none. An error of one before its method keeps the method from its effect.
	beforeLook, beforeChange, beforeStore func() error
	afterChange                           func(v View, next *State) error

	send func(ctx context.Context) error // in place of the provider
}

func call(hook func() error) error {
	if hook == nil {
		return nil
	}
	return hook()
}

func (c *caller) Look(ctx context.Context) (View, error) {
	if err := errors.Join(ctx.Err(), call(c.beforeLook)); err != nil {
		return View{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view
	if c.seen == nil {
		c.seen = &v
	}
	c.has, v.Usable = c.token, c.usable
	v.Done = !c.greedy && c.seen.Credential != v.Credential
	return v, nil
}

func (c *caller) Change(ctx context.Context, v View, next *State) error {
	if err := errors.Join(ctx.Err(), call(c.beforeChange)); err != nil {
		return err
	}
	c.mu.Lock()
	same := c.view.Credential == v.Credential && Same(c.view.State, v.State)
	if same {
		c.view.State = next
	}
	c.mu.Unlock()
	if !same {
		return ErrChanged
	}
	if c.afterChange != nil {
		return c.afterChange(v, next)
	}
	return nil
}

func (c *caller) Send(ctx context.Context) error {
	if c.send != nil {
		return c.send(ctx)
	}
	return c.rotate()
}

// rotate is the provider.
func (c *caller) rotate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent++; c.has != c.valid {
		c.spent++
		return &refresh.Error{Answer: refresh.Permanent, Reason: "invalid_grant"}
	}
	c.valid++
	c.got = c.valid
	return nil
}

func (c *caller) Store(ctx context.Context, v View) error {
	c.stores++
	if err := errors.Join(ctx.Err(), call(c.beforeStore)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.view.Credential == v.Credential:
		c.token, c.view.State = c.got, nil
		c.view.Credential++
		return nil
	case c.token == c.got:
		return nil
	}
	return ErrChanged
}

func (c *caller) Drop(context.Context) { c.dropped++ }

const length = time.Minute

func options(policy refresh.Policy) Options {
	return Options{
		Duration: length, Patience: length / 3, Now: time.Now,
		Fail: func(string) bool { return policy == refresh.Fail },
	}
}

// do calls Do of a process.
func (m *Memory) do(t *testing.T, c *caller, policy refresh.Policy) error {
	t.Helper()
	return m.Do(t.Context(), place, c, options(policy))
}

var errAway = errors.New("the store is away")

func isReason(err error, answer refresh.Answer, reason string) bool {
	e, ok := errors.AsType[*refresh.Error](err)
	return ok && e.Answer == answer && e.Reason == reason
}

// bubble runs a test in fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// advance moves the fake clock of a bubble. The test itself does not wait.
func advance(d time.Duration) { time.Sleep(d) } // all callers are in a bubble

// die makes a process take the lease and vanish: it sends, or not, and never says so.
func (r *row) die(t *testing.T, sends bool) {
	t.Helper()
	dead := &caller{row: r}
	dead.send = func(context.Context) error {
		if sends {
			_ = dead.rotate()
		}
		dead.beforeChange = func() error { return errAway }
		return &refresh.Error{Answer: refresh.Unknown}
	}
	if err := New(nil).do(t, dead, refresh.Retry); err == nil || r.view.State == nil {
		t.Fatalf("a process that vanished left %+v, error %v", r.view.State, err)
	}
}
