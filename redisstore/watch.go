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
	"github.com/go-installation/installation/internal/storecall"
)

// A store remembers events that it has seen. If one of them is gone, the data may have gone back to
// an older state. But a failover can lose the newest events. So an event becomes settled only if a
// comparison finds it, and began [Options.FailoverLoss] or more after the store saw it. For each
// bucket a store remembers the newest event, a settled one, and one that can become settled. If a
// settled event is gone, the store stops. If another one is gone, the store goes on, and Health
// reports the loss.
//
// A comparison looks for the remembered events of all buckets. After every answer, a call makes one
// if it is due; see comparisonDue. A commit also looks for the settled event of its bucket inside
// its script, so it never writes to a bucket that lacks the event.

// watch is what a store remembers of the events of its buckets. Times are in nanoseconds since the
// store was opened.
type watch struct {
	began    time.Time                // when the store was opened
	restored atomic.Pointer[restored] // nil until the data went back
	failures atomic.Uint64            // tries without an answer, and failed calls of follow
	asked    atomic.Int64             // when the client was last asked for its connections

	compared         atomic.Int64  // when a comparison last began because of the time
	comparedFailures atomic.Uint64 // failures before the last complete comparison
	connections      atomic.Uint32 // connections before the last complete comparison

	mu   sync.Mutex
	seen [MaxBuckets]seenEvents
	lost string // what a failover has lost, "" for nothing
}

// restored records that the data went back to an older state. It no longer applies once the store
// has adopted a meta other than in, because someone has then accepted the restore.
type restored struct {
	in  meta // that the store had when it noticed
	err error
}

func (w *watch) now() int64 { return int64(time.Since(w.began)) }

// seenEvents are IDs of events of one bucket. "" stands for none.
type seenEvents struct {
	newest  string
	waiting string // becomes settled next, because newest can change too often for that
	settled string

	newestAt, waitingAt int64 // when the store first saw newest and waiting
}

// saw remembers an event that is stored, unless it is older than newest.
func (e *seenEvents) saw(id string, now int64) {
	newest, _ := parseID(e.newest)
	if seen, ok := parseID(id); ok && newest.less(seen) {
		e.newest, e.newestAt = id, now
		if e.waiting == "" {
			e.waiting, e.waitingAt = id, now
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

// forget drops all remembered events. It is called when a restore was accepted.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.lost = [MaxBuckets]seenEvents{}, ""
}

// settled returns the event that a bucket must have, "" for none.
func (s *Store) settled(b bucket) string { return s.watch.of(b).settled }

// askEvery is how often a store asks its client at most whether it has made new connections. The
// client takes a lock for the answer.
const askEvery = 10 * time.Millisecond

// comparisonDue reports whether a call has to make a comparison: after [Options.CheckInterval],
// after a try that got no answer, and after a new connection. A comparison is also due after
// [Options.FailoverLoss], because only comparisons make events settled.
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
	if now-w.asked.Load() < int64(askEvery) {
		return false
	}
	w.asked.Store(now)
	return s.client.connections() != w.connections.Load()
}

// unlessRestored makes a comparison if one is due. It returns the error of the comparison, such as
// that the data went back to an older state, and otherwise err. Reads and commits call it after the
// server has answered, because a restored server answers like any other. If err is not an answer
// about the data, it makes no comparison.
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

// compare makes a comparison: it looks for the meta and for the remembered events in every bucket.
// If a settled event is gone, the store stops.
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
		w.failures.Add(1) // so the next call compares again
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
			err := storecall.Restored("bucket %d lacks event %s, which this process has seen",
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
// event that the log has becomes settled if the store saw it at the time until or earlier. Events
// that the store saw after it read the log are left to the next comparison.
func (w *watch) update(b bucket, log eventLog, until int64) {
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
	case log.has[e.newest] && e.newestAt <= until:
		e.settled, e.waiting = e.newest, ""
	case log.has[e.waiting] && e.waitingAt <= until:
		e.settled, e.waiting = e.waiting, ""
	}
	e.saw(log.newest, w.now())
}

// eventLog is what a comparison has read of a bucket.
type eventLog struct {
	hasMeta        bool
	has            map[string]bool // for each remembered event whether the log still has it
	oldest, newest string          // of the events that the log still has, "" for none
	first, last    string          // of all events ever written, "" for none
}

// lost reports whether the log lacks an event for another reason than trimming.
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

// readLogs looks for the meta and for the remembered events of each bucket, in one pipeline.
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

// queueLog queues the commands that read the log of a bucket. It returns a function that reads
// their results. Another client can trim the log between two commands. So the commands for the ends
// of the log come last: an event that was trimmed before its own command is then older than oldest.
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
