package storetest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/memstore"
)

// flaw is a violation of the contract.
type flaw struct {
	name      string
	inflict   func(d *decorator)
	fails     []string // the cases that must fail, in the order of the suite
	sometimes []string // cases that may fail, depending on the scheduler
	hangs     bool     // the cases need a clock that does not wait
}

// decorator is a correct store with replaceable methods.
type decorator struct {
	*memstore.Store
	onGet     func(context.Context, installation.Key) (*installation.Record, error)
	onCommit  func(context.Context, installation.Change) (installation.Receipt, error)
	onList    func(context.Context, installation.Query) (installation.Page, error)
	onOutcome func(context.Context, string, installation.Digest) (*installation.Outcome, error)
	onEvents  func(context.Context, installation.EventQuery) (installation.EventPage, error)
	onCount   func(context.Context, installation.Query) (int64, error)
	onHealth  func(context.Context) ([]health.Finding, error)

	onNamespace func(context.Context) (installation.Namespace, error)
	onAccept    func(context.Context, time.Time) (installation.Namespace, error)

	onScan func(context.Context) iter.Seq2[installation.Row, error]
	onPut  func(context.Context, time.Time, installation.Row) (bool, error)
	onTrim func(context.Context, time.Time) error
}

// sound returns a decorator without changes.
func sound() *decorator {
	s := memstore.New()
	return &decorator{
		Store: s, onGet: s.Get, onCommit: s.Commit, onList: s.List, onOutcome: s.Outcome,
		onEvents: s.Events, onCount: s.Count, onHealth: s.Health,
		onNamespace: s.Namespace, onAccept: s.AcceptRestore, onScan: s.Scan, onPut: s.Put,
		onTrim: s.Trim,
	}
}

func (d *decorator) Get(
	ctx context.Context, key installation.Key,
) (*installation.Record, error) {
	return d.onGet(ctx, key)
}

func (d *decorator) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	return d.onCommit(ctx, c)
}

func (d *decorator) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	return d.onList(ctx, q)
}

func (d *decorator) Outcome(
	ctx context.Context, tenant string, digest installation.Digest,
) (*installation.Outcome, error) {
	return d.onOutcome(ctx, tenant, digest)
}

func (d *decorator) Events(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	return d.onEvents(ctx, q)
}

func (d *decorator) Count(ctx context.Context, q installation.Query) (int64, error) {
	return d.onCount(ctx, q)
}

func (d *decorator) Health(ctx context.Context) ([]health.Finding, error) {
	return d.onHealth(ctx)
}

func (d *decorator) Namespace(ctx context.Context) (installation.Namespace, error) {
	return d.onNamespace(ctx)
}

func (d *decorator) AcceptRestore(
	ctx context.Context, now time.Time,
) (installation.Namespace, error) {
	return d.onAccept(ctx, now)
}

func (d *decorator) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return d.onScan(ctx)
}

func (d *decorator) Put(
	ctx context.Context, now time.Time, row installation.Row,
) (bool, error) {
	return d.onPut(ctx, now, row)
}

func (d *decorator) Trim(ctx context.Context, now time.Time) error { return d.onTrim(ctx, now) }

// alterChange passes a copy of each committed change to f, with the stored record or nil.
func (d *decorator) alterChange(f func(c *installation.Change, stored *installation.Record)) {
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		c = cloneChange(c)
		f(&c, d.stored(c.Key))
		return commit(ctx, c)
	}
}

// alterReceipt passes the result of each commit to f.
func (d *decorator) alterReceipt(
	f func(c installation.Change, r *installation.Receipt, err error) error,
) {
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		r, err := commit(ctx, c)
		err = f(c, &r, err)
		return r, err
	}
}

// alterRecords passes each record from Get and List to f.
func (d *decorator) alterRecords(f func(r *installation.Record)) {
	d.alterGet(f)
	list := d.onList
	d.onList = func(ctx context.Context, q installation.Query) (installation.Page, error) {
		page, err := list(ctx, q)
		for _, r := range page.Records {
			f(r)
		}
		return page, err
	}
}

func (d *decorator) alterGet(f func(r *installation.Record)) {
	get := d.onGet
	d.onGet = func(ctx context.Context, key installation.Key) (*installation.Record, error) {
		r, err := get(ctx, key)
		if err == nil {
			f(r)
		}
		return r, err
	}
}

// alterQuery passes each query for List and Count to f.
func (d *decorator) alterQuery(f func(q *installation.Query)) {
	list, count := d.onList, d.onCount
	d.onList = func(ctx context.Context, q installation.Query) (installation.Page, error) {
		f(&q)
		return list(ctx, q)
	}
	d.onCount = func(ctx context.Context, q installation.Query) (int64, error) {
		f(&q)
		return count(ctx, q)
	}
}

// alterPage passes each page from List to f.
func (d *decorator) alterPage(f func(q installation.Query, page *installation.Page)) {
	list := d.onList
	d.onList = func(ctx context.Context, q installation.Query) (installation.Page, error) {
		page, err := list(ctx, q)
		f(q, &page)
		return page, err
	}
}

