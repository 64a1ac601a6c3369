package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation"
)

// confusedFlaws take two values for the same, or lose values that few stores lose. All of them are
// faults that were planted in a store and that the suite missed.
var confusedFlaws = []flaw{
	{
		name: "drops spaces at the end of claims",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					for i, claim := range c.Record.Claims {
						c.Record.Claims[i] = strings.TrimRight(claim, " ")
					}
				}
			})
		},
		fails: []string{"strings/odd"},
	},
	{
		name: "joins the parts of a cursor by a bar",
		inflict: func(d *decorator) {
			d.alterPage(func(_ installation.Query, page *installation.Page) {
				n := len(page.Records)
				if n > 0 && page.Next != "" && strings.Contains(page.Records[n-1].Key.ID, "|") {
					page.Next = "|" // cannot be read
				}
			})
		},
		fails: []string{"page/odd"},
	},
	{
		name: "counts without spaces at the end",
		inflict: func(d *decorator) {
			count := d.onCount
			d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
				n, err := count(ctx, q)
				if term := strings.TrimRight(q.Term, " "); term != q.Term && err == nil {
					q.Term = term
					more, _ := count(ctx, q)
					n += more
				}
				return n, err
			}
		},
		fails: []string{"count/odd"},
	},
	{
		name: "reads events without spaces at the end of tenants",
		inflict: func(d *decorator) {
			events := d.onEvents
			d.onEvents = func(
				ctx context.Context, q installation.EventQuery,
			) (installation.EventPage, error) {
				q.Tenant = strings.TrimRight(q.Tenant, " ")
				return events(ctx, q)
			}
		},
		fails: []string{"events/odd"},
	},
	{
		name: "numbers the events of a page",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i := range page.Events {
					page.Events[i].ID = strconv.Itoa(i + 1)
				}
			})
		},
		fails: []string{"events/ids-of-pages"},
	},
	{
		name: "compares eight bytes of op tokens",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) { clear(c.Op[8:]) })
		},
		fails: []string{"replay/tokens"},
	},
	{
		name: "compares eight bytes of digests",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil {
					clear(c.Idempotency.Digest[8:])
				}
			})
			d.alterReceipt(func(c installation.Change, r *installation.Receipt, err error) error {
				if r.Outcome != nil {
					r.Outcome.Digest = c.Idempotency.Digest
				}
				return err
			})
			read := d.onOutcome
			d.onOutcome = func(
				ctx context.Context, tenant string, asked installation.Digest,
			) (*installation.Outcome, error) {
				cut := asked
				clear(cut[8:])
				o, err := read(ctx, tenant, cut)
				if o != nil {
					o.Digest = asked
				}
				return o, err
			}
		},
		fails: []string{"outcome/digests"},
	},
	{name: "drops claims of the same ID in other tenants", inflict: dropOthers,
		fails: []string{"claims/same-id"}},
	{name: "forgets outcomes a minute early", inflict: forgetEarly,
		fails: []string{"forget/outcome-in-time", "idempotency/kept"}},
	{
		name: "forgets tombstones without a deadline",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err == nil && r.Deleted && r.Deadline.IsZero() {
					return nil, installation.ErrNotFound
				}
				return r, err
			}
		},
		fails: []string{"write/tombstone-without-deadline"},
	},
	{
		name: "keeps times in nanoseconds",
		inflict: retime(func(t time.Time) time.Time {
			if t.IsZero() {
				return t
			}
			return time.Unix(0, t.UnixNano()).UTC()
		}),
		fails: []string{"times/far"},
	},
	{
		name: "keeps revisions as floats",
		inflict: func(d *decorator) {
			d.alterRecords(func(r *installation.Record) {
				r.Revision = int64(float64(r.Revision))
			})
		},
		fails: []string{"revision/large"},
	},
	{
		name: "ends a list after 500 records",
		inflict: func(d *decorator) {
			d.alterPage(func(_ installation.Query, page *installation.Page) {
				if len(page.Records) > 500 {
					page.Records, page.Next = page.Records[:500], ""
				}
			})
		},
		fails: []string{"sizes/list"},
	},
	{
		name: "ends a scan after 1,000 rows",
		inflict: func(d *decorator) {
			scan := d.onScan
			d.onScan = func(ctx context.Context) iter.Seq2[installation.Row, error] {
				return func(yield func(installation.Row, error) bool) {
					n := 0
					for row, err := range scan(ctx) {
						if n++; n > 1000 || !yield(row, err) {
							return
						}
					}
				}
			}
		},
		fails: []string{"sizes/scan"},
	},
}

