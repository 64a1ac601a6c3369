package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/go-installation/installation"
)

// moveFlaws break scans and puts.
var moveFlaws = []flaw{
	{
		name: "scans no tombstones",
		inflict: scanning(func(r *installation.Row) bool {
			return r.Record == nil || !r.Record.Deleted
		}),
		fails: []string{"move/scan", "move/put-older"},
	},
	{
		name:    "scans no outcomes",
		inflict: scanning(func(r *installation.Row) bool { return r.Outcome == nil }),
		fails: []string{
			"move/scan",
			"move/put",
			"move/put-older",
			"move/ownership",
		},
	},
	{
		name: "scans no reserved records",
		inflict: scanning(func(r *installation.Row) bool {
			return r.Record == nil || r.Record.Key.ID[0] != '@'
		}),
		fails: []string{"move/scan"},
	},
	{
		name: "scans only the default tenant",
		inflict: scanning(func(r *installation.Row) bool {
			return r.Tenant == "" && (r.Record == nil || r.Record.Key.Tenant == "")
		}),
		fails: []string{
			"move/scan",
			"move/scan-while-written",
			"move/put",
			"move/put-replaces",
			"move/put-older",
			"move/ownership",
		},
	},
	{
		name: "scans only the newest change",
		inflict: scanning(func(r *installation.Row) bool {
			if r.Record != nil {
				r.Ops = r.Ops[len(r.Ops)-1:]
			}
			return true
		}),
		fails: []string{"move/scan", "move/put", "move/put-older"},
	},
	{
		name: "takes every change for one with a record",
		inflict: scanning(func(r *installation.Row) bool {
			for i := range r.Ops {
				r.Ops[i].WithRecord = true
			}
			return true
		}),
		fails: []string{"move/scan"},
	},
	{
		name: "scans the revision of the record for each change",
		inflict: scanning(func(r *installation.Row) bool {
			for i := range r.Ops {
				r.Ops[i].Revision = r.Record.Revision
			}
			return true
		}),
		fails: []string{"move/scan", "move/put", "move/put-older"},
	},
	{
		name: "reads each page of a scan at an offset",
		inflict: func(d *decorator) {
			scan := d.onScan
			d.onScan = func(ctx context.Context) iter.Seq2[installation.Row, error] {
				return func(yield func(installation.Row, error) bool) {
					for skip := 0; ; skip += 100 {
						var page []installation.Row
						n := 0
						for r, err := range scan(ctx) {
							if err != nil {
								yield(r, err)
								return
							}
							if n++; n > skip && len(page) < 100 {
								page = append(page, r)
							}
						}
						for _, r := range page {
							if !yield(r, nil) {
								return
							}
						}
						if len(page) < 100 {
							return
						}
					}
				}
			}
		},
		fails: []string{"move/scan-while-written"},
	},
	{
		name: "locks out writers during a scan",
		inflict: func(d *decorator) {
			lock := make(chan struct{}, 1)
			scan, commit := d.onScan, d.onCommit
			d.onScan = func(ctx context.Context) iter.Seq2[installation.Row, error] {
				return func(yield func(installation.Row, error) bool) {
					lock <- struct{}{}
					defer func() { <-lock }()
					scan(ctx)(yield)
				}
			}
			d.onCommit = func(
				ctx context.Context, c installation.Change,
			) (installation.Receipt, error) {
				lock <- struct{}{}
				defer func() { <-lock }()
				return commit(ctx, c)
			}
		},
		fails: []string{"move/scan-while-written"},
		hangs: true,
	},
	{
		name: "ends a scan without its error",
		inflict: func(d *decorator) {
			scan := d.onScan
			d.onScan = func(ctx context.Context) iter.Seq2[installation.Row, error] {
				return func(yield func(installation.Row, error) bool) {
					for r, err := range scan(ctx) {
						if err != nil || !yield(r, nil) {
							return
						}
					}
				}
			}
		},
		fails: []string{"move/scan-ended"},
	},
	{
		name: "gives new revisions to the rows that it gets",
		inflict: putting(func(r *installation.Row) {
			if r.Record != nil {
				r.Record.Revision = 1
				r.Ops[len(r.Ops)-1].Revision = 1
			}
		}),
		fails: []string{
			"move/put",
			"move/put-replaces",
			"move/put-tombstone",
			"move/put-older",
			"move/ownership",
			"move/put-over-tombstone",
		},
	},
	{
		name: "forgets the changes of the rows that it gets",
		inflict: putting(func(r *installation.Row) {
			if len(r.Ops) > 1 {
				r.Ops = r.Ops[len(r.Ops)-1:]
			}
		}),
		fails: []string{"move/put", "move/put-older"},
	},
	{
		name: "puts tombstones as records",
		inflict: putting(func(r *installation.Row) {
			if r.Record != nil {
				r.Record.Deleted = false
			}
		}),
		fails: []string{"move/put-tombstone", "move/put-older"},
	},
	{
		name: "puts what it has already",
		inflict: forcing(func(old, r installation.Row) bool {
			return r.Record != nil && r.Record.Revision == old.Record.Revision
		}),
		fails: []string{"move/put-older"},
	},
	{
		name: "puts older outcomes",
		inflict: forcing(func(old, r installation.Row) bool {
			return r.Outcome != nil && r.Outcome.Until.Before(old.Outcome.Until)
		}),
		fails: []string{"move/put-older"},
	},
	{
		name: "keeps the claims of the record that a row replaces",
		inflict: func(d *decorator) {
			putting(func(r *installation.Row) {
				if r.Record == nil {
					return
				}
				if old := d.stored(r.Record.Key); old != nil {
					r.Record.Claims = append(r.Record.Claims, old.Claims...)
				}
			})(d)
		},
		fails: []string{"move/put-replaces"},
	},
	{
		name: "says that it has written every row",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				_, err := put(ctx, r)
				return err == nil, err
			})
		},
		fails: []string{"move/put-older"},
	},
	{
		name: "puts nothing after a restore",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				if d.epoch() > 0 {
					return false, installation.ErrEpoch
				}
				return put(ctx, r)
			})
		},
		fails: []string{"move/put-epoch"},
	},
	{
		name: "puts rows by a commit, with an event",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				written, err := put(ctx, r)
				if written && r.Record != nil {
					c := create(at("beside"))
					c.Epoch, c.Events = d.epoch(), []installation.Event{eventOf(c, "put")}
					_, _ = d.Store.Commit(ctx, c)
				}
				return written, err
			})
		},
		fails: []string{
			"move/put",
			"move/put-tombstone",
			"move/put-older",
			"move/put-epoch",
			"move/ownership",
		},
	},
	{
		name: "takes claims away",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				if r.Record != nil {
					c := installation.Change{Key: r.Record.Key, Record: r.Record}
					if old := d.holder(c); old != nil {
						free := update(old)
						free.Record.Claims = nil
						_, _ = d.Store.Commit(ctx, free)
					}
				}
				return put(ctx, r)
			})
		},
		fails: []string{"move/put-claim"},
	},
	{
		name: "puts rows of any form",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				if ctx.Err() == nil && r.Validate() != nil {
					return false, nil
				}
				return put(ctx, r)
			})
		},
		fails: []string{"move/put-invalid"},
	},
	{
		name: "keeps the outcomes that it gets",
		inflict: func(d *decorator) {
			given := make(map[installation.Digest]*installation.Outcome)
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				if r.Outcome != nil {
					given[r.Outcome.Digest] = r.Outcome
				}
				return put(ctx, r)
			})
			scanning(func(r *installation.Row) bool {
				if r.Outcome != nil && given[r.Outcome.Digest] != nil {
					r.Outcome.Data = given[r.Outcome.Digest].Data
				}
				return true
			})(d)
		},
		fails: []string{"move/put-older", "move/ownership"},
	},
	{
		name: "puts rows after the context has ended",
		inflict: func(d *decorator) {
			d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
				written, err := put(context.WithoutCancel(ctx), r)
				if ctx.Err() != nil {
					return false, ctx.Err()
				}
				return written, err
			})
		},
		fails: []string{"context/rejected"},
	},
}

