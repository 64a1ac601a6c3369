package storetest

import (
	"context"
	"strings"

	"github.com/go-installation/installation"
)

// boundFlaws have bounds below those of the contract.
var boundFlaws = []flaw{
	cuts("stores 1 MiB of a body", func(c *installation.Change) {
		if b := c.Record.Body.Bytes(); len(b) > 1<<20 {
			c.Record.Body = installation.BodyFromBytes(b[:1<<20])
		}
	}),
	cuts("stores 8 claims", func(c *installation.Change) {
		c.Record.Claims = c.Record.Claims[:min(len(c.Record.Claims), 8)]
	}),
	cuts("stores 12 terms", func(c *installation.Change) {
		c.Record.Index = c.Record.Index[:min(len(c.Record.Index), 12)]
	}),
	cuts("stores 8 events", func(c *installation.Change) {
		c.Events = c.Events[:min(len(c.Events), 8)]
	}),
	cuts("stores 1 KiB of a reason", func(c *installation.Change) {
		for i, e := range c.Events {
			c.Events[i].Reason = e.Reason[:min(len(e.Reason), 1024)]
		}
	}),
	cuts("stores 4 MiB of an outcome", func(c *installation.Change) {
		if o := c.Idempotency; o != nil {
			o.Data = o.Data[:min(len(o.Data), 4<<20)]
		}
	}),
	{
		name: "compares 767 bytes of a term",
		inflict: func(d *decorator) {
			cut := func(term string) string { return term[:min(len(term), 767)] }
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					for i, term := range c.Record.Index {
						c.Record.Index[i] = cut(term)
					}
				}
			})
			d.alterQuery(func(q *installation.Query) { q.Term = cut(q.Term) })
		},
		fails: []string{"bounds/all"},
	},
	{
		name: "rejects long terms",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if c.Record != nil && len(strings.Join(c.Record.Index, "")) > 8192 {
					return installation.Receipt{}, installation.ErrInvalid
				}
				return commit(ctx, c)
			}
		},
		fails: []string{"bounds/all"},
	},
}

// cuts stores less than the change has.
func cuts(name string, cut func(c *installation.Change)) flaw {
	return flaw{
		name: name,
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					cut(c)
				}
			})
		},
		fails: []string{"bounds/all"},
	}
}
