package storetest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation"
)

// listFlaws break the members and the order of lists.
var listFlaws = []flaw{
	{
		name: "lists by id",
		inflict: shuffle(func(q installation.Query, records []*installation.Record) {
			slices.SortFunc(records, func(a, b *installation.Record) int {
				return strings.Compare(a.Key.ID, b.Key.ID)
			})
			if q.Reverse {
				slices.Reverse(records)
			}
		}),
		fails: []string{
			"list/order", "list/reverse", "list/moved", "page/limits", "page/skip",
			"page/skip-after-cursor", "page/added-meanwhile", "page/ordinary-writes",
			"tenant/all-of-them", "tenant/reverse", "due/boundary", "due/order", "due/reverse",
		},
	},
	{
		name: "lists by time alone",
		inflict: shuffle(func(q installation.Query, records []*installation.Record) {
			if q.Term != all || q.AllTenants || q.Reverse || q.Tenant != "tenant" {
				return
			}
			slices.SortFunc(records, func(a, b *installation.Record) int {
				return cmp.Or(a.Created.Compare(b.Created), strings.Compare(b.Key.ID, a.Key.ID))
			})
		}),
		fails: []string{
			"strings/odd", "list/order", "page/limits", "page/skip", "page/skip-after-cursor",
		},
	},
	{
		name: "lists in one direction",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) { q.Reverse = false })
		},
		fails: []string{
			"list/reverse", "list/terms", "page/limits", "page/skip", "page/removed-meanwhile",
			"page/added-meanwhile", "tenant/reverse",
		},
	},
	{
		name: "matches terms by prefix",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return q.Term != "" && last.Key.Tenant == q.Tenant &&
					slices.ContainsFunc(last.Index, func(term string) bool {
						return strings.HasPrefix(term, q.Term)
					})
			})
		},
		fails: []string{
			"strings/odd",
			"strings/boundaries", "list/order", "list/reverse", "list/terms", "page/limits",
			"page/skip", "page/ordinary-writes",
		},
	},
	{
		name: "lists all tenants for the default tenant",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return q.Tenant == "" && !q.AllTenants && slices.Contains(last.Index, q.Term) &&
					!installation.GlobalTerm(q.Term)
			})
		},
		fails: []string{"tenant/default"},
	},
	{
		name: "lists one tenant instead of all",
		inflict: func(d *decorator) {
			d.alterPage(func(q installation.Query, page *installation.Page) {
				if q.AllTenants {
					inA := func(r *installation.Record) bool { return r.Key.Tenant == "a" }
					page.Records = slices.DeleteFunc(page.Records, inA)
				}
			})
		},
		fails: []string{"tenant/all-of-them", "tenant/due", "due/pages"},
	},
	{
		name:    "lists stubs",
		inflict: func(d *decorator) { d.alterPage(stub) },
		fails: []string{
			"ownership/results", "ownership/results-stay", "write/replaces", "list/whole-records",
		},
	},
	{
		name:    "lists only records due before the time",
		inflict: func(d *decorator) { d.alterQuery(dueBy(-time.Microsecond)) },
		fails:   []string{"due/boundary"},
	},
	{
		name:    "lists records due a microsecond later",
		inflict: func(d *decorator) { d.alterQuery(dueBy(time.Microsecond)) },
		fails:   []string{"due/boundary"},
	},
	{
		name: "compares deadlines in milliseconds",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) {
				if !q.DueBefore.IsZero() {
					q.DueBefore = q.DueBefore.Truncate(time.Millisecond).Add(
						999 * time.Microsecond)
				}
			})
		},
		fails: []string{"due/boundary"},
	},
	{
		name: "treats no deadline as an early one",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return last.Deadline.IsZero() && !q.DueBefore.IsZero() &&
					(q.AllTenants || last.Key.Tenant == q.Tenant)
			})
		},
		fails: []string{
			"write/replaces", "write/nothing-of-a-conflict", "write/nothing-of-a-claimant",
			"due/boundary", "due/swept",
		},
	},
	{
		name: "lists due records in any order",
		inflict: shuffle(func(q installation.Query, records []*installation.Record) {
			if !q.DueBefore.IsZero() {
				slices.SortFunc(records, func(a, b *installation.Record) int {
					return strings.Compare(a.Key.ID, b.Key.ID)
				})
			}
		}),
		fails: []string{"due/boundary", "due/order"},
	},
	{
		name: "reverses due records",
		inflict: shuffle(func(q installation.Query, records []*installation.Record) {
			if q.Reverse && !q.DueBefore.IsZero() {
				slices.Reverse(records)
			}
		}),
		fails: []string{"due/reverse"},
	},
	{
		name: "lists tombstones when they may be forgotten",
		inflict: func(d *decorator) {
			d.sneak(func(q installation.Query, versions []installation.Record) bool {
				last := versions[len(versions)-1]
				return last.Deleted && !last.Deadline.After(q.DueBefore) &&
					(q.AllTenants || last.Key.Tenant == q.Tenant)
			})
		},
		fails: []string{"due/tombstone"},
	},
}

