package storetest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-installation/installation"
)

// followFlaws let events appear behind a cursor.
var followFlaws = []flaw{
	{
		name:    "numbers an event before its transaction",
		inflict: func(d *decorator) { delayEvent(d, 1) },
		fails:   []string{"events/followed"},
	},
	{
		name:    "numbers an event in the middle of the log before its transaction",
		inflict: func(d *decorator) { delayEvent(d, 60) },
		fails:   []string{"events/followed"},
	},
}

// delayEvent lets the nth commit of the writers draw a position at once, but hides its event and
// keeps the commit waiting until a reader has received a later event. That is a store whose
// sequence number is drawn before the transaction that makes the event visible. The other writers
// have commits left then, so a later event always comes.
func delayEvent(d *decorator, nth int64) {
	passed := make(chan struct{})
	pass := sync.OnceFunc(func() { close(passed) })
	var commits atomic.Int64
	var delayed atomic.Pointer[string] // the reason of the event
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		if c.Key.Tenant != followed || len(c.Events) == 0 || commits.Add(1) != nth {
			return commit(ctx, c)
		}
		delayed.Store(&c.Events[0].Reason)
		r, err := commit(ctx, c)
		<-passed
		return r, err
	}
	events := d.onEvents
	d.onEvents = func(
		ctx context.Context, q installation.EventQuery,
	) (installation.EventPage, error) {
		if q.Limit < 1 || q.Limit > installation.MaxPage {
			return events(ctx, q)
		}
		limit := q.Limit
		q.Limit = min(limit+1, installation.MaxPage) // one more, in place of the hidden one
		page, err := events(ctx, q)
		hidden := slices.IndexFunc(page.Events, func(e installation.Event) bool {
			reason := delayed.Load()
			return e.Key.Tenant == followed && reason != nil && e.Reason == *reason
		})
		select {
		case <-passed:
			hidden = -1
		default:
		}
		if hidden >= 0 {
			if hidden < len(page.Events)-1 {
				pass()
			}
			page.Events = slices.Delete(page.Events, hidden, hidden+1)
		}
		page.Events = page.Events[:min(limit, len(page.Events))]
		page.Next = q.After
		if n := len(page.Events); n > 0 {
			page.Next = page.Events[n-1].ID
		}
		return page, err
	}
}
