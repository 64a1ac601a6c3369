package pgstore

import (
	"context"
	"sync"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// watch remembers how far the change log has come, to notice data that went back to an older state.
// Events have serial numbers. A look finds the last number of the log. A number is settled if a
// second look, at least Options.FailoverLoss later, finds that number or a higher one. The log ends
// before a settled number only if the data was restored.
type watch struct {
	mu      sync.Mutex
	next    time.Time // of the next look
	settled int64
	waiting int64 // to become settled; 0 = none
	since   time.Time
	made    int64 // connections, as far as calls have seen
}

// due reports whether it is time for a look. The caller then has to look, because other calls are
// told that it is not.
func (w *watch) due(now time.Time, interval time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.next) {
		return false
	}
	w.next = now.Add(interval)
	return true
}

// soon makes the next call look.
func (w *watch) soon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = time.Time{}
}

// reconnected reports whether connections were made since the last call. A call may come late, with
// a lower number than an earlier one, or with 0 from a transaction of the host.
func (w *watch) reconnected(made int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.made
	w.made = max(before, made)
	return made > before
}

// forget forgets all numbers: with a new epoch they may be lower.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled, w.waiting = 0, 0
}

// lowest returns the lowest number that the log must have reached.
func (w *watch) lowest() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settled
}

// saw notes how far a look has found the log. It returns false if that is below a settled number.
func (w *watch) saw(reached int64, now time.Time, loss time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case reached < w.settled:
		return false
	case reached < w.waiting: // a failover may lose the newest events
		w.waiting = 0
	case w.waiting > 0 && now.Sub(w.since) >= loss:
		w.settled, w.waiting = w.waiting, 0
	}
	if w.waiting == 0 {
		w.waiting, w.since = reached, now
	}
	return true
}

// watched returns a try that first looks whether the data went back, if it is time for that. It
// does not look afterwards: an error of that look would hide that a write was applied.
func (s *Store) watched(try func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.look(ctx); err != nil {
			return storecall.NotSent{Err: err} // the try has sent nothing
		}
		err := try(ctx)
		if err != nil {
			s.watch.soon() // it may come from a server that was restored
		}
		return err
	}
}

// watchedRead is watched for reads. It looks again after an answer on a new connection, because
// that may be one to a server that was restored.
func (s *Store) watchedRead(try func(context.Context) error) func(context.Context) error {
	return s.watched(func(ctx context.Context) error {
		err := try(ctx)
		if err == nil && s.watch.reconnected(s.connections()) {
			s.watch.soon()
			err = s.look(ctx)
		}
		return err
	})
}

// connections returns how many connections the pool has made. In a transaction it is 0.
func (s *Store) connections() int64 {
	if q, ok := s.db.(poolQuerier); ok {
		return q.pool.Stat().NewConnsCount()
	}
	return 0
}

// look compares the namespace and the log with what this process has seen.
func (s *Store) look(ctx context.Context) error {
	now := time.Now()
	if s.inTx || !s.watch.due(now, s.opts.FailoverLoss) {
		return nil
	}
	in, reached, err := s.readNamespace(ctx)
	if err == nil && s.wentBack(in, reached, now) {
		err = s.restored(in)
	}
	if err != nil {
		s.watch.soon()
	}
	return err
}

// wentBack reports whether a look has found an older state than this process has seen.
func (s *Store) wentBack(in installation.Namespace, reached int64, now time.Time) bool {
	known := s.known.Load()
	switch {
	case in.ID != known.ID, in.Epoch < known.Epoch:
		return true
	case in.Epoch > known.Epoch: // somebody has accepted a restore
		s.adopt(in)
	}
	return !s.watch.saw(reached, now, s.opts.FailoverLoss)
}

// askNamespace reads the namespace, and how far the log has come. It retries.
func (s *Store) askNamespace(
	ctx context.Context,
) (in installation.Namespace, reached int64, err error) {
	err = s.ask(ctx, func(ctx context.Context) (err error) {
		in, reached, err = s.readNamespace(ctx)
		return err
	})
	return in, reached, err
}

func (s *Store) readNamespace(
	ctx context.Context,
) (in installation.Namespace, reached int64, err error) {
	err = s.db.query(ctx, s.text.namespace, nil, func(r row) error {
		return r.Scan(&in.ID, &in.Epoch, &in.Era, &reached)
	})
	return in, reached, err
}

// restored returns the error of a call that found another namespace, an older epoch, or a log that
// ends before a settled number.
func (s *Store) restored(found installation.Namespace) error {
	s.watch.soon()
	known := s.known.Load()
	if found.ID == known.ID && found.Epoch == known.Epoch {
		return storecall.Restored("event %d, which this process has seen, is gone",
			s.watch.lowest())
	}
	return storecall.Restored("the namespace was %s at epoch %d and is %s at epoch %d", known.ID,
		known.Epoch, found.ID, found.Epoch)
}
