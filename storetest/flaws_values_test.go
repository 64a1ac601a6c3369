package storetest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// valueFlaws break strings, times and the results of Get.
var valueFlaws = []flaw{
	{
		name: "folds the case of ids",
		inflict: confuse(func(k installation.Key) any {
			return [2]string{k.Tenant, lower(k.ID)}
		}),
		fails: []string{"strings/letter-case", "strings/boundaries", "claims/holder-case"},
	},
	{
		name: "folds the case of tenants",
		inflict: confuse(func(k installation.Key) any {
			return [2]string{lower(k.Tenant), k.ID}
		}),
		fails: []string{"strings/letter-case", "strings/boundaries"},
	},
	{
		name: "folds the case of terms",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					for i, term := range c.Record.Index {
						c.Record.Index[i] = lower(term)
					}
				}
			})
			d.alterQuery(func(q *installation.Query) { q.Term = lower(q.Term) })
		},
		fails: []string{"strings/letter-case", "strings/boundaries"},
	},
	{
		name: "folds the case of claims",
		inflict: func(d *decorator) {
			d.pretend(func(c *installation.Change, _ *installation.Record) {
				if c.Record != nil {
					for i, claim := range c.Record.Claims {
						c.Record.Claims[i] = lower(claim)
					}
				}
			})
		},
		fails: []string{"strings/letter-case", "strings/boundaries"},
	},
	{
		name: "trims ids",
		inflict: confuse(func(k installation.Key) any {
			return [2]string{k.Tenant, strings.TrimSpace(k.ID)}
		}),
		fails: []string{"strings/odd"},
	},
	{
		name: "reads ids as UTF-8",
		inflict: confuse(func(k installation.Key) any {
			return [2]string{k.Tenant, strings.ToValidUTF8(k.ID, "\ufffd")}
		}),
		fails: []string{"strings/odd", "strings/boundaries"},
	},
	{
		name: "reads ids in hex as bytes",
		inflict: confuse(func(k installation.Key) any {
			if digits, ok := strings.CutPrefix(k.ID, `\x`); ok {
				id, _ := hex.DecodeString(digits)
				return [2]string{k.Tenant, string(id)}
			}
			return [2]string{k.Tenant, k.ID}
		}),
		fails: []string{"strings/odd"},
	},
	{
		name: "reads terms as patterns of SQL",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return last.Key.Tenant == q.Tenant && slices.ContainsFunc(last.Index, func(
					term string,
				) bool {
					return strings.ContainsAny(q.Term, "%_") && like(q.Term, term)
				})
			})
		},
		fails: []string{"strings/odd", "strings/boundaries"},
	},
	{
		name: "cuts ids at 255 bytes",
		inflict: confuse(func(k installation.Key) any {
			return [2]string{k.Tenant, k.ID[:min(255, len(k.ID))]}
		}),
		fails: []string{"strings/odd"},
	},
	{
		name:    "joins tenant and id",
		inflict: confuse(func(k installation.Key) any { return k.Tenant + ":" + k.ID }),
		fails:   []string{"strings/boundaries"},
	},
	{
		name: "joins tenant and term",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return last.Key.Tenant != q.Tenant && slices.ContainsFunc(last.Index, func(
					term string,
				) bool {
					return last.Key.Tenant+":"+term == q.Tenant+":"+q.Term
				})
			})
		},
		fails: []string{"strings/boundaries"},
	},
	{
		name:    "truncates times to milliseconds",
		inflict: retime(func(t time.Time) time.Time { return t.Truncate(time.Millisecond) }),
		fails:   []string{"times/microseconds"},
	},
	{
		name:    "truncates times to seconds",
		inflict: retime(func(t time.Time) time.Time { return t.Truncate(time.Second) }),
		fails:   []string{"times/microseconds"},
	},
	{
		name: "returns times in a local zone",
		inflict: retime(func(t time.Time) time.Time {
			return t.In(time.FixedZone("somewhere", 3600))
		}),
		fails: []string{"times/utc"},
	},
	{
		name: "stores no times before 1970",
		inflict: func(d *decorator) {
			d.alterRecords(func(r *installation.Record) {
				if r.Created.Before(time.Unix(0, 0)) && !r.Created.IsZero() {
					r.Created = time.Unix(0, 0).UTC()
				}
			})
		},
		fails: []string{"times/early"},
	},
	{
		name: "keeps numbers as floats",
		inflict: func(d *decorator) {
			d.alterRecords(
				func(r *installation.Record) { r.Generation = int64(float64(r.Generation)) })
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i, e := range page.Events {
					page.Events[i].Revision = int64(float64(e.Revision))
				}
			})
		},
		fails: []string{"get/whole", "events/whole"},
	},
	{
		name: "treats an empty body as no record",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err == nil && r.Body.IsZero() && !r.Deleted {
					return nil, installation.ErrNotFound
				}
				return r, err
			}
		},
		fails: []string{"get/bare"},
	},
	{
		name: "cuts large bodies",
		inflict: func(d *decorator) {
			d.alterRecords(func(r *installation.Record) {
				b := r.Body.Bytes()
				r.Body = installation.BodyFromBytes(b[:min(len(b), 64<<10)])
			})
		},
		fails: []string{"get/large"},
	},
	{
		name: "reads bodies as text",
		inflict: func(d *decorator) {
			d.alterRecords(func(r *installation.Record) {
				r.Body = installation.BodyFromBytes(
					bytes.ToValidUTF8(r.Body.Bytes(), []byte("?")))
			})
		},
		fails: []string{"get/large"},
	},
	{
		name: "keeps the body of a tombstone",
		inflict: func(d *decorator) {
			d.alterGet(func(r *installation.Record) {
				if r.Deleted {
					r.Body = body("remains")
				}
			})
		},
		fails: []string{
			"get/tombstone",
			"revision/tombstone",
			"write/tombstone-kept",
			"forget/tombstone-in-time",
		},
	},
	{
		name: "has one error for everything missing",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if errors.Is(err, installation.ErrNotFound) {
					err = errors.Join(err, installation.ErrUnavailable)
				}
				return r, err
			}
		},
		fails: []string{"get/nothing"},
	},
	{
		name: "returns an empty record for nothing",
		inflict: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if errors.Is(err, installation.ErrNotFound) {
					return new(installation.Record), err
				}
				return r, err
			}
		},
		fails: []string{"get/nothing"},
	},
}

