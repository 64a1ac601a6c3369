package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
)

// freedoms are choices that the contract leaves to the store.
var freedoms = []struct {
	name string
	take func(d *decorator)
}{
	{
		name: "pages hold fewer records than asked for, or none",
		take: func(d *decorator) {
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				if after, ok := strings.CutSuffix(q.After, "+"); ok {
					q.After = after
				} else if q.After != "" && q.Skip == 0 {
					return installation.Page{Next: q.After + "+"}, ctx.Err()
				}
				if q.Limit <= installation.MaxPage {
					q.Limit = min(q.Limit, 2)
				}
				return list(ctx, q)
			}
		},
	},
	{
		name: "a list ends with an empty page",
		take: func(d *decorator) {
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				if q.After == "end" {
					return installation.Page{}, ctx.Err()
				}
				page, err := list(ctx, q)
				if page.Next == "" && len(page.Records) > 0 {
					page.Next = "end"
				}
				return page, err
			}
		},
	},
	{
		name: "expired outcomes and tombstones are forgotten at once",
		take: func(d *decorator) {
			outcome := d.onOutcome
			d.onOutcome = func(
				ctx context.Context, tenant string, digest installation.Digest,
			) (*installation.Outcome, error) {
				o, err := outcome(ctx, tenant, digest)
				if err == nil && !o.Until.After(now) {
					return nil, installation.ErrNotFound
				}
				return o, err
			}
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err == nil && r.Deleted && !r.Deadline.IsZero() && !r.Deadline.After(now) {
					return nil, installation.ErrNotFound
				}
				return r, err
			}
		},
	},
	{
		name: "cursors of no page are rejected",
		take: func(d *decorator) {
			given := make(map[string]bool) // no race of the suite lists
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				if q.After != "" && !given[q.Tenant+q.Term+q.After] {
					return installation.Page{}, installation.ErrInvalid
				}
				page, err := list(ctx, q)
				given[q.Tenant+q.Term+page.Next] = true
				return page, err
			}
		},
	},
	{
		name: "errors are wrapped",
		take: func(d *decorator) {
			get := d.onGet
			d.onGet = func(
				ctx context.Context, key installation.Key,
			) (*installation.Record, error) {
				r, err := get(ctx, key)
				if err != nil {
					err = errors.Join(errors.New("wrapped"), err)
				}
				return r, err
			}
			d.alterReceipt(func(
				_ installation.Change, _ *installation.Receipt, err error,
			) error {
				if err != nil {
					err = errors.Join(errors.New("wrapped"), err)
				}
				return err
			})
		},
	},
	{
		name: "events have ids of any form",
		take: func(d *decorator) {
			d.alterEvents(func(_ installation.EventQuery, page *installation.EventPage) {
				for i, e := range page.Events {
					page.Events[i].ID = hex.EncodeToString([]byte(e.ID))
				}
			})
		},
	},
	{
		name: "health finds nothing",
		take: func(d *decorator) {
			d.onHealth = func(ctx context.Context) ([]health.Finding, error) {
				return nil, ctx.Err()
			}
		},
	},
}

// TestFreedoms proves that the suite accepts every choice that the contract leaves to the
// store.
func TestFreedoms(t *testing.T) {
	for _, f := range freedoms {
		t.Run(f.name, func(t *testing.T) {
			for _, c := range cases() {
				d := sound()
				f.take(d)
				if r := try(t, c, d); r.failed {
					t.Errorf("%s: %s", c.name, r.text())
				}
			}
		})
	}
}
