package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/go-installation/installation"
)

// followFlaws let events appear behind a cursor.
var followFlaws = []flaw{
	{
		name:    "numbers an event before its transaction",
		inflict: func(d *decorator) { delayEvent(d, reasonOf(0, 0)) },
		fails:   []string{"events/followed"},
	},
	{
		name:    "numbers an event in the middle of the log before its transaction",
		inflict: func(d *decorator) { delayEvent(d, reasonOf(3, 5)) },
		fails:   []string{"events/followed"},
	},
}

// delayEvent lets the commit of one event draw a position at once, but hides the event and keeps
// the commit waiting until a reader has received a later event. That is a store whose sequence
// number is drawn before the transaction that makes the event visible. The other writers go on
// meanwhile, so a later event always comes.
func delayEvent(d *decorator, reason string) {
	passed := make(chan struct{})
	pass := sync.OnceFunc(func() { close(passed) })
	d.alterReceipt(func(c installation.Change, _ *installation.Receipt, err error) error {
		if c.Key.Tenant == followed && len(c.Events) > 0 && c.Events[0].Reason == reason {
			<-passed
		}
		return err
	})
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
			return e.Key.Tenant == followed && e.Reason == reason
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
