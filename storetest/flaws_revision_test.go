package storetest

import (
	"errors"

	"github.com/go-installation/installation"
)

// revisionFlaws break the numbers of revisions, and what a conflict proves.
var revisionFlaws = []flaw{
	{
		name: "accepts future revisions",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, stored *installation.Record) {
				if stored != nil && c.If > stored.Revision {
					c.If = stored.Revision
				}
			})
		},
		fails: []string{"revision/conflict"},
	},
	{
		name: "has conflicts without a revision",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if errors.Is(err, installation.ErrConflict) {
					return installation.ErrConflict
				}
				return err
			})
		},
		fails: []string{
			"revision/conflict", "revision/not-applied", "revision/not-applied-without-record",
		},
	},
	{
		name: "reports the requested revision",
		inflict: func(d *decorator) {
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				if conflict, ok := errors.AsType[*installation.ConflictError](err); ok {
					conflict.Revision = c.If
				}
				return err
			})
		},
		fails: []string{"revision/conflict"},
	},
	{
		name: "counts revisions itself",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil && c.Record.Revision > c.If {
					counted := *c.Record
					counted.Revision = c.If + 1
					c.Record = &counted
				}
			})
		},
		fails: []string{
			"revision/jumps", "revision/not-above", "namespace/other-epoch",
			"namespace/writes-nothing", "namespace/present-epoch", "namespace/race",
		},
	},
	{
		name: "takes any revision",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil && c.Record.Revision <= c.If {
					counted := *c.Record
					counted.Revision = c.If + 1
					c.Record = &counted
				}
			})
		},
		fails: []string{"revision/not-above"},
	},
	{
		name:    "proves nothing about conflicts",
		inflict: proves(func(installation.Change, bool) bool { return false }),
		fails:   []string{"revision/not-applied", "revision/not-applied-without-record"},
	},
	{
		name: "calls every change with a record not applied",
		inflict: proves(func(c installation.Change, proof bool) bool {
			return proof || c.Record != nil
		}),
		fails: []string{"revision/not-applied"},
	},
	{
		name: "calls every change without a record not applied",
		inflict: proves(func(c installation.Change, proof bool) bool {
			return proof || c.Record == nil
		}),
		fails: []string{"revision/not-applied-without-record"},
	},
}

// proves replaces what conflicts prove.
func proves(f func(c installation.Change, proof bool) bool) func(*decorator) {
	return func(d *decorator) {
		d.alterReceipt(func(
			c installation.Change, _ *installation.Receipt, err error,
		) error {
			if conflict, ok := errors.AsType[*installation.ConflictError](err); ok {
				conflict.NotApplied = f(c, conflict.NotApplied)
			}
			return err
		})
	}
}
