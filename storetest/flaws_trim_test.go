package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation"
)

// trimFlaws break Trim.
var trimFlaws = []flaw{
	{
		name: "trims nothing",
		inflict: func(d *decorator) {
			d.onTrim = func(ctx context.Context, _ time.Time) error { return ctx.Err() }
		},
		fails: []string{"trim/expired", "trim/beside-writers"},
	},
	{
		name: "trims what is due a microsecond later",
		inflict: func(d *decorator) {
			trim := d.onTrim
			d.onTrim = func(ctx context.Context, now time.Time) error {
				return trim(ctx, now.Add(time.Microsecond))
			}
		},
		fails: []string{"trim/expired"},
	},
	{
		name: "trims only what was due a microsecond before",
		inflict: func(d *decorator) {
			trim := d.onTrim
			d.onTrim = func(ctx context.Context, now time.Time) error {
				return trim(ctx, now.Add(-time.Microsecond))
			}
		},
		fails: []string{"trim/expired", "trim/beside-writers"},
	},
	{
		name: "forgets a batch at a time, as in a commit",
		inflict: func(d *decorator) {
			commit, n := d.onCommit, atomic.Int64{}
			d.onTrim = func(ctx context.Context, now time.Time) error {
				c := create(installation.Key{ID: fmt.Sprint("trim ", n.Add(1))})
				c.Now, c.Record.Index = now, nil
				in, err := d.onNamespace(ctx)
				c.Epoch = in.Epoch
				if err == nil {
					_, err = commit(ctx, c)
				}
				return err
			}
		},
		fails: []string{"trim/expired"},
	},
}
