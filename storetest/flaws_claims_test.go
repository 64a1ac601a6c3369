package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/go-installation/installation"
)

// claimFlaws break the claims: only one record of a tenant may hold each.
var claimFlaws = []flaw{
	{
		name: "does not check claims",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) { unclaim(c) })
		},
		fails: []string{
			"revision/order-of-checks", "claims/taken", "claims/taken-only",
			"claims/taken-by-update", "claims/holder-case", "claims/own",
			"claims/released-by-update", "claims/released-by-tombstone", "write/without-record",
			"write/nothing-of-a-claimant", "race/claim", "sizes/claims",
		},
	},
	{
		name: "checks claims of new records only",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && c.Record != nil {
					isNew := func(claim string) bool {
						return !slices.Contains(stored.Claims, claim)
					}
					c.Record.Claims = slices.DeleteFunc(c.Record.Claims, isNew)
				}
			})
		},
		fails: []string{
			"revision/order-of-checks", "claims/taken-by-update", "claims/own",
			"claims/released-by-tombstone",
		},
	},
	{
		name: "checks the first claim only",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil && len(c.Record.Claims) > 1 {
					c.Record.Claims = c.Record.Claims[:1]
				}
			})
		},
		fails: []string{"claims/taken", "claims/own", "write/nothing-of-a-claimant"},
	},
	{
		name: "never releases a claim",
		inflict: func(d *decorator) {
			held := holders(d)
			rejectHeld(d, func(c installation.Change, claim string) string {
				return held(c.Key.Tenant, claim, true)
			})
		},
		fails: []string{
			"claims/released-by-update", "claims/released-by-tombstone",
			"namespace/before-conflicts",
		},
	},
	{
		name: "releases claims only with a tombstone",
		inflict: func(d *decorator) {
			held := holders(d)
			rejectHeld(d, func(c installation.Change, claim string) string {
				id := held(c.Key.Tenant, claim, true)
				if r := d.stored(installation.Key{Tenant: c.Key.Tenant, ID: id}); r != nil &&
					r.Deleted {
					return ""
				}
				return id
			})
		},
		fails: []string{"claims/released-by-update", "namespace/before-conflicts"},
	},
	{
		name: "releases no claim with a tombstone",
		inflict: func(d *decorator) {
			held := holders(d)
			rejectHeld(d, func(c installation.Change, claim string) string {
				id := held(c.Key.Tenant, claim, true)
				if r := d.stored(installation.Key{Tenant: c.Key.Tenant, ID: id}); r != nil &&
					!r.Deleted {
					return ""
				}
				return id
			})
		},
		fails: []string{"claims/released-by-tombstone"},
	},
	{
		name: "holds claims across tenants",
		inflict: func(d *decorator) {
			held := holders(d)
			rejectHeld(d, func(c installation.Change, claim string) string {
				for _, tenant := range []string{"", "a", "b"} {
					if tenant != c.Key.Tenant && held(tenant, claim, false) != "" {
						return held(tenant, claim, false)
					}
				}
				return ""
			})
		},
		fails: []string{"claims/other-tenant"},
	},
	{
		name: "rejects a record for its own claims",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if r := d.stored(c.Key); r != nil && c.Record != nil && c.If == r.Revision &&
					len(r.Claims) > 0 && len(c.Record.Claims) > 1 {
					return installation.Receipt{},
						&installation.ExistsError{Key: c.Key, Holder: c.Key.ID}
				}
				return commit(ctx, c)
			}
		},
		fails: []string{"claims/own"},
	},
	{
		name: "does not name the holder",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				_ installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrExists) {
					return installation.ErrExists
				}
				return err
			})
		},
		fails: []string{"claims/taken"},
	},
	{
		name: "names the loser",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if exists, ok := errors.AsType[*installation.ExistsError](err); ok {
					exists.Holder = c.Key.ID
				}
				return err
			})
		},
		fails: []string{"claims/taken"},
	},
	{
		name: "has one error for claims and conflicts",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				_ installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrExists) {
					return errors.Join(err, installation.ErrConflict)
				}
				return err
			})
		},
		fails: []string{"claims/taken-only"},
	},
	{
		name: "keeps the claims of a rejected change",
		inflict: func(d *decorator) {
			var kept sync.Map // of tenant and claim to id
			rejectHeld(d, func(c installation.Change, claim string) string {
				v, _ := kept.Load([2]string{c.Key.Tenant, claim})
				id, _ := v.(string)
				return id
			})
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrExists) {
					for _, claim := range c.Record.Claims {
						kept.LoadOrStore([2]string{c.Key.Tenant, claim}, c.Key.ID)
					}
				}
				return err
			})
		},
		fails: []string{"claims/taken", "write/nothing-of-a-claimant"},
	},
}

