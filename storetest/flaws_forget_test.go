package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// forgetFlaws break what a store forgets, and what it shows to clients.
var forgetFlaws = []flaw{
	{
		name: "forgets tombstones a microsecond early",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil && c.Record.Deleted && !c.Record.Deadline.IsZero() {
					r := *c.Record
					r.Deadline = r.Deadline.Add(-time.Microsecond)
					c.Record = &r
				}
			})
			d.alterGet(func(r *installation.Record) {
				if r.Deleted && !r.Deadline.IsZero() {
					r.Deadline = r.Deadline.Add(time.Microsecond)
				}
			})
		},
		fails: []string{"forget/tombstone-in-time"},
	},
	{
		name:    "forgets a record when the tombstone before it is due",
		inflict: func(d *decorator) { forgetting(d, false) },
		fails:   []string{"forget/recreated"},
	},
	{
		name:    "forgets a record that was put over a tombstone",
		inflict: func(d *decorator) { forgetting(d, true) },
		fails:   []string{"move/put-over-tombstone"},
	},
	{
		name:    "forgets an outcome when the one before it ends",
		inflict: func(d *decorator) { forgettingOutcomes(d, false) },
		fails:   []string{"idempotency/expired", "forget/outcome-used-again"},
	},
	{
		name:    "forgets an outcome that was put over another",
		inflict: func(d *decorator) { forgettingOutcomes(d, true) },
		fails:   []string{"move/put-outcome-longer"},
	},
	{
		name: "calls a context that ends within a read an outage",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err == nil && ctx.Err() != nil {
					return nil, installation.ErrUnavailable
				}
				return r, err
			}
		},
		fails: []string{"context/within"},
	},
	{
		name: "has raw bytes in cursors of lists",
		inflict: func(d *decorator) {
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				if q.After != "" {
					q.After = q.After[1:]
				}
				page, err := list(ctx, q)
				if page.Next != "" {
					page.Next = "\xff" + page.Next
				}
				return page, err
			}
		},
		fails: []string{"page/printable"},
	},
	{
		name: "has raw bytes in IDs of events",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i := range page.Events {
					page.Events[i].ID += "\x00"
				}
			})
		},
		fails: []string{"events/printable"},
	},
}

// forgetting hides a record once a commit is later than the deadline of a tombstone that it has
// replaced by a commit or by a put.
func forgetting(d *decorator, byPut bool) {
	var mu sync.Mutex
	due := make(map[installation.Key]time.Time)
	var latest time.Time
	d.alterChange(func(c *installation.Change, stored *installation.Record) {
		mu.Lock()
		defer mu.Unlock()
		if c.Now.After(latest) {
			latest = c.Now
		}
		if !byPut && stored != nil && stored.Deleted && c.Record != nil && !c.Record.Deleted {
			due[c.Key] = stored.Deadline
		}
	})
	d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
		if byPut && r.Record != nil {
			if stored := d.stored(r.Record.Key); stored != nil && stored.Deleted {
				mu.Lock()
				due[r.Record.Key] = stored.Deadline
				mu.Unlock()
			}
		}
		return put(ctx, r)
	})
	get := d.onGet
	d.onGet = func(ctx context.Context, key installation.Key) (*installation.Record, error) {
		r, err := get(ctx, key)
		mu.Lock()
		defer mu.Unlock()
		if until, ok := due[key]; ok && !latest.Before(until) && ctx.Err() == nil {
			return nil, installation.ErrNotFound
		}
		return r, err
	}
}

// forgettingOutcomes hides an outcome once a commit is later than the end of an outcome that it has
// replaced by a commit or by a put.
func forgettingOutcomes(d *decorator, byPut bool) {
	var mu sync.Mutex
	ends := make(map[installation.Digest]time.Time)
	var latest time.Time
	replaced := func(tenant string, o *installation.Outcome) {
		if o == nil {
			return
		}
		old, err := d.Store.Outcome(context.Background(), tenant, o.Digest)
		if err == nil && old.Until.Before(o.Until) {
			ends[o.Digest] = old.Until
		}
	}
	d.alterChange(func(c *installation.Change, _ *installation.Record) {
		mu.Lock()
		defer mu.Unlock()
		if c.Now.After(latest) {
			latest = c.Now
		}
		if !byPut {
			replaced(c.Key.Tenant, c.Idempotency)
		}
	})
	d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
		mu.Lock()
		if byPut {
			replaced(r.Tenant, r.Outcome)
		}
		mu.Unlock()
		return put(ctx, r)
	})
	outcome := d.onOutcome
	d.onOutcome = func(
		ctx context.Context, tenant string, digest installation.Digest,
	) (*installation.Outcome, error) {
		o, err := outcome(ctx, tenant, digest)
		mu.Lock()
		defer mu.Unlock()
		until, ok := ends[digest]
		if ok && latest.After(until) && !errors.Is(err, context.Canceled) {
			return nil, installation.ErrNotFound
		}
		return o, err
	}
}
