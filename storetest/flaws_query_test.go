package storetest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// queryFlaws accept invalid queries, or misread the words of the contract.
var queryFlaws = []flaw{
	repairs("takes no limit for 100", func(q *installation.Query) {
		if q.Limit == 0 {
			q.Limit = 100
		}
	}),
	repairs("takes a negative limit for the largest", func(q *installation.Query) {
		if q.Limit < 0 {
			q.Limit = installation.MaxPage
		}
	}),
	repairs("cuts the limit", func(q *installation.Query) {
		q.Limit = min(q.Limit, installation.MaxPage)
	}),
	repairs("takes a negative skip for none", func(q *installation.Query) {
		q.Skip = max(q.Skip, 0)
	}),
	repairs("skips without a bound", func(q *installation.Query) {
		q.Skip = min(q.Skip, installation.MaxSkip)
	}),
	repairs("prefers the term to the deadline", func(q *installation.Query) {
		if q.Term != "" {
			q.DueBefore = time.Time{}
		}
	}, "count/invalid"),
	repairs("prefers the deadline to the term", func(q *installation.Query) {
		if !q.DueBefore.IsZero() {
			q.Term = ""
		}
	}, "count/invalid"),
	repairs("lists everything for no term", func(q *installation.Query) {
		if q.Term == "" && q.DueBefore.IsZero() {
			q.Term = all
			if q.AllTenants {
				q.Term = "@all"
			}
		}
	}, "count/invalid"),
	repairs("lists local terms across tenants", func(q *installation.Query) {
		if q.AllTenants && q.Term == all {
			q.Term = "@all"
		}
	}, "count/invalid"),
	repairs("lists global terms within a tenant", func(q *installation.Query) {
		if !q.AllTenants && q.Term == "@all" {
			q.Term = all
		}
	}, "count/invalid"),
	{
		name: "reads events without a limit",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				if q.Limit < 1 || q.Limit > installation.MaxPage {
					q.Limit = installation.MaxPage
				}
				return events(ctx, q)
			}
		},
		fails: []string{"events/invalid"},
	},
	{
		name: "lets an event cursor choose the tenant",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				if tenant, after, ok := strings.Cut(q.After, "."); ok {
					q.Tenant, q.After = tenant, after
				}
				page, err := events(ctx, q)
				if page.Next != "" {
					page.Next = q.Tenant + "." + page.Next
				}
				return page, err
			}
		},
		fails: []string{"events/foreign-cursor", "events/printable"},
	},
	{
		name: "fails for a foreign event cursor",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				if _, err := strconv.Atoi("0" + q.After); err != nil {
					return installation.EventPage{}, errors.Join(ctx.Err(),
						installation.ErrUnavailable)
				}
				return events(ctx, q)
			}
		},
		fails: []string{"events/foreign-cursor"},
	},
	{
		name: "reads one tenant if it is named with AllTenants",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.AllTenants = q.AllTenants && q.Tenant == ""
				return events(ctx, q)
			}
		},
		fails: []string{"events/all-tenants"},
	},
	expiresBy("forgets outcomes a microsecond early", time.Microsecond,
		"forget/tombstone-in-time", "forget/outcome-in-time"),
	expiresBy("keeps outcomes at the time Until", -time.Microsecond, "forget/outcome-used-again"),
	{
		name: "returns a revision with an outcome",
		inflict: func(d *decorator) {
			d.alterReceipt(func(c installation.Change, r *installation.Receipt, err error) error {
				if r.Outcome != nil {
					r.Revision = c.If
				}
				return err
			})
		},
		fails: []string{"idempotency/receipt"},
	},
}

// repairs changes invalid queries to valid ones. It fails query/invalid, and more.
func repairs(name string, f func(q *installation.Query), more ...string) flaw {
	return flaw{
		name: name, inflict: func(d *decorator) { d.alterQuery(f) },
		fails: append([]string{"query/invalid"}, more...),
	}
}

// expiresBy changes the time at which outcomes expire.
func expiresBy(name string, early time.Duration, also ...string) flaw {
	return flaw{
		name: name,
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil {
					c.Now = c.Now.Add(early)
				}
			})
		},
		fails: append([]string{"idempotency/boundary"}, also...),
	}
}