// pageFlaws break limits and cursors.
var pageFlaws = []flaw{
	{
		name: "has cursors that count",
		inflict: func(d *decorator) {
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				n, err := strconv.Atoi("0" + q.After)
				if err != nil {
					return installation.Page{}, installation.ErrInvalid
				}
				q.After, q.Skip = "", q.Skip+n
				page, err := list(ctx, q)
				if page.Next != "" {
					page.Next = strconv.Itoa(q.Skip + len(page.Records))
				}
				return page, err
			}
		},
		fails: []string{"page/removed-meanwhile", "page/added-meanwhile", "due/swept"},
	},
	{
		name: "continues at the member, not after it",
		inflict: func(d *decorator) {
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				page, err := list(ctx, q)
				if n := len(page.Records); page.Next != "" && n > 1 {
					q.Limit = n - 1
					again, err := list(ctx, q)
					page.Next = again.Next
					return page, err
				}
				return page, err
			}
		},
		fails: []string{
			"page/limits", "page/skip", "page/skip-after-cursor", "page/added-meanwhile",
			"page/ordinary-writes", "tenant/all-of-them", "due/pages",
		},
	},
	{
		name: "finds no list in an empty store",
		inflict: func(d *decorator) {
			var filled atomic.Bool
			d.alterChange(func(*installation.Change, *installation.Record) {
				filled.Store(true)
			})
			list := d.onList
			d.onList = func(
				ctx context.Context, q installation.Query,
			) (installation.Page, error) {
				if !filled.Load() {
					return installation.Page{}, installation.ErrNotFound
				}
				return list(ctx, q)
			}
		},
		fails: []string{"page/empty"},
	},
	{
		name: "ends where a page is full",
		inflict: func(d *decorator) {
			d.alterPage(func(_ installation.Query, page *installation.Page) { page.Next = "" })
		},
		fails: []string{
			"page/limits",
			"page/skip",
			"page/skip-after-cursor",
			"page/removed-meanwhile",
			"page/added-meanwhile",
			"page/ordinary-writes",
			"tenant/all-of-them",
			"due/pages",
			"due/swept",
			"count/ignored",
			"page/printable",
		},
	},
	{
		name: "never ends",
		inflict: func(d *decorator) {
			d.alterPage(func(q installation.Query, page *installation.Page) {
				if page.Next == "" {
					page.Next = q.After
				}
			})
		},
		fails: []string{
			"page/limits", "page/skip", "page/skip-after-cursor", "page/removed-meanwhile",
			"page/added-meanwhile", "page/ordinary-writes", "tenant/all-of-them", "due/pages",
		},
	},
	{
		name: "returns one more record",
		inflict: func(d *decorator) {
			d.alterQuery(
				func(q *installation.Query) { q.Limit = min(q.Limit+1, installation.MaxPage) })
		},
		fails: []string{"page/limits", "query/invalid", "page/printable"},
	},
	{
		name: "does not skip",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) { q.Skip = 0 })
		},
		fails: []string{"page/skip", "page/skip-after-cursor", "due/skip", "query/invalid"},
	},
	{
		name: "does not skip after a cursor",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) {
				if q.After != "" {
					q.Skip = 0
				}
			})
		},
		fails: []string{"page/skip-after-cursor"},
	},
	{
		name: "skips in every page",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) {
				if before, after, ok := strings.Cut(q.After, "+"); ok {
					skip, _ := strconv.Atoi(after)
					q.After, q.Skip = before, q.Skip+skip
				}
			})
			d.alterPage(func(q installation.Query, page *installation.Page) {
				if page.Next != "" {
					page.Next += "+" + strconv.Itoa(q.Skip)
				}
			})
		},
		fails: []string{"page/skip"},
	},
	{
		name: "lets a cursor choose the tenant",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) {
				if tenant, after, ok := strings.Cut(q.After, "."); ok {
					q.Tenant, q.After = tenant, after
				}
			})
			d.alterPage(func(q installation.Query, page *installation.Page) {
				if page.Next != "" {
					page.Next = q.Tenant + "." + page.Next
				}
			})
		},
		fails: []string{"page/foreign-cursor", "page/printable"},
	},
	{
		name: "lets a cursor choose the term",
		inflict: func(d *decorator) {
			d.alterQuery(func(q *installation.Query) {
				if term, after, ok := strings.Cut(q.After, "."); ok && term != "" &&
					q.Term != "" {
					q.Term, q.After = term, after
				}
			})
			d.alterPage(func(q installation.Query, page *installation.Page) {
				if page.Next != "" && q.Term != "" && !q.AllTenants {
					page.Next = q.Term + "." + page.Next
				}
			})
		},
		fails: []string{"page/foreign-cursor", "page/printable"},
	},
}

// shuffle lets sort change the order of records in each page.
func shuffle(sort func(q installation.Query, records []*installation.Record)) func(*decorator) {
	return func(d *decorator) {
		d.alterPage(func(q installation.Query, page *installation.Page) {
			sort(q, page.Records)
		})
	}
}

func dueBy(d time.Duration) func(q *installation.Query) {
	return func(q *installation.Query) {
		if !q.DueBefore.IsZero() {
			q.DueBefore = q.DueBefore.Add(d)
		}
	}
}

func stub(_ installation.Query, page *installation.Page) {
	for _, r := range page.Records {
		r.Body = installation.Body{}
	}
}