// alterOutcomes passes each outcome from Outcome and receipts to f.
func (d *decorator) alterOutcomes(f func(o *installation.Outcome)) {
	outcome := d.onOutcome
	d.onOutcome = func(
		ctx context.Context, tenant string, digest installation.Digest,
	) (*installation.Outcome, error) {
		o, err := outcome(ctx, tenant, digest)
		if err == nil {
			f(o)
		}
		return o, err
	}
	d.alterReceipt(func(_ installation.Change, r *installation.Receipt, err error) error {
		if r.Outcome != nil {
			f(r.Outcome)
		}
		return err
	})
}

// alterEvents passes each page from Events to f.
func (d *decorator) alterEvents(
	f func(q installation.EventQuery, page *installation.EventPage),
) {
	events := d.onEvents
	d.onEvents = func(
		ctx context.Context, q installation.EventQuery,
	) (installation.EventPage, error) {
		page, err := events(ctx, q)
		f(q, &page)
		return page, err
	}
}

// pretend lets f change the stored record, but shows readers the requested index, claims and
// deadline.
func (d *decorator) pretend(f func(c *installation.Change, stored *installation.Record)) {
	var shown sync.Map // of Key to Record
	commit := d.onCommit
	d.onCommit = func(
		ctx context.Context, c installation.Change,
	) (installation.Receipt, error) {
		altered := cloneChange(c)
		f(&altered, d.stored(c.Key))
		receipt, err := commit(ctx, altered)
		if err == nil && !receipt.Replayed && receipt.Outcome == nil && c.Record != nil {
			shown.Store(c.Key, *cloneChange(c).Record)
		}
		return receipt, err
	}
	d.alterRecords(func(r *installation.Record) {
		if v, ok := shown.Load(r.Key); ok {
			asked := v.(installation.Record)
			r.Index, r.Claims = slices.Clone(asked.Index), slices.Clone(asked.Claims)
			r.Deadline = asked.Deadline
		}
	})
}

// sneak adds records to the end of lists they do not belong to, if also accepts their versions.
func (d *decorator) sneak(
	also func(q installation.Query, versions []installation.Record) bool,
) {
	var mu sync.Mutex
	history := make(map[installation.Key][]installation.Record)
	d.alterReceipt(func(c installation.Change, r *installation.Receipt, err error) error {
		if err == nil && !r.Replayed && r.Outcome == nil && c.Record != nil {
			mu.Lock()
			defer mu.Unlock()
			history[c.Key] = append(history[c.Key], *cloneChange(c).Record)
		}
		return err
	})
	d.alterPage(func(q installation.Query, page *installation.Page) {
		if page.Next != "" || q.Skip > 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for key, versions := range history {
			if !named(q, versions[len(versions)-1]) && also(q, versions) {
				page.Records = append(page.Records, d.stored(key))
			}
		}
	})
}

// stored returns the record at key, or nil.
func (d *decorator) stored(key installation.Key) *installation.Record {
	r, err := d.Store.Get(context.Background(), key)
	if err != nil {
		return nil
	}
	return r
}

// epoch returns the epoch of the store under the decorator.
func (d *decorator) epoch() int64 {
	in, _ := d.Store.Namespace(context.Background())
	return in.Epoch
}

// named reports whether q names r.
func named(q installation.Query, r installation.Record) bool {
	switch {
	case r.Deleted || (!q.AllTenants && q.Tenant != r.Key.Tenant):
		return false
	case q.Term != "":
		return installation.GlobalTerm(q.Term) == q.AllTenants &&
			slices.Contains(r.Index, q.Term)
	default:
		return !r.Deadline.IsZero() && !r.Deadline.After(q.DueBefore)
	}
}

// holder returns another record with one of the claims of c, or nil. It finds only records with
// the term all.
func (d *decorator) holder(c installation.Change) *installation.Record {
	if c.Record == nil || len(c.Record.Claims) == 0 {
		return nil
	}
	q := installation.Query{Tenant: c.Key.Tenant, Term: all, Limit: installation.MaxPage}
	page, _ := d.Store.List(context.Background(), q)
	for _, r := range page.Records {
		taken := func(claim string) bool { return slices.Contains(r.Claims, claim) }
		if r.Key != c.Key && slices.ContainsFunc(c.Record.Claims, taken) {
			return r
		}
	}
	return nil
}

// force applies c regardless of the stored revision.
func (d *decorator) force(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	for {
		c.If = 0
		if r := d.stored(c.Key); r != nil {
			c.If = r.Revision
		}
		receipt, err := d.Store.Commit(ctx, c)
		if !errors.Is(err, installation.ErrConflict) {
			return receipt, err
		}
	}
}

// aside commits the outcome and events of c without a visible change of its record: on a new
// record of the tenant.
func (d *decorator) aside(c installation.Change) {
	made := create(installation.Key{Tenant: c.Key.Tenant, ID: "aside " + string(c.Op[:])})
	made.Record.Index = nil
	made.Now, made.Epoch, made.Idempotency, made.Events = c.Now, d.epoch(), c.Idempotency, c.Events
	_, _ = d.Store.Commit(context.Background(), made)
}

func cloneChange(c installation.Change) installation.Change {
	if c.Record != nil {
		r := *c.Record
		r.Index, r.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
		c.Record = &r
	}
	if c.Idempotency != nil {
		o := *c.Idempotency
		o.Data = bytes.Clone(o.Data)
		c.Idempotency = &o
	}
	c.Events = slices.Clone(c.Events)
	for i := range c.Events {
		c.Events[i].Changed = slices.Clone(c.Events[i].Changed)
	}
	return c
}
