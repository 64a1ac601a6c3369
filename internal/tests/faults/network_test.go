package faults

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// fate is what the network does with one message to the server.
type fate byte

const (
	delivered fate = iota
	notSent        // the dial fails: the message was surely not sent
	refused        // the server answers that it cannot execute anything now
	lost           // the message arrives, and its answer is lost
	late           // no answer comes in time; the message arrives after the next one
	veryLate       // no answer comes in time; the message arrives after the end of the call
)

func (f fate) String() string {
	return [...]string{"delivered", "not sent", "refused", "lost", "late", "very late"}[f]
}

// fault is what happens from one step on: a fate for each step, and the last one for ever if the
// fault is an outage.
type fault struct {
	fates  []fate
	outage bool
}

// fateAt returns the fate of a step, counted from the first step of the fault.
func (f fault) fateAt(n int) fate {
	switch {
	case n < 0 || len(f.fates) == 0:
		return delivered
	case n < len(f.fates):
		return f.fates[n]
	case f.outage:
		return notSent
	default:
		return delivered
	}
}

// delayed is a message that is still on its way.
type delayed struct {
	after int // the last step before it arrives
	run   func()
}

// network carries the messages of one client to a server, one step each. All of it runs in the
// goroutine of the caller.
type network struct {
	mu      sync.Mutex // guards step and onWay; storetest has cases with many goroutines
	step    int
	fault   fault
	faultAt int
	other   func() // what a second writer does
	otherAt int
	faulted bool // the fault has begun
	met     bool // the second writer has written
	onWay   []delayed
}

var (
	errNotSent = errors.New("not sent")
	errNoReply = errors.New("no answer")
)

// send carries one message. run is what it makes the server do. The error is nil if the answer
// arrived.
func (n *network) send(run func()) error {
	n.mu.Lock()
	step := n.step
	n.step++
	n.mu.Unlock()
	if step == n.otherAt && n.other != nil {
		n.met = true
		n.other()
	}
	f := n.fault.fateAt(step - n.faultAt)
	if f != delivered {
		n.faulted = true
	}
	defer n.arrive(step)
	switch f {
	case notSent, refused:
		return errNotSent
	case lost:
		run()
		return errNoReply
	case late:
		n.delay(delayed{step + 1, run})
		return errNoReply
	case veryLate:
		n.delay(delayed{1 << 30, run})
		return errNoReply
	default:
		run()
		return nil
	}
}

// arrive delivers the delayed messages that are due after a step.
func (n *network) arrive(step int) {
	n.mu.Lock()
	waiting := n.onWay
	n.onWay = nil
	n.mu.Unlock()
	for _, d := range waiting {
		if d.after <= step {
			d.run()
		} else {
			n.delay(d)
		}
	}
}

func (n *network) delay(d delayed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.onWay = append(n.onWay, d)
}

// settle delivers everything that is still on its way.
func (n *network) settle() { n.arrive(1 << 30) }

// clock is the clock of one walk. Each reading is a microsecond later than the one before.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Microsecond)
	return c.at
}

// client is the store that a service sees: the server behind a network. Commit sends the same
// change again if an answer does not arrive.
type client struct {
	*server
	*network
	namespaceSeen installation.Namespace
	newest        installation.Event // that this process knows of
	conflicted    bool               // the last try of the last commit was answered with a conflict
}

var (
	_ installation.Store       = (*client)(nil)
	_ installation.EventReader = (*client)(nil)
	_ installation.Namespacer  = (*client)(nil)
)

// connect returns a client of a new process, on a network without faults.
func (s *server) connect() *client {
	return &client{server: s, network: &network{otherAt: -1}}
}

// tries is how often a client sends one commit.
const tries = 3

// Commit implements [installation.Store].
func (c *client) Commit(
	ctx context.Context, change installation.Change,
) (receipt installation.Receipt, err error) {
	if err := ctx.Err(); err != nil {
		return receipt, err
	}
	uncertain := false
	for range tries {
		// What is sent does not change later: a delayed message has the state of this try.
		sent, again := change, uncertain
		var answer installation.Receipt
		var refusal error
		lostErr := c.send(func() {
			if refusal = c.check(); refusal == nil {
				answer, refusal = c.server.commit(sent, again)
			}
		})
		c.setConflicted(lostErr == nil && errors.Is(refusal, installation.ErrConflict))
		switch {
		case lostErr == nil:
			return c.answer(answer, refusal, uncertain)
		case errors.Is(lostErr, errNoReply):
			uncertain = true
			if err := c.brokenRetry(change); err != nil {
				return receipt, err
			}
		}
	}
	if uncertain {
		return receipt, installation.ErrUnknownOutcome
	}
	return receipt, installation.ErrUnavailable
}

func (c *client) setConflicted(v bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.conflicted = v
}

// answer interprets the answer to the last try.
func (c *client) answer(
	receipt installation.Receipt, err error, uncertain bool,
) (installation.Receipt, error) {
	conflict, _ := errors.AsType[*installation.ConflictError](err)
	switch {
	case err == nil:
		c.see()
		return receipt, nil
	case !uncertain, errors.Is(err, installation.ErrEpoch), conflict != nil && conflict.NotApplied:
		return receipt, err
	default:
		return receipt, installation.ErrUnknownOutcome
	}
}

// brokenRetry is what a client does after a lost answer if a rule is broken.
func (c *client) brokenRetry(change installation.Change) error {
	stored := int64(0)
	if r, err := c.server.get(change.Key); err == nil {
		stored = r.Revision
	}
	switch {
	case c.broke.newChange:
		return &installation.ConflictError{Key: change.Key, Revision: stored}
	case c.broke.ifProves && stored == change.If:
		return &installation.ConflictError{Key: change.Key, Revision: stored, NotApplied: true}
	}
	return nil
}

// read carries a request that changes nothing.
func (c *client) read(ctx context.Context, run func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if c.send(func() {
		if err = c.check(); err == nil {
			err = run()
		}
	}) != nil {
		return installation.ErrUnavailable
	}
	if err == nil {
		c.see()
	}
	return err
}

// Get implements [installation.Store].
func (c *client) Get(
	ctx context.Context, key installation.Key,
) (r *installation.Record, err error) {
	err = c.read(ctx, func() (err error) { r, err = c.server.get(key); return err })
	return r, err
}

// List implements [installation.Store].
func (c *client) List(
	ctx context.Context, q installation.Query,
) (page installation.Page, err error) {
	err = c.read(ctx, func() (err error) {
		if err = q.Validate(); err == nil {
			page = c.server.list(q)
		}
		return err
	})
	return page, err
}

// Outcome implements [installation.Store].
func (c *client) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (o *installation.Outcome, err error) {
	err = c.read(ctx, func() (err error) { o, err = c.server.outcome(tenant, d); return err })
	return o, err
}

// Events implements [installation.EventReader].
func (c *client) Events(
	ctx context.Context, q installation.EventQuery,
) (page installation.EventPage, err error) {
	err = c.read(ctx, func() (err error) { page, err = c.server.events(q); return err })
	return page, err
}
