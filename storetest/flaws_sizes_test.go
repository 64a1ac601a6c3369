package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation"
)

// sizeFlaws have limits of a backend, or confuse values that few stores confuse.
var sizeFlaws = []flaw{
	claimsCutAt(255),
	claimsCutAt(767),
	claimsCutAt(1023),
	{
		name: "cuts outcomes at 64 KiB",
		inflict: func(d *decorator) {
			d.alterOutcomes(func(o *installation.Outcome) {
				o.Data = o.Data[:min(len(o.Data), 64<<10)]
			})
		},
		fails: []string{"sizes/outcome"},
	},
	{
		name: "counts up to 1,000",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				n, err := count(ctx, q)
				return min(n, installation.MaxPage), err
			}
		},
		fails: []string{"sizes/count"},
	},
	{
		name: "counts tombstones that are due",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				n, err := count(ctx, q)
				if r := d.stored(at("b")); r != nil && r.Deleted &&
					!r.Deadline.After(q.DueBefore) {
					n++
				}
				return n, err
			}
		},
		fails: []string{"count/tombstone"},
	},
	{
		name: "compares the holders of claims without case",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if r := d.holder(*c); r != nil && strings.EqualFold(r.Key.ID, c.Key.ID) {
					c.Record.Claims = slices.DeleteFunc(c.Record.Claims, func(claim string) bool {
						return slices.Contains(r.Claims, claim)
					})
				}
			})
		},
		fails: []string{"claims/holder-case"},
	},
	{
		name: "ignores Reverse across tenants",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) { q.Reverse = q.Reverse && !q.AllTenants })
		},
		fails: []string{"tenant/reverse"},
	},
}

// claimsCutAt compares only the first n bytes of a claim.
func claimsCutAt(n int) flaw {
	fails := []string{"sizes/claims"}
	if n < 256 {
		fails = []string{"strings/odd", "sizes/claims"}
	}
	return flaw{
		name: fmt.Sprintf("compares %d bytes of a claim", n),
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					for i, claim := range c.Record.Claims {
						c.Record.Claims[i] = claim[:min(len(claim), n)]
					}
				}
			})
		},
		fails: fails,
	}
}