// confuse treats keys as equal if form maps them to the same key.
func confuse(form func(installation.Key) any) func(*decorator) {
	return func(d *decorator) {
		var first sync.Map // of form to Key
		same := func(key installation.Key) installation.Key {
			v, _ := first.LoadOrStore(form(key), key)
			return v.(installation.Key)
		}
		get := d.onGet
		d.onGet = func(
			ctx context.Context, key installation.Key,
		) (*installation.Record, error) {
			return get(ctx, same(key))
		}
		d.alterChange(func(c *installation.Change, _ *installation.Record) {
			c.Key = same(c.Key)
		})
	}
}

// retime changes every returned time.
func retime(f func(time.Time) time.Time) func(*decorator) {
	return func(d *decorator) {
		d.alterRecords(func(r *installation.Record) {
			r.Created, r.Deadline = f(r.Created),
				f(r.Deadline)
		})
		d.alterOutcomes(func(o *installation.Outcome) { o.Until = f(o.Until) })
		d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
			for i := range page.Events {
				page.Events[i].Time = f(page.Events[i].Time)
			}
		})
	}
}

// like reports whether a text matches a pattern of SQL. It ignores backslashes.
func like(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '%':
		return like(pattern[1:], text) || text != "" && like(pattern, text[1:])
	}
	return text != "" && (pattern[0] == '_' || pattern[0] == text[0]) &&
		like(pattern[1:], text[1:])
}

// lower folds ASCII letters only.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
