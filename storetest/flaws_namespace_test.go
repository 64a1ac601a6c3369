package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation"
)

// namespaceFlaws break namespaces and epochs.
var namespaceFlaws = []flaw{
	{
		name: "has no ID",
		inflict: showing(func(in installation.Namespace) installation.Namespace {
			in.ID = ""
			return in
		}),
		fails: []string{"namespace/new"},
	},
	{
		name: "has a new ID at each look",
		inflict: func(d *decorator) {
			get := d.onNamespace
			d.onNamespace = func(ctx context.Context) (installation.Namespace, error) {
				in, err := get(ctx)
				op := newOp()
				in.ID = string(op[:])
				return in, err
			}
		},
		fails: []string{
			"namespace/same", "namespace/id", "namespace/after-acceptance",
			"namespace/after-refusal", "namespace/race",
		},
	},
	{
		name: "starts at epoch 1",
		inflict: showing(func(in installation.Namespace) installation.Namespace {
			in.Epoch = max(in.Epoch, 1)
			return in
		}),
		fails: []string{"namespace/new"},
	},
	{
		name: "changes the ID",
		inflict: renumber(func(
			_, next installation.Namespace, _ time.Time,
		) installation.Namespace {
			next.ID = "of " + next.Era
			return next
		}),
		fails: []string{"namespace/id", "namespace/race"},
	},
	{
		name: "lowers the epoch",
		inflict: renumber(func(
			_, next installation.Namespace, now time.Time,
		) installation.Namespace {
			next.Epoch = now.UnixMicro()
			return next
		}),
		fails:     []string{"namespace/epoch"},
		sometimes: []string{"namespace/race"},
	},
	{
		name: "keeps an epoch of the same time",
		inflict: renumber(func(
			was, next installation.Namespace, now time.Time,
		) installation.Namespace {
			next.Epoch = max(was.Epoch, now.UnixMicro())
			return next
		}),
		fails: []string{"namespace/epoch"},
	},
	{
		name: "counts epochs in milliseconds",
		inflict: renumber(func(
			was, next installation.Namespace, now time.Time,
		) installation.Namespace {
			next.Epoch = max(was.Epoch+1, now.UnixMilli())
			return next
		}),
		fails: []string{"namespace/epoch"},
	},
	{
		name: "keeps the era",
		inflict: renumber(func(
			was, next installation.Namespace, _ time.Time,
		) installation.Namespace {
			next.Era = was.Era
			return next
		}),
		fails: []string{"namespace/era"},
	},
	{
		name: "has two eras in turn",
		inflict: renumber(func(
			was, next installation.Namespace, _ time.Time,
		) installation.Namespace {
			next.Era = "odd"
			if was.Era == "odd" {
				next.Era = "even"
			}
			return next
		}),
		fails: []string{"namespace/era"},
	},
	{
		name: "reads the namespace once",
		inflict: func(d *decorator) {
			began, _ := d.onNamespace(context.Background())
			d.onNamespace = func(ctx context.Context) (installation.Namespace, error) {
				return began, ctx.Err()
			}
		},
		fails: []string{
			"namespace/epoch-stays", "namespace/after-acceptance", "namespace/after-refusal",
			"namespace/race",
		},
	},
	{
		name: "forgets the namespace after a refusal",
		inflict: func(d *decorator) {
			began, _ := d.onNamespace(context.Background())
			var forgotten atomic.Bool
			afterRefusal(d, func(installation.Change) { forgotten.Store(true) })
			get := d.onNamespace
			d.onNamespace = func(ctx context.Context) (installation.Namespace, error) {
				if forgotten.Load() {
					return began, ctx.Err()
				}
				return get(ctx)
			}
		},
		fails: []string{"namespace/after-refusal", "namespace/race"},
	},
	{
		name: "shows the time of the last commit as its epoch",
		inflict: func(d *decorator) {
			var last atomic.Int64
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				last.Store(c.Now.UnixMicro())
			})
			showing(func(in installation.Namespace) installation.Namespace {
				if in.Epoch > 0 {
					in.Epoch = max(in.Epoch, last.Load())
				}
				return in
			})(d)
		},
		fails: []string{"namespace/epoch-stays"},
	},
	{
		name: "accepts restores after the context has ended",
		inflict: func(d *decorator) {
			accept := d.onAccept
			d.onAccept = func(
				ctx context.Context, now time.Time,
			) (installation.Namespace, error) {
				in, err := accept(context.WithoutCancel(ctx), now)
				return in, errors.Join(err, ctx.Err())
			}
		},
		fails: []string{"context/rejected"},
	},
	{
		name: "loses outcomes when a restore is accepted",
		inflict: func(d *decorator) {
			outcome := d.onOutcome
			d.onOutcome = func(
				ctx context.Context, tenant string, digest installation.Digest,
			) (*installation.Outcome, error) {
				if d.epoch() > 0 {
					return nil, installation.ErrNotFound
				}
				return outcome(ctx, tenant, digest)
			}
		},
		fails: []string{"namespace/data-stays"},
	},
	{
		name: "loses events when a restore is accepted",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				if d.epoch() > 0 {
					*page = installation.EventPage{}
				}
			})
		},
		fails: []string{"namespace/data-stays"},
	},
}

// showing replaces each namespace that the store returns.
func showing(f func(in installation.Namespace) installation.Namespace) func(*decorator) {
	return func(d *decorator) {
		get, accept := d.onNamespace, d.onAccept
		d.onNamespace = func(ctx context.Context) (installation.Namespace, error) {
			in, err := get(ctx)
			return f(in), err
		}
		d.onAccept = func(
			ctx context.Context, now time.Time,
		) (installation.Namespace, error) {
			in, err := accept(ctx, now)
			return f(in), err
		}
	}
}

// renumber replaces each namespace after an acceptance. The store then takes changes of the epoch
// that it shows.
func renumber(
	f func(was, next installation.Namespace, now time.Time) installation.Namespace,
) func(*decorator) {
	return func(d *decorator) {
		var mu sync.Mutex
		shown, _ := d.onNamespace(context.Background())
		accept := d.onAccept
		d.onAccept = func(
			ctx context.Context, now time.Time,
		) (installation.Namespace, error) {
			mu.Lock()
			defer mu.Unlock()
			next, err := accept(ctx, now)
			if err == nil {
				shown = f(shown, next, now)
			}
			return shown, err
		}
		d.onNamespace = func(ctx context.Context) (installation.Namespace, error) {
			mu.Lock()
			defer mu.Unlock()
			return shown, ctx.Err()
		}
		d.alterChange(func(c *installation.Change, _ *installation.Record) {
			mu.Lock()
			defer mu.Unlock()
			if c.Epoch == shown.Epoch {
				c.Epoch = d.epoch()
			} else {
				c.Epoch = -1 // of no namespace
			}
		})
	}
}

// afterRefusal calls f after each refusal of a change because of its epoch.
func afterRefusal(d *decorator, f func(c installation.Change)) {
	d.alterReceipt(func(c installation.Change, _ *installation.Receipt, err error) error {
		if errors.Is(err, installation.ErrEpoch) {
			f(c)
		}
		return err
	})
}
