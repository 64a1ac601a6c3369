package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

// A store notices that its data went back to an older state, because events that it has seen are
// gone. For each bucket it remembers two events: the newest that it saw, and the newest that it saw
// more than [Options.FailoverLoss] ago. A failover can lose the newest events, so a store that
// lacks only the first one goes on, and Health reports it. A store that lacks the second one stops.
//
// Commits compare inside their script, so a store that remembers an event never writes to a bucket
// without it. Reads compare afterwards: with the first call after a new connection, and after each
// [Options.CheckInterval].

// watch is what a store remembers of the events of its buckets.
type watch struct {
	restored atomic.Pointer[storeError] // set once the data went back
	suspect  atomic.Bool                // a call has failed, so the next connection is a new one
	checked  atomic.Int64               // time of the last comparison in nanoseconds
	looked   atomic.Int64               // time when the client was last asked for its connections
	made     atomic.Uint32              // how many connections it had made by then

	mu   sync.Mutex
	seen [MaxBuckets]seenEvents
	lost string // what a failover has lost, "" for nothing
}

// seenEvents are IDs of events of one bucket. "" stands for none.
type seenEvents struct {
	newest       string
	waiting      string    // an older one, so that settled moves on while others follow
	settled      string    // seen more than FailoverLoss ago
	seen, waited time.Time // when newest and waiting were seen
}

func (e *seenEvents) saw(id string) {
	if e.newest != id {
		e.newest, e.seen = id, time.Now()
	}
	if e.waiting == "" && e.settled != id {
		e.waiting, e.waited = id, e.seen
	}
}

// of returns what is remembered of a bucket.
func (w *watch) of(b bucket, loss time.Duration) seenEvents {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.seen[b.number]
	switch {
	case e.newest != "" && time.Since(e.seen) >= loss:
		e.settled, e.waiting = e.newest, ""
	case e.waiting != "" && time.Since(e.waited) >= loss:
		e.settled, e.waiting = e.waiting, ""
	}
	return *e
}

// saw remembers that an event of a bucket is stored.
func (w *watch) saw(b bucket, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[b.number].saw(id)
}

// read remembers that a reader has received an event. It may be an old one.
func (w *watch) read(b bucket, id string) {
	w.mu.Lock()
	newest, _ := parseID(w.seen[b.number].newest)
	w.mu.Unlock()
	if read, ok := parseID(id); ok && newest.less(read) {
		w.saw(b, id)
	}
}

// forget makes a store remember nothing, after a restore was accepted.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.lost = [MaxBuckets]seenEvents{}, ""
	w.restored.Store(nil)
}

// settled returns the event that a bucket must have, "" for none.
func (s *Store) settled(b bucket) string { return s.watch.of(b, s.opts.FailoverLoss).settled }

// lookEvery is how often a store asks its client whether it has made connections. The answer takes
// a lock of the client. A call that fails is noticed at once.
const lookEvery = 10 * time.Millisecond

// comparisonDue reports whether a read has to compare what the store remembers.
func (s *Store) comparisonDue() bool {
	w, now := &s.watch, time.Now().UnixNano()
	if w.suspect.Load() || now-w.checked.Load() >= int64(s.opts.CheckInterval) {
		return true
	}
	if now-w.looked.Load() < int64(lookEvery) {
		return false
	}
	w.looked.Store(now)
	return s.client.connections() != w.made.Load()
}

// unlessRestored returns err, or an error if the data went back to an older state. Every method
// that reads calls it with its result: a restored server answers like any other.
func (s *Store) unlessRestored(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, installation.ErrNotFound) || !s.comparisonDue() {
		return err
	}
	return cmp.Or(s.compareAll(ctx), err)
}

// compareAll compares what the store remembers of all buckets.
func (s *Store) compareAll(ctx context.Context) error {
	s.watch.suspect.Store(false)
	s.watch.made.Store(s.client.connections())
	s.watch.checked.Store(time.Now().UnixNano())
	for _, b := range s.keys.all() {
		if err := s.compare(ctx, b); err != nil {
			s.watch.suspect.Store(true) // the next call has to compare again
			return err
		}
	}
	return nil
}

