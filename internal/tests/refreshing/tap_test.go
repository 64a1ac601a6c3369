package refreshing

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-installation/installation"
)

// tap is a store that a test can make fail, wait, or lose answers.
type tap struct {
	installation.Decorator

	mu sync.Mutex
	on func(c *call) error
}

// call is a call of the store.
type call struct {
	method string // Get or Commit
	change installation.Change
	do     func() error // makes the call
}

func newTap(beneath installation.Store) *tap {
	return &tap{Decorator: installation.Decorator{Store: beneath}}
}

// set makes each call of Get and Commit run on, which makes the call or not. nil ends this.
func (s *tap) set(on func(c *call) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
}

func (s *tap) run(c *call) error {
	s.mu.Lock()
	on := s.on
	s.mu.Unlock()
	if on == nil {
		return c.do()
	}
	return on(c)
}

func (s *tap) Get(
	ctx context.Context, key installation.Key,
) (r *installation.Record, err error) {
	err = s.run(&call{method: "Get", do: func() (err error) {
		r, err = s.Store.Get(ctx, key)
		return err
	}})
	return r, err
}

func (s *tap) Commit(
	ctx context.Context, c installation.Change,
) (receipt installation.Receipt, err error) {
	err = s.run(&call{method: "Commit", change: c, do: func() (err error) {
		receipt, err = s.Store.Commit(ctx, c)
		return err
	}})
	return receipt, err
}

// Errors of a store that is away, and of one that lost its answer.
var (
	errAway = fmt.Errorf("%w: connection refused", installation.ErrUnavailable)
	errLost = fmt.Errorf("%w: connection reset", installation.ErrUnknownOutcome)
)

// away is a store that cannot be reached.
func away(*call) error { return errAway }

// nth returns a hook that runs on for the nth call of a method, from 1, and makes the other calls.
func nth(n int, method string, on func(c *call) error) func(c *call) error {
	return func(c *call) error {
		if c.method != method {
			return c.do()
		}
		if n--; n != 0 {
			return c.do()
		}
		return on(c)
	}
}
