package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

// ownershipFlaws break contexts and the ownership of arguments and results.
var ownershipFlaws = []flaw{
	{
		name: "ignores the context",
		inflict: func(d *decorator) {
			get, commit, list, outcome, events, count, checkHealth := d.onGet, d.onCommit, d.onList,
				d.onOutcome, d.onEvents, d.onCount, d.onHealth
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				return get(context.WithoutCancel(ctx), key)
			}
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				return commit(context.WithoutCancel(ctx), c)
			}
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				return list(context.WithoutCancel(ctx), q)
			}
			d.onOutcome = func(
				ctx context.Context, tenant string, digest installation.Digest,
			) (*installation.Outcome, error) {
				return outcome(context.WithoutCancel(ctx), tenant, digest)
			}
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				return events(context.WithoutCancel(ctx), q)
			}
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				return count(context.WithoutCancel(ctx), q)
			}
			d.onHealth = func(ctx context.Context) ([]health.Finding, error) {
				return checkHealth(context.WithoutCancel(ctx))
			}
		},
		fails: []string{"context/rejected"},
	},
	{
		name: "checks the context after writing",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				receipt, err := commit(context.WithoutCancel(ctx), c)
				return receipt, errors.Join(err, ctx.Err())
			}
		},
		fails:     []string{"context/rejected"},
		sometimes: []string{"context/while-committing"},
	},
	{
		name: "hides the error of the context",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				if ctx.Err() != nil {
					return nil, installation.ErrUnavailable
				}
				return get(ctx, key)
			}
		},
		fails: []string{"context/rejected", "context/within"},
	},
	{
		name: "keeps the terms of a change",
		inflict: func(d *decorator) {
			var kept sync.Map // of Key to slice of the caller
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && !r.Replayed && r.Outcome == nil && c.Record != nil {
					kept.Store(c.Key, c.Record.Index)
				}
				return err
			})
			d.alterGet(func(r *installation.Record) {
				if v, ok := kept.Load(r.Key); ok {
					copy(r.Index, v.([]string))
				}
			})
		},
		fails: []string{"ownership/arguments-not-kept"},
	},
	{
		name: "keeps the outcome of a change",
		inflict: func(d *decorator) {
			var kept sync.Map // of Digest and time to slice of the caller
			d.alterReceipt(func(
				c installation.Change, r *installation.Receipt, err error,
			) error {
				if err == nil && !r.Replayed && r.Outcome == nil && c.Idempotency != nil {
					kept.Store([2]any{c.Idempotency.Digest, c.Idempotency.Until},
						c.Idempotency.Data)
				}
				return err
			})
			d.alterOutcomes(func(o *installation.Outcome) {
				if v, ok := kept.Load([2]any{o.Digest, o.Until}); ok {
					copy(o.Data, v.([]byte))
				}
			})
		},
		fails: []string{"ownership/arguments-not-kept"},
	},
	{
		name: "keeps the events of a change",
		inflict: func(d *decorator) {
			var mu sync.Mutex
			kept := make(map[string][]string) // reason to slice of the caller
			d.alterReceipt(func(
				c installation.Change, _ *installation.Receipt, err error,
			) error {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range c.Events {
					kept[e.Reason] = e.Changed
				}
				return err
			})
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				mu.Lock()
				defer mu.Unlock()
				for i, e := range page.Events {
					page.Events[i].Changed = append([]string(nil), kept[e.Reason]...)
				}
			})
		},
		fails: []string{"ownership/arguments-not-kept"},
	},
	{
		name: "writes into the change",
		inflict: func(d *decorator) {
			var mu sync.Mutex // several racers commit the same change
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				mu.Lock()
				defer mu.Unlock()
				receipt, err := commit(ctx, c)
				for i := range c.Events {
					c.Events[i].ID = "given"
				}
				return receipt, err
			}
		},
		fails: []string{"ownership/arguments-unchanged"},
	},
	{
		name: "shares records",
		inflict: func(d *decorator) {
			var shared sync.Map // of Key and revision to *Record
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err != nil {
					return nil, err
				}
				v, _ := shared.LoadOrStore([2]any{key, r.Revision}, r)
				return v.(*installation.Record), nil
			}
		},
		fails: []string{"ownership/results"},
	},
	{
		name: "shares the terms of listed records",
		inflict: func(d *decorator) {
			var shared sync.Map // of Key and revision to []string
			d.alterPage(func(_ installation.Query, page *installation.Page) {
				for _, r := range page.Records {
					v, _ := shared.LoadOrStore([2]any{r.Key, r.Revision}, r.Index)
					r.Index = v.([]string)
				}
			})
		},
		fails: []string{"ownership/results"},
	},
	{
		name: "applies a change although the context ends meanwhile, and does not say so",
		inflict: func(d *decorator) {
			aroundEnding(d, func(ctx context.Context, commit func(context.Context) error) error {
				if err := commit(context.WithoutCancel(ctx)); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			})
		},
		fails: []string{"context/while-committing"},
	},
	{
		name: "says that it is unavailable if the context ends meanwhile",
		inflict: func(d *decorator) {
			aroundEnding(d, func(ctx context.Context, _ func(context.Context) error) error {
				<-ctx.Done()
				return installation.ErrUnavailable
			})
		},
		fails: []string{"context/while-committing"},
	},
	{
		name: "reads the terms of every record into the same memory",
		inflict: func(d *decorator) {
			var memory [3]string // no racer reads such records
			d.alterRecords(func(r *installation.Record) {
				if slices.Contains(r.Index, "ext=1") || slices.Contains(r.Index, "ext=2") {
					r.Index = memory[:copy(memory[:], r.Index)]
				}
			})
		},
		fails: []string{"ownership/results-stay"},
	},
	{
		name: "reads every outcome into the same memory",
		inflict: func(d *decorator) {
			var mu sync.Mutex
			var memory [4]byte // of "data" and "next"
			d.alterOutcomes(func(o *installation.Outcome) {
				mu.Lock()
				defer mu.Unlock()
				if len(o.Data) == len(memory) {
					o.Data = memory[:copy(memory[:], o.Data)]
				}
			})
		},
		fails: []string{"ownership/results-stay"},
	},
	{
		name: "shares outcomes",
		inflict: func(d *decorator) {
			var shared sync.Map // of time to []byte
			d.alterOutcomes(func(o *installation.Outcome) {
				v, _ := shared.LoadOrStore([2]any{o.Digest, o.Until}, o.Data)
				if data := v.([]byte); len(data) == len(o.Data) {
					o.Data = data
				}
			})
		},
		fails: []string{"ownership/results"},
	},
	{
		name: "shares events",
		inflict: func(d *decorator) {
			var shared sync.Map // of id to []string
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i, e := range page.Events {
					v, _ := shared.LoadOrStore(e.ID, e.Changed)
					page.Events[i].Changed = v.([]string)
				}
			})
		},
		fails: []string{"ownership/results"},
	},
}

// aroundEnding calls f in place of the commits whose context ends.
func aroundEnding(
	d *decorator, f func(ctx context.Context, commit func(context.Context) error) error,
) {
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (receipt installation.Receipt, err error) {
		if c.Key.Tenant != ending {
			return commit(ctx, c)
		}
		err = f(ctx, func(ctx context.Context) error {
			receipt, err = commit(ctx, c)
			return err
		})
		return receipt, err
	}
}