// scanning passes a copy of each row of a scan to f, and leaves the row out if f returns false.
func scanning(f func(r *installation.Row) bool) func(*decorator) {
	return func(d *decorator) {
		scan := d.onScan
		d.onScan = func(ctx context.Context) iter.Seq2[installation.Row, error] {
			return func(yield func(installation.Row, error) bool) {
				for r, err := range scan(ctx) {
					if (err != nil || f(&r)) && !yield(r, err) {
						return
					}
				}
			}
		}
	}
}

// putRow puts a row.
type putRow func(ctx context.Context, r installation.Row) (bool, error)

// aroundPut calls f in place of Put.
func (d *decorator) aroundPut(
	f func(ctx context.Context, r installation.Row, put putRow) (bool, error),
) {
	put := d.onPut
	d.onPut = func(ctx context.Context, now time.Time, r installation.Row) (bool, error) {
		return f(ctx, r, func(ctx context.Context, r installation.Row) (bool, error) {
			return put(ctx, now, r)
		})
	}
}

// putting passes a copy of each row that is put to f.
func putting(f func(r *installation.Row)) func(*decorator) {
	return func(d *decorator) {
		d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
			r = clone(r)
			if r.Validate() == nil {
				f(&r)
			}
			return put(ctx, r)
		})
	}
}

// forcing puts a row that is not newer if f returns true for the old row and the given one.
func forcing(f func(old, r installation.Row) bool) func(*decorator) {
	return func(d *decorator) {
		d.aroundPut(func(ctx context.Context, r installation.Row, put putRow) (bool, error) {
			var old installation.Row
			if r.Validate() == nil {
				for stored := range d.Store.Scan(ctx) {
					if nameOf(stored) == nameOf(r) {
						old = stored
					}
				}
			}
			if (old.Record != nil || old.Outcome != nil) && f(old, r) {
				r = clone(r)
				if r.Record != nil {
					r.Record.Revision = old.Record.Revision + 1
					r.Ops[len(r.Ops)-1].Revision = r.Record.Revision
				} else {
					r.Outcome.Until = old.Outcome.Until.Add(time.Second)
				}
			}
			return put(ctx, r)
		})
	}
}
