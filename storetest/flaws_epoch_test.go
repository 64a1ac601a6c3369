package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/go-installation/installation"
)

// epochFlaws break the refusal of changes of another epoch.
var epochFlaws = []flaw{
	{
		name:    "never refuses an epoch",
		inflict: taking(func(*decorator, installation.Change) bool { return true }),
		fails: []string{
			"namespace/after-refusal", "namespace/other-epoch", "namespace/writes-nothing",
			"namespace/before-outcome", "namespace/before-conflicts", "namespace/race",
		},
	},
	{
		name: "refuses older epochs only",
		inflict: taking(func(d *decorator, c installation.Change) bool {
			return c.Epoch > d.epoch()
		}),
		fails: []string{"namespace/other-epoch"},
	},
	{
		name: "refuses epochs in one tenant only",
		inflict: taking(func(_ *decorator, c installation.Change) bool {
			return c.Key.Tenant != "tenant"
		}),
		fails: []string{"namespace/other-epoch", "namespace/race"},
	},
	{
		name: "looks at the outcome before the epoch",
		inflict: taking(func(d *decorator, c installation.Change) bool {
			if c.Idempotency == nil {
				return false
			}
			_, err := d.Store.Outcome(context.Background(), c.Key.Tenant, c.Idempotency.Digest)
			return err == nil
		}),
		fails: []string{"namespace/before-outcome"},
	},
	{
		name: "compares the revision before the epoch",
		inflict: taking(func(d *decorator, c installation.Change) bool {
			stored := d.stored(c.Key)
			return stored != nil && stored.Revision != c.If
		}),
		fails: []string{"namespace/before-conflicts"},
	},
	{
		name: "checks claims before the epoch",
		inflict: taking(func(d *decorator, c installation.Change) bool {
			return d.holder(c) != nil
		}),
		fails: []string{"namespace/before-conflicts"},
	},
	{
		name: "refuses a replay of another epoch",
		inflict: refusing(func(d *decorator, c installation.Change) bool {
			return c.Epoch != d.epoch()
		}),
		fails: []string{"namespace/replay-first"},
	},
	{
		name: "refuses to change records of an older epoch",
		inflict: refusing(func(d *decorator, c installation.Change) bool {
			stored := d.stored(c.Key)
			return stored != nil && stored.Revision < c.Epoch
		}),
		fails: []string{"namespace/present-epoch"},
	},
	{
		name: "calls a refusal a conflict too",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				_ installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrEpoch) {
					err = errors.Join(err, installation.ErrConflict)
				}
				return err
			})
		},
		fails: []string{
			"namespace/other-epoch", "namespace/writes-nothing", "namespace/before-outcome",
			"namespace/before-conflicts", "namespace/race",
		},
	},
	{
		name: "applies a change that it refuses",
		inflict: func(d *decorator) {
			afterRefusal(d, func(c installation.Change) {
				c.Epoch = d.epoch()
				_, _ = d.Store.Commit(context.Background(), c)
			})
		},
		fails: []string{
			"namespace/other-epoch", "namespace/writes-nothing", "namespace/race",
		},
	},
	{
		name: "writes the events of a refused change",
		inflict: func(d *decorator) {
			afterRefusal(d, func(c installation.Change) {
				c.Idempotency = nil
				d.aside(c)
			})
		},
		fails: []string{"namespace/writes-nothing"},
	},
	{
		name: "writes the outcome of a refused change",
		inflict: func(d *decorator) {
			afterRefusal(d, func(c installation.Change) {
				c.Events = nil
				d.aside(c)
			})
		},
		fails: []string{"namespace/writes-nothing"},
	},
	{
		name:    "keeps the claims of a refused change",
		inflict: keepingClaims,
		fails:   []string{"namespace/writes-nothing"},
	},
	{
		name: "remembers the op tokens of refused changes",
		inflict: func(d *decorator) {
			var ops sync.Map
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				receipt, err := commit(ctx, c)
				if _, ok := ops.Load(c.Op); ok && err == nil {
					receipt.Replayed = true
				}
				if errors.Is(err, installation.ErrEpoch) {
					ops.Store(c.Op, true)
				}
				return receipt, err
			}
		},
		fails: []string{"namespace/other-epoch", "namespace/race"},
	},
}

// taking makes the store take the changes of other epochs that f accepts.
func taking(f func(d *decorator, c installation.Change) bool) func(*decorator) {
	return func(d *decorator) {
		d.alterChange(func(c *installation.Change, _ *installation.Record) {
			if f(d, *c) {
				c.Epoch = d.epoch()
			}
		})
	}
}

// refusing makes the store refuse the changes that f accepts.
func refusing(f func(d *decorator, c installation.Change) bool) func(*decorator) {
	return func(d *decorator) {
		commit := d.onCommit
		d.onCommit = func(
			ctx context.Context, c installation.Change,
		) (installation.Receipt, error) {
			if f(d, c) && ctx.Err() == nil {
				return installation.Receipt{}, installation.ErrEpoch
			}
			return commit(ctx, c)
		}
	}
}

// keepingClaims makes the store reserve the claims of a refused change for the record at its key.
func keepingClaims(d *decorator) {
	var holders sync.Map // of claim to key
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		if c.Record != nil && c.Epoch == d.epoch() {
			for _, claim := range c.Record.Claims {
				if key, ok := holders.Load(claim); ok && key != c.Key {
					return installation.Receipt{}, installation.ErrExists
				}
			}
		}
		receipt, err := commit(ctx, c)
		if c.Record != nil && errors.Is(err, installation.ErrEpoch) {
			for _, claim := range c.Record.Claims {
				holders.Store(claim, c.Key)
			}
		}
		return receipt, err
	}
}