// compare compares what the store remembers of a bucket with what is there. If the bucket went
// back, the store stops.
func (s *Store) compare(ctx context.Context, b bucket) error {
	old := s.watch.of(b, s.opts.FailoverLoss)
	log, err := s.readLog(ctx, b, old)
	switch {
	case err != nil:
		return err
	case log.lacks(old.settled, log.settled):
		return s.stop(b, old.settled)
	}
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.seen[b.number]
	if *e != old {
		return nil // someone else has seen more; the next comparison looks at that
	}
	if log.lacks(old.newest, log.newest) {
		w.lost = fmt.Sprintf("bucket %d lacks event %s", b.number, old.newest)
	}
	if !log.newest {
		e.newest, e.waiting = "", "" // lost or trimmed, and the second may be too
	}
	if !log.settled {
		e.settled = "" // trimmed
	}
	if log.youngest != "" {
		e.saw(log.youngest)
	}
	return nil
}

// stop makes the store answer nothing but [installation.ErrRestored] until a restore is accepted.
func (s *Store) stop(b bucket, event string) error {
	err := errRestored("bucket %d lacks event %s, which this process has seen", b.number, event)
	s.watch.restored.Store(err)
	return err
}

// eventLog is what a bucket has of the events that a store remembers.
type eventLog struct {
	settled, newest  bool   // the log has these events
	oldest, youngest string // events that the log still has, "" for none
	first, last      string // events that were ever written, "" for none
}

// lacks reports whether the log has lost an event: it is not there and was not trimmed.
func (l eventLog) lacks(event string, has bool) bool {
	if event == "" || has {
		return false
	}
	id, _ := parseID(event)
	first, began := parseID(l.first)
	last, _ := parseID(l.last)
	oldest, some := parseID(l.oldest)
	if !began || id.less(first) || last.less(id) {
		return true
	}
	return some && !id.less(oldest)
}

// readLog reads what a bucket has of events, in one round trip.
func (s *Store) readLog(ctx context.Context, b bucket, e seenEvents) (log eventLog, err error) {
	var settled, newest, oldest, youngest *redis.XMessageSliceCmd
	var ends *redis.SliceCmd
	one, other := cmp.Or(e.settled, emptyLog), cmp.Or(e.newest, emptyLog)
	err = s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		settled = pipe.XRangeN(ctx, b.events(), one, one, 1)
		newest = pipe.XRangeN(ctx, b.events(), other, other, 1)
		oldest = pipe.XRangeN(ctx, b.events(), "-", "+", 1)
		youngest = pipe.XRevRangeN(ctx, b.events(), "+", "-", 1)
		ends = pipe.HMGet(ctx, b.fields(), fieldFirst, fieldLast)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return log, err
	}
	log.settled, log.newest = len(settled.Val()) > 0, len(newest.Val()) > 0
	for _, m := range oldest.Val() {
		log.oldest = m.ID
	}
	for _, m := range youngest.Val() {
		log.youngest = m.ID
	}
	log.first, _ = ends.Val()[0].(string)
	log.last, _ = ends.Val()[1].(string)
	return log, nil
}

// checkHistory is the finding about restores and failovers.
func (s *Store) checkHistory(ctx context.Context) health.Finding {
	err := s.ready(ctx)
	if err == nil {
		err = s.compareAll(ctx)
	}
	s.watch.mu.Lock()
	lost := s.watch.lost
	s.watch.mu.Unlock()
	switch {
	case errors.Is(err, installation.ErrRestored):
		return finding(health.Error, ruleHistory, "%s", textOf(err))
	case err != nil:
		return finding(health.Unknown, ruleHistory,
			"unknown whether events are gone: %s", textOf(err))
	case lost != "":
		return finding(health.Warning, ruleHistory,
			"the newest writes were lost, as in a failover: %s, which this process has seen", lost)
	default:
		return finding(health.OK, ruleHistory, "no event that this process has seen is lost")
	}
}
