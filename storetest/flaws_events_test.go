package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/health"
)

// eventFlaws break the change log.
var eventFlaws = []flaw{
	{
		name: "loses all but one event of a commit",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				c.Events = c.Events[:min(1, len(c.Events))]
			})
		},
		fails: []string{"events/order", "events/all-tenants", "events/end"},
	},
	{
		name: "reverses the events of a commit",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				slices.Reverse(c.Events)
			})
		},
		fails: []string{"events/order", "events/all-tenants", "events/end"},
	},
	{
		name: "loses the events of a change without record",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record == nil {
					c.Events = nil
				}
			})
		},
		fails: []string{"write/without-record", "events/end"},
	},
	{
		name: "loses the events of a removal",
		inflict: func(d *decorator) {
			d.alterEvents(func(q installation.EventQuery, page *installation.EventPage) {
				page.Events = slices.DeleteFunc(page.Events, func(e installation.Event) bool {
					r := d.stored(e.Key)
					return r != nil && r.Deleted
				})
			})
		},
		fails: []string{"events/after-removal"},
	},
	{
		name: "logs events twice",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				c.Events = slices.Concat(c.Events, c.Events)
			})
		},
		fails: []string{
			"ownership/arguments-not-kept", "ownership/results", "write/without-record",
			"events/order", "events/all-tenants", "events/whole", "events/end",
			"events/after-removal", "events/followed", "race/same-change",
			"namespace/data-stays",
		},
	},
	{
		name: "returns events without ids",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i := range page.Events {
					page.Events[i].ID = ""
				}
			})
		},
		fails: []string{"events/ids", "events/printable"},
	},
	{
		name: "numbers events by tenant",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i, e := range page.Events {
					page.Events[i].ID = e.Key.ID + e.Reason
				}
			})
		},
		fails: []string{"events/ids", "events/printable"},
	},
	{
		name: "knows only its own event types",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i, e := range page.Events {
					if e.Type != event.Updated {
						page.Events[i].Type = event.Created
					}
				}
			})
		},
		fails: []string{"events/whole"},
	},
	{
		name: "forgets who did it",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i := range page.Events {
					page.Events[i].Actor.User = installation.Reference{}
				}
			})
		},
		fails: []string{"events/whole"},
	},
	{
		name: "forgets how many names an event leaves out",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i := range page.Events {
					page.Events[i].Omitted = 0
				}
			})
		},
		fails: []string{"events/whole"},
	},
	{
		name: "reads the log of all tenants",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.AllTenants = true
				return events(ctx, q)
			}
		},
		fails: []string{"events/order", "events/end", "events/foreign-cursor"},
	},
	{
		name: "reads the log of one tenant",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.AllTenants = false
				return events(ctx, q)
			}
		},
		fails: []string{"events/all-tenants", "events/end", "events/followed", "events/printable"},
	},
	{
		name: "orders the log by tenant",
		inflict: func(d *decorator) {
			d.alterEvents(func(q installation.EventQuery, page *installation.EventPage) {
				slices.SortStableFunc(page.Events, func(a, b installation.Event) int {
					return strings.Compare(a.Key.Tenant, b.Key.Tenant)
				})
			})
		},
		fails: []string{"events/all-tenants"},
	},
	{
		name: "ends the log with no cursor",
		inflict: func(d *decorator) {
			d.alterEvents(func(q installation.EventQuery, page *installation.EventPage) {
				if len(page.Events) < q.Limit {
					page.Next = ""
				}
			})
		},
		fails: []string{
			"ownership/arguments-not-kept", "ownership/results", "times/microseconds",
			"times/utc", "write/without-record", "events/order", "events/all-tenants",
			"events/whole", "events/ids", "events/end", "events/cursor-repeated",
			"events/after-removal", "events/followed", "race/same-change",
			"namespace/data-stays",
		},
	},
	{
		name: "does not repeat the cursor at the end",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.After = strings.TrimPrefix(q.After, "0")
				page, err := events(ctx, q)
				if len(page.Events) == 0 && page.Next != "" {
					page.Next = "0" + page.Next
				}
				return page, err
			}
		},
		fails: []string{"events/cursor-repeated"},
	},
	{
		name: "returns one more event",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.Limit = min(q.Limit+1, installation.MaxPage)
				return events(ctx, q)
			}
		},
		fails: []string{"events/limit", "events/invalid", "events/printable"},
	},
}

// abilityFlaws break outcomes, counts and health.
var abilityFlaws = []flaw{
	{
		name: "finds outcomes in any tenant",
		inflict: func(d *decorator) {
			outcome := d.onOutcome
			d.onOutcome = func(
				ctx context.Context, tenant string, digest installation.Digest,
			) (*installation.Outcome, error) {
				var o *installation.Outcome
				var err error
				for _, tenant := range []string{tenant, "tenant", ""} {
					if o, err = outcome(ctx, tenant, digest); err == nil {
						break
					}
				}
				return o, err
			}
		},
		fails: []string{"outcome/nothing"},
	},
	{
		name: "returns no error for a missing outcome",
		inflict: func(d *decorator) {
			outcome := d.onOutcome
			d.onOutcome = func(
				ctx context.Context, tenant string, digest installation.Digest,
			) (*installation.Outcome, error) {
				o, err := outcome(ctx, tenant, digest)
				if errors.Is(err, installation.ErrNotFound) {
					return nil, nil
				}
				return o, err
			}
		},
		fails: []string{"outcome/nothing"},
	},
	{
		name: "cuts outcomes at NUL",
		inflict: func(d *decorator) {
			d.alterOutcomes(func(o *installation.Outcome) {
				before, _, _ := strings.Cut(string(o.Data), "\x00")
				o.Data = []byte(before)
			})
		},
		fails: []string{"outcome/committed"},
	},
	{
		name: "counts a page",
		inflict: func(d *decorator) {
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				if q.Limit == 0 {
					q.Limit = installation.MaxPage
				}
				page, err := d.Store.List(ctx, q)
				return int64(len(page.Records)), err
			}
		},
		fails: []string{"count/ignored"},
	},
	{
		name: "counts a tenant",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				if q.Term != "" && !q.AllTenants {
					q.Term = all
				}
				return count(ctx, q)
			}
		},
		fails: []string{"count/terms", "count/invalid"},
	},
	{
		name: "counts tombstones",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				n, err := count(ctx, q)
				if r := d.stored(at("b")); r != nil && r.Deleted {
					n++
				}
				return n, err
			}
		},
		fails: []string{"count/tombstone"},
	},
	{
		name: "counts records that are not due",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				if !q.DueBefore.IsZero() {
					q.DueBefore = later
				}
				return count(ctx, q)
			}
		},
		fails: []string{"count/due"},
	},
	{
		name: "counts in one tenant",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				q.AllTenants = false
				return count(ctx, q)
			}
		},
		fails: []string{"count/all-tenants", "count/invalid"},
	},
	{
		name: "has health without a level",
		inflict: func(d *decorator) {
			d.onHealth = func(ctx context.Context) ([]health.Finding, error) {
				return []health.Finding{{Rule: "rule", Detail: "detail"}}, ctx.Err()
			}
		},
		fails: []string{"health/findings"},
	},
	{
		name: "is never healthy",
		inflict: func(d *decorator) {
			d.onHealth = func(ctx context.Context) ([]health.Finding, error) {
				return nil, errors.Join(ctx.Err(), installation.ErrUnavailable)
			}
		},
		fails: []string{"context/within", "health/findings"},
	},
}