// dropOthers drops the claims of records with the ID of a change in two other tenants.
func dropOthers(d *decorator) {
	d.alterReceipt(func(c installation.Change, _ *installation.Receipt, err error) error {
		for _, tenant := range []string{"a", "b"} {
			other := d.stored(installation.Key{Tenant: tenant, ID: c.Key.ID})
			if err != nil || c.If == 0 || c.Key.Tenant == tenant || other == nil ||
				len(other.Claims) == 0 {
				continue
			}
			dropped := update(other)
			dropped.Record.Claims, dropped.Epoch = nil, d.epoch()
			_, _ = d.Store.Commit(context.Background(), dropped)
		}
		return err
	})
}

// forgetEarly hides outcomes from a minute before their Until.
func forgetEarly(d *decorator) {
	var latest atomic.Pointer[time.Time]
	d.alterReceipt(func(c installation.Change, r *installation.Receipt, err error) error {
		if err == nil && !r.Replayed && r.Outcome == nil {
			latest.Store(&c.Now)
		}
		return err
	})
	read := d.onOutcome
	d.onOutcome = func(
		ctx context.Context, tenant string, asked installation.Digest,
	) (*installation.Outcome, error) {
		o, err := read(ctx, tenant, asked)
		if now := latest.Load(); o != nil && now != nil && o.Until.Sub(*now) <= time.Minute {
			return nil, installation.ErrNotFound
		}
		return o, err
	}
}

// wholeFlaws write a change in parts, or fail in a later round of a race.
var wholeFlaws = []flaw{
	{name: "writes the outcome after the record", inflict: outcomeLater,
		fails: []string{"race/whole"}},
	{
		name: "gives up when locks of claims form a circle",
		inflict: func(d *decorator) {
			var once atomic.Bool
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				if c.Key.Tenant == swapped && c.If > 0 && once.CompareAndSwap(false, true) {
					return installation.Receipt{}, installation.ErrUnavailable
				}
				return commit(ctx, c)
			}
		},
		fails: []string{"race/claims-swapped"},
	},
	{
		name: "checks the claims of updates outside the transaction",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Key.Tenant == swapped && c.If > 0 {
					unclaim(c)
				}
			})
		},
		fails: []string{"race/claims-swapped"},
	},
	{
		name: "swaps the events of two commits",
		inflict: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				i := slices.IndexFunc(page.Events, func(e installation.Event) bool {
					return e.Reason == "next" && e.Revision == 10
				})
				if i > 0 {
					page.Events[i-1], page.Events[i] = page.Events[i], page.Events[i-1]
				}
			})
		},
		fails: []string{"race/event-order"},
	},
	{
		name: "misses a claim in a later round",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil && slices.Contains(c.Record.Claims, "claim of round 7") {
					unclaim(c)
				}
			})
		},
		fails: []string{"race/claims"},
	},
	{
		name: "misses an outcome in a later round",
		inflict: func(d *decorator) {
			d.alterChange(func(c *installation.Change, _ *installation.Record) {
				if c.Idempotency != nil && c.Idempotency.Digest == digest("key of round 7") {
					c.Idempotency = nil
				}
			})
		},
		fails: []string{"race/outcomes"},
	},
	{
		name: "misses a revision in a later round",
		inflict: func(d *decorator) {
			commit := d.onCommit
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				for {
					if r := d.stored(c.Key); r != nil && c.Key.ID == "a of round 7" {
						c = cloneChange(c)
						c.If, c.Record.Revision = r.Revision, r.Revision+1
					}
					receipt, err := commit(ctx, c)
					if c.Key.ID != "a of round 7" || !errors.Is(err, installation.ErrConflict) {
						return receipt, err
					}
				}
			}
		},
		fails: []string{"race/revisions"},
	},
}

// outcomeLater writes one outcome after its record, and not before a reader has looked for it.
func outcomeLater(d *decorator) {
	const late = 50
	looked := make(chan struct{})
	look := sync.OnceFunc(func() { close(looked) })
	read := d.onOutcome
	d.onOutcome = func(
		ctx context.Context, tenant string, asked installation.Digest,
	) (*installation.Outcome, error) {
		o, err := read(ctx, tenant, asked)
		if asked == digest("key "+strconv.Itoa(late)) {
			look()
		}
		return o, err
	}
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		if c.Key.ID != wholeID || c.Record.Revision != late {
			return commit(ctx, c)
		}
		after := touch(c.Record)
		after.Idempotency, c.Idempotency = c.Idempotency, nil
		receipt, err := commit(ctx, c)
		<-looked
		if err == nil {
			_, err = commit(ctx, after)
		}
		return receipt, err
	}
}
