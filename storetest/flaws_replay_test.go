package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// replayFlaws break op tokens and idempotency keys.
var replayFlaws = []flaw{
	{
		name: "forgets op tokens",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				c.Op = newOp()
			})
		},
		fails: []string{
			"replay/same-change", "replay/writes-nothing", "replay/last-ones",
			"replay/without-record", "replay/tombstone", "replay/recreated",
			"revision/order-of-checks", "race/same-change", "namespace/replay-first",
		},
	},
	{
		name: "forgets op tokens on tombstones",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && stored.Deleted {
					c.Op = newOp()
				}
			})
		},
		fails: []string{"replay/tombstone"},
	},
	{
		name: "forgets op tokens when a record is recreated",
		inflict: func(d *decorator) {
			var old sync.Map // earlier ops
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && c.Record != nil && c.Record.Deleted {
					old.Store(c.Op, true)
				}
				return err
			})
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if _, ok := old.Load(c.Op); ok && stored != nil && !stored.Deleted &&
					stored.Revision > c.If {
					c.Op = newOp()
				}
			})
		},
		fails: []string{"replay/recreated"},
	},
	{
		name: "remembers seven op tokens",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && c.Record != nil &&
					c.Record.Revision <= stored.Revision-installation.RememberedOps+1 {
					c.Op = newOp()
				}
			})
		},
		fails: []string{"replay/last-ones"},
	},
	{
		name: "forgets the op token of a change without record",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record == nil {
					c.Op = newOp()
				}
			})
		},
		fails: []string{"replay/without-record"},
	},
	{
		name: "keeps op tokens for all records together",
		inflict: func(d *decorator) {
			var seen sync.Map // of op to Receipt
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if v, ok := seen.Load(c.Op); ok {
					return v.(installation.Receipt), nil
				}
				receipt, err := commit(ctx, c)
				if err == nil && receipt.Outcome == nil {
					seen.Store(c.Op,
						installation.Receipt{Revision: receipt.Revision, Replayed: true})
				}
				return receipt, err
			}
		},
		fails: []string{"replay/other-record"},
	},
	{
		name: "answers a replay with the stored revision",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if r.Replayed {
					r.Revision = d.stored(c.Key).Revision
				}
				return err
			})
		},
		fails: []string{
			"replay/writes-nothing", "replay/last-ones", "replay/without-record",
			"replay/tombstone", "replay/recreated", "revision/order-of-checks",
		},
	},
	{
		name: "does not say that it was a replay",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				_ installation.Change, r *installation.Receipt, err error,
			) error {
				r.Replayed = false
				return err
			})
		},
		fails: []string{
			"replay/same-change", "replay/writes-nothing", "replay/last-ones",
			"replay/without-record", "replay/tombstone", "replay/recreated",
			"revision/order-of-checks", "race/same-change", "namespace/replay-first",
		},
	},
	{
		name: "writes the outcome of a replay",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if r.Replayed && c.Idempotency != nil {
					c.Events = nil
					d.aside(c)
				}
				return err
			})
		},
		fails: []string{"replay/writes-nothing"},
	},
	{
		name: "appends the events of a replay",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if r.Replayed && c.Events != nil {
					c.Idempotency = nil
					d.aside(c)
				}
				return err
			})
		},
		fails: []string{"replay/writes-nothing", "race/same-change"},
	},
	{
		name: "writes over used idempotency keys",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil {
					if _, err := d.Store.Outcome(context.Background(), c.Key.Tenant,
						c.Idempotency.Digest); err == nil {
						c.Idempotency = nil
					}
				}
			})
		},
		fails: []string{
			"idempotency/used",
			"idempotency/expired",
			"idempotency/until",
			"revision/order-of-checks",
			"idempotency/boundary",
			"idempotency/receipt",
			"forget/outcome-used-again",
		},
		sometimes: []string{"race/idempotency"},
	},
	{
		name: "keeps idempotency keys by record",
		inflict: func(d *decorator) {
			var used sync.Map // of tenant and digest to Key
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil {
					by, _ := used.LoadOrStore([2]any{c.Key.Tenant, c.Idempotency.Digest}, c.Key)
					if by != c.Key {
						c.Idempotency = nil
					}
				}
			})
		},
		fails: []string{
			"idempotency/used", "idempotency/expired", "idempotency/until",
			"revision/order-of-checks", "race/idempotency", "idempotency/boundary",
		},
	},
	{
		name: "answers without an idempotency key too",
		inflict: func(d *decorator) {
			var last sync.Map // of Key to *Outcome
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if v, ok := last.Load(c.Key); ok && c.Idempotency == nil && c.Record != nil &&
					!c.Record.Deleted {
					return installation.Receipt{Outcome: v.(*installation.Outcome)}, nil
				}
				receipt, err := commit(ctx, c)
				if err == nil && c.Idempotency != nil {
					last.Store(c.Key, cloneChange(c).Idempotency)
				}
				return receipt, err
			}
		},
		fails: []string{"idempotency/not-given"},
	},
	{
		name: "keeps idempotency keys for all tenants together",
		inflict: func(d *decorator) {
			var used sync.Map // of digest to *Outcome
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if c.Idempotency == nil {
					return commit(ctx, c)
				}
				if v, ok := used.Load(c.Idempotency.Digest); ok &&
					c.Key.Tenant != v.(installation.Key).Tenant {
					o, err := d.Store.Outcome(ctx, v.(installation.Key).Tenant,
						c.Idempotency.Digest)
					return installation.Receipt{Outcome: o}, err
				}
				receipt, err := commit(ctx, c)
				if err == nil {
					used.Store(c.Idempotency.Digest, c.Key)
				}
				return receipt, err
			}
		},
		fails: []string{"strings/letter-case", "idempotency/other-tenant", "outcome/committed"},
	},
	{
		name: "honours expired outcomes",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if c.Idempotency != nil && d.stored(c.Key) == nil {
					if o, err := d.Store.Outcome(ctx, c.Key.Tenant,
						c.Idempotency.Digest); err == nil {
						return installation.Receipt{Outcome: o}, nil
					}
				}
				return commit(ctx, c)
			}
		},
		fails: []string{
			"idempotency/expired", "namespace/before-outcome", "idempotency/boundary",
		},
	},
	{
		name: "forgets outcomes early",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil {
					c.Idempotency.Until = c.Idempotency.Until.Add(-time.Minute)
				}
			})
			d.alterOutcomes(
				func(o *installation.Outcome) { o.Until = o.Until.Add(time.Minute) })
		},
		fails: []string{"idempotency/until", "idempotency/boundary", "forget/outcome-in-time"},
	},
	{
		name: "forgets the outcome of a change without record",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record == nil {
					c.Idempotency = nil
				}
			})
		},
		fails: []string{"write/without-record"},
	},
}
