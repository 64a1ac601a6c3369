package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// commitFlaws break revisions, the order of checks, and writes.
var commitFlaws = []flaw{
	{
		name: "lets the last write win",
		inflict: func(d *decorator) {
			d.onCommit = d.force
		},
		fails: []string{
			"revision/conflict", "revision/conflict-only", "revision/without-record",
			"revision/tombstone", "revision/not-applied", "revision/not-applied-without-record",
			"revision/order-of-checks", "write/tombstone-kept",
			"write/nothing-of-a-conflict", "race/create",
		},
		sometimes: []string{"race/update"},
	},
	{
		name: "creates on update",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored == nil {
					c.If = 0
				}
			})
		},
		fails: []string{"revision/conflict", "revision/not-applied"},
	},
	{
		name: "has one error for conflicts and claims",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrConflict) {
					return errors.Join(err, installation.ErrExists)
				}
				return err
			})
		},
		fails: []string{"revision/conflict-only"},
	},
	{
		name: "resurrects over a tombstone",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && stored.Deleted && c.If == 0 {
					c.If = stored.Revision
				}
			})
		},
		fails: []string{"revision/tombstone", "write/tombstone-kept"},
	},
	{
		name: "lets a stale update resurrect",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && stored.Deleted && c.If > 0 {
					c.If = stored.Revision
				}
			})
		},
		fails: []string{"revision/tombstone", "revision/not-applied"},
	},
	{
		name: "hides tombstones",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err == nil && r.Deleted {
					return nil, installation.ErrNotFound
				}
				return r, err
			}
		},
		fails: []string{
			"times/microseconds",
			"times/utc",
			"get/tombstone",
			"revision/tombstone",
			"write/tombstone-kept",
			"forget/tombstone-in-time",
		},
	},
	{
		name: "forgets tombstones early",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				c.Now = c.Now.Add(time.Minute)
			})
		},
		fails: []string{
			"idempotency/until",
			"write/tombstone-kept",
			"idempotency/boundary",
			"forget/tombstone-in-time",
			"forget/outcome-in-time",
		},
	},
	{
		name: "restarts revisions after a tombstone",
		inflict: func(d *decorator) {
			var recreated sync.Map // of Key to the revision of the tombstone
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && c.Record != nil && c.Record.Deleted {
					recreated.Store(c.Key, r.Revision)
				}
				return err
			})
			d.alterRecords(func(r *installation.Record) {
				if v, ok := recreated.Load(r.Key); ok && !r.Deleted {
					r.Revision -= v.(int64)
				}
			})
		},
		fails: []string{"replay/recreated", "revision/recreated", "forget/recreated"},
	},
	{
		name: "loses the generation of a tombstone",
		inflict: func(d *decorator) {
			d.alterGet(func(r *installation.Record) {
				if r.Deleted {
					r.Generation = 1
				}
			})
		},
		fails: []string{"get/tombstone"},
	},
	{
		name: "does not compare revisions without a record",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if c.Record == nil && stored != nil {
					c.If = stored.Revision
				}
			})
		},
		fails: []string{"revision/without-record", "revision/not-applied-without-record"},
	},
	{
		name: "increments the revision without a record",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if c.Record == nil && stored != nil {
					stored.Revision++
					c.Record = stored
				}
			})
		},
		fails: []string{
			"replay/without-record", "revision/receipt", "revision/not-applied-without-record",
			"write/without-record",
		},
	},
	{
		name: "returns the previous revision",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				_ installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && !r.Replayed {
					r.Revision--
				}
				return err
			})
		},
		fails: []string{"revision/receipt", "revision/jumps", "idempotency/receipt"},
	},
	{
		name: "compares revisions before op tokens",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (r installation.Receipt, err error) {
				if stored := d.stored(c.Key); stored != nil && c.If != stored.Revision {
					return r, &installation.ConflictError{Key: c.Key, Revision: stored.Revision}
				}
				return commit(ctx, c)
			}
		},
		fails: []string{
			"replay/same-change", "replay/writes-nothing", "replay/last-ones",
			"replay/without-record", "replay/tombstone", "replay/recreated",
			"revision/not-applied", "revision/not-applied-without-record",
			"revision/order-of-checks", "namespace/replay-first",
			"namespace/before-conflicts",
		},
		sometimes: []string{"race/same-change"}, // passes if all read before the first commit
	},
	{
		name: "checks outcomes before op tokens",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if c.Idempotency != nil {
					if o, err := d.Store.Outcome(ctx, c.Key.Tenant,
						c.Idempotency.Digest); err == nil && c.Now.Before(o.Until) {
						return installation.Receipt{Outcome: o}, nil
					}
				}
				return commit(ctx, c)
			}
		},
		fails: []string{"revision/order-of-checks", "namespace/before-outcome"},
	},
	{
		name: "compares revisions before outcomes",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if c.Idempotency != nil && stored != nil && c.If != stored.Revision {
					c.Idempotency = nil
				}
			})
		},
		fails: []string{"revision/order-of-checks"},
	},
	{
		name: "checks claims before revisions",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if holder := d.holder(c); holder != nil &&
					errors.Is(err, installation.ErrConflict) {
					return &installation.ExistsError{Key: c.Key, Holder: holder.Key.ID}
				}
				return err
			})
		},
		fails: []string{"revision/order-of-checks"},
	},
	{
		name: "keeps the outcome of a rejected change",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrConflict) ||
					errors.Is(err, installation.ErrExists) {
					c.Events = nil
					d.aside(c)
				}
				return err
			})
		},
		fails: []string{
			"revision/without-record", "revision/order-of-checks",
			"write/nothing-of-a-conflict", "write/nothing-of-a-claimant",
		},
	},
	{
		name: "logs rejected changes",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrConflict) ||
					errors.Is(err, installation.ErrExists) {
					c.Idempotency = nil
					d.aside(c)
				}
				return err
			})
		},
		fails: []string{"write/nothing-of-a-conflict", "write/nothing-of-a-claimant"},
	},
	{
		name: "keeps the op token of a rejected change",
		inflict: func(d *decorator) {
			var rejected sync.Map
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if _, ok := rejected.Load(c.Op); ok {
					return installation.Receipt{Revision: c.If, Replayed: true}, nil
				}
				receipt, err := commit(ctx, c)
				if errors.Is(err, installation.ErrConflict) ||
					errors.Is(err, installation.ErrExists) {
					rejected.Store(c.Op, true)
				}
				return receipt, err
			}
		},
		fails: []string{"write/nothing-of-a-conflict", "write/nothing-of-a-claimant"},
	},
	{
		name: "lists under old terms",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return !last.Deleted && last.Key.Tenant == q.Tenant &&
					slices.ContainsFunc(versions, func(r installation.Record) bool {
						return slices.Contains(r.Index, q.Term)
					})
			})
		},
		fails: []string{"write/replaces"},
	},
	{
		name: "lists under old deadlines",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return !last.Deleted && last.Key.Tenant == q.Tenant &&
					slices.ContainsFunc(versions, func(r installation.Record) bool {
						return !r.Deadline.IsZero() && !r.Deadline.After(q.DueBefore)
					})
			})
		},
		fails: []string{"write/replaces", "due/swept"},
	},
	{
		name: "lists old records",
		inflict: func(d *decorator) {
			var first sync.Map // of Key to Record
			d.alterPage(func(_ installation.Query, page *installation.Page) {
				for _, r := range page.Records {
					v, _ := first.LoadOrStore(r.Key, r.Body)
					r.Body = v.(installation.Body)
				}
			})
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && c.Record != nil && !r.Replayed && r.Outcome == nil {
					first.LoadOrStore(c.Key, c.Record.Body)
				}
				return err
			})
		},
		fails: []string{"write/replaces"},
	},
	{
		name: "lists tombstones",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return last.Deleted && last.Key.Tenant == q.Tenant &&
					slices.ContainsFunc(versions, func(r installation.Record) bool {
						return slices.Contains(r.Index, q.Term)
					})
			})
		},
		fails: []string{"write/tombstone", "page/removed-meanwhile", "tenant/apart"},
	},
	{
		name: "loses the deadline of an update",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, stored *installation.Record) {
				if c.Record != nil && stored != nil && !c.Record.Deleted {
					c.Record.Deadline = stored.Deadline
				}
			})
		},
		fails: []string{"write/replaces", "due/swept"},
	},
}
