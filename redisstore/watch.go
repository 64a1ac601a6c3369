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
// gone. A failover can lose the newest events. So an event is settled only after a comparison that
// began [Options.FailoverLoss] after the store saw the event, and still found it. For each bucket a
// store remembers the newest event and a settled one. If only the newest is gone, the store goes
// on, and Health reports the loss. If a settled event is gone, the store stops.
//
// A commit looks for the settled event inside its script, so it never writes to a bucket that lacks
// the event. After every answer, a call compares all buckets if a comparison is due; see
// comparisonDue.

// watch is what a store remembers of the events of its buckets. Times are since it was opened.
type watch struct {
	began    time.Time
	restored atomic.Pointer[restored] // set once the data went back
	failures atomic.Uint64            // calls that got no answer, and comparisons that failed
	looked   atomic.Int64             // when the client was last asked for its connections

	// of the last comparison
	compared         atomic.Int64 // when it was made
	comparedFailures atomic.Uint64
	connections      atomic.Uint32

	mu   sync.Mutex
	seen [MaxBuckets]seenEvents
	lost string // what a failover has lost, "" for nothing
}

// restored says that the data went back to an older state. That is over once the store has adopted
// another meta than in: then someone has accepted it.
type restored struct {
	in  meta
	err error
}

func (w *watch) now() int64 { return int64(time.Since(w.began)) }

// seenEvents are IDs of events of one bucket. "" stands for none.
type seenEvents struct {
	newest       string
	waiting      string // can become settled; newest can change too often for that
	settled      string
	seen, waited int64 // when newest and waiting were seen
}

// saw remembers an event that is stored, unless it is an older one.
func (e *seenEvents) saw(id string, now int64) {
	newest, _ := parseID(e.newest)
	if seen, ok := parseID(id); ok && newest.less(seen) {
		e.newest, e.seen = id, now
		if e.waiting == "" {
			e.waiting, e.waited = id, now
		}
	}
}

// of returns what is remembered of a bucket.
func (w *watch) of(b bucket) seenEvents {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[b.number]
}

// saw remembers that an event of a bucket is stored.
func (w *watch) saw(b bucket, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[b.number].saw(id, w.now())
}

// forget makes a store remember nothing, after a restore was accepted.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.lost = [MaxBuckets]seenEvents{}, ""
}

// settled returns the event that a bucket must have, "" for none.
func (s *Store) settled(b bucket) string { return s.watch.of(b).settled }

// lookEvery is how often a store asks its client whether it has made connections. It does not ask
// more often, because the answer takes a lock of the client.
const lookEvery = 10 * time.Millisecond

// comparisonDue reports whether a call has to compare what the store remembers with the buckets:
// after [Options.CheckInterval], after a call that got no answer, and after a new connection. Only
// comparisons make events settled, so one is also due after [Options.FailoverLoss].
func (s *Store) comparisonDue() bool {
	w := &s.watch
	now, last := w.now(), w.compared.Load()
	interval := min(s.opts.CheckInterval, s.opts.FailoverLoss)
	if now-last >= int64(interval) && w.compared.CompareAndSwap(last, now) {
		return true
	}
	if w.failures.Load() != w.comparedFailures.Load() {
		return true
	}
	if now-w.looked.Load() < int64(lookEvery) {
		return false
	}
	w.looked.Store(now)
	return s.client.connections() != w.connections.Load()
}

// unlessRestored returns err, or an error if the data went back to an older state. Reads and
// commits call it after the server has answered, because a restored server answers like any other.
func (s *Store) unlessRestored(ctx context.Context, err error) error {
	gone := errors.Is(err, installation.ErrNotFound) || errors.Is(err, installation.ErrTrimmed)
	switch {
	case err != nil && !gone:
		return err
	case s.comparisonDue():
		return cmp.Or(s.compare(ctx), err)
	}
	return err
}