// raceFlaws read before they write and let others write in between.
var raceFlaws = []flaw{
	{
		name: "compares revisions outside the transaction",
		inflict: func(d *decorator) {
			met := meeting(racers)
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				var revision int64
				if r := d.stored(c.Key); r != nil {
					revision = r.Revision
				}
				if revision != c.If {
					return installation.Receipt{},
						&installation.ConflictError{Key: c.Key, Revision: revision}
				}
				if c.Record.Generation == 1 { // the first round of a race, not its preparation
					met()
				}
				return d.force(ctx, c)
			}
		},
		fails: []string{"race/update", "race/create"},
	},
	{
		name: "checks claims outside the transaction",
		inflict: func(d *decorator) {
			met := meeting(racers)
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if holder := d.holder(c); holder != nil {
					return installation.Receipt{},
						&installation.ExistsError{Key: c.Key, Holder: holder.Key.ID}
				}
				met()
				c = cloneChange(c)
				unclaim(&c)
				return commit(ctx, c)
			}
		},
		fails: []string{"race/claim"},
	},
	{
		name: "looks for outcomes outside the transaction",
		inflict: func(d *decorator) {
			met := meeting(racers)
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if o, err := d.Store.Outcome(ctx, c.Key.Tenant,
					c.Idempotency.Digest); err == nil {
					return installation.Receipt{Outcome: o}, nil
				}
				met()
				d.aside(c)
				c.Idempotency = nil
				return commit(ctx, c)
			}
		},
		fails: []string{"race/idempotency"},
	},
	{
		name: "looks for op tokens outside the transaction",
		inflict: func(d *decorator) {
			met := meeting(racers)
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				met()
				c.Op = newOp()
				return d.force(ctx, c)
			}
		},
		fails: []string{"race/same-change"},
	},
}

// meeting returns a function that blocks its first n callers until all have arrived. Later
// calls return at once.
func meeting(n int) func() {
	var mu sync.Mutex
	all := make(chan struct{})
	return func() {
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		<-all
	}
}

func unclaim(c *installation.Change) {
	if c.Record != nil {
		c.Record.Claims = nil
	}
}

// holders records who held a claim: last, or at any time.
func holders(d *decorator) func(tenant, claim string, ever bool) string {
	var held sync.Map // of tenant and claim to id
	d.alterReceipt(func(c installation.Change, r *installation.Receipt, err error) error {
		if err == nil && !r.Replayed && r.Outcome == nil && c.Record != nil {
			for _, claim := range c.Record.Claims {
				held.Store([2]string{c.Key.Tenant, claim}, c.Key.ID)
			}
		}
		return err
	})
	return func(tenant, claim string, ever bool) string {
		v, ok := held.Load([2]string{tenant, claim})
		if !ok {
			return ""
		}
		id := v.(string)
		r := d.stored(installation.Key{Tenant: tenant, ID: id})
		if ever || (r != nil && slices.Contains(r.Claims, claim)) {
			return id
		}
		return ""
	}
}

// rejectHeld rejects changes with a claim that another record holds according to by.
func rejectHeld(d *decorator, by func(c installation.Change, claim string) string) {
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		stored := d.stored(c.Key)
		fresh := stored == nil || stored.Revision == c.If
		if c.Record != nil && fresh {
			for _, claim := range c.Record.Claims {
				if id := by(c, claim); id != "" && id != c.Key.ID {
					return installation.Receipt{},
						&installation.ExistsError{Key: c.Key, Holder: id}
				}
			}
		}
		return commit(ctx, c)
	}
}