// compare looks for the meta and the events that the store remembers. If a settled event is gone,
// the store stops.
func (s *Store) compare(ctx context.Context) error {
	w, in, began := &s.watch, s.meta(), s.watch.now()
	failures, connections := w.failures.Load(), s.client.connections()
	buckets := s.keys.all()
	remembered := make([]seenEvents, len(buckets))
	for i, b := range buckets {
		remembered[i] = w.of(b)
	}
	logs, err := s.readLogs(ctx, in, buckets, remembered)
	if err != nil {
		return err
	}
	for i, b := range buckets {
		if !logs[i].hasMeta {
			if err := s.follow(ctx, b, in); err != nil {
				w.failures.Add(1) // so the next call compares again
				return err
			}
			return s.compare(ctx) // in the new epoch
		}
		if event := remembered[i].settled; logs[i].lost(event) {
			err := errRestored("bucket %d lacks event %s, which this process has seen",
				b.number, event)
			w.restored.Store(&restored{in, err})
			return err
		}
		w.update(b, logs[i], began-int64(s.opts.FailoverLoss))
	}
	w.comparedFailures.Store(failures)
	w.connections.Store(connections)
	return nil
}

// update forgets the events that the log of a bucket lacks, and remembers the newest of the log. An
// event that the log has becomes settled if the store saw it at the time old or earlier. The next
// comparison looks for the events that the store has seen since it read the log.
func (w *watch) update(b bucket, log eventLog, old int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.seen[b.number]
	for _, event := range []*string{&e.newest, &e.waiting, &e.settled} {
		has, looked := log.has[*event]
		if log.lost(*event) && looked {
			w.lost = fmt.Sprintf("bucket %d lacks event %s", b.number, *event)
		}
		if looked && !has {
			*event = ""
		}
	}
	switch {
	case log.has[e.newest] && e.seen <= old:
		e.settled, e.waiting = e.newest, ""
	case log.has[e.waiting] && e.waited <= old:
		e.settled, e.waiting = e.waiting, ""
	}
	e.saw(log.newest, w.now())
}

// eventLog is what a bucket has of the events that a store remembers.
type eventLog struct {
	hasMeta        bool
	has            map[string]bool // of the events that were looked for
	oldest, newest string          // ends of what the log still has, "" for none
	first, last    string          // the first and the last event ever written, "" for none
}

// lost reports whether the log lacks an event that was not trimmed.
func (l eventLog) lost(event string) bool {
	if event == "" || l.has[event] {
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

// readLogs reads what buckets have of the events that a store remembers, in one round trip.
func (s *Store) readLogs(
	ctx context.Context, in meta, buckets []bucket, remembered []seenEvents,
) (logs []eventLog, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		var results []func() eventLog
		for i, b := range buckets {
			results = append(results, queueLog(ctx, pipe, in, b, remembered[i]))
		}
		commands, _ := pipe.Exec(ctx) // each has its own error
		for _, cmd := range commands {
			if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		logs = nil
		for _, result := range results {
			logs = append(logs, result())
		}
		return nil
	})
	return logs, err
}

// queueLog queues the commands that read the log of a bucket. The function it returns reads their
// results. Another client can trim the log between two commands. So the ends come last: an event
// that was trimmed before it was looked for is then older than the oldest.
func queueLog(
	ctx context.Context, pipe redis.Pipeliner, in meta, b bucket, e seenEvents,
) func() eventLog {
	found := pipe.ZScore(ctx, b.index(), in.member())
	looks := make(map[string]*redis.XMessageSliceCmd)
	for _, id := range []string{e.newest, e.waiting, e.settled} {
		if id != "" && looks[id] == nil {
			looks[id] = pipe.XRangeN(ctx, b.events(), id, id, 1)
		}
	}
	ends := pipe.HMGet(ctx, b.fields(), fieldFirst, fieldLast)
	oldest := pipe.XRangeN(ctx, b.events(), "-", "+", 1)
	newest := pipe.XRevRangeN(ctx, b.events(), "+", "-", 1)
	return func() eventLog {
		log := eventLog{hasMeta: found.Err() == nil, has: make(map[string]bool)}
		log.first, _ = ends.Val()[0].(string)
		log.last, _ = ends.Val()[1].(string)
		for _, m := range oldest.Val() {
			log.oldest = m.ID
		}
		for _, m := range newest.Val() {
			log.newest = m.ID
		}
		for id, look := range looks {
			log.has[id] = len(look.Val()) > 0
		}
		return log
	}
}

// checkHistory is the finding about restores and failovers.
func (s *Store) checkHistory(ctx context.Context) health.Finding {
	err := s.ready(ctx)
	if err == nil {
		err = s.compare(ctx)
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
