package crashtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
)

// model is what must be in a store, as far as its callers were told.
type model struct {
	stored   map[string]state  // by the ID of the key
	outcomes map[string]bool   // operations whose outcome is stored
	open     map[string]string // operations with an unknown outcome, by writer
	again    map[string]bool   // whether the try that runs is a retry, by writer
	ledger   ledger.Ledger
	first    int // number of the next operation
	acked    int
	// namespace is the ID of the namespace that a child saw. It never changes.
	namespace string
}

func newModel() *model {
	return &model{
		stored: make(map[string]state), outcomes: make(map[string]bool),
		open: make(map[string]string), again: make(map[string]bool),
	}
}

// note learns what a child said. Before the first line about an operation nothing can be stored.
func (m *model) note(lines ...message) {
	for _, l := range lines {
		switch l.What {
		case "open":
			m.namespace = l.Op
		case "try":
			m.again[writerOf(l.Op)] = m.open[writerOf(l.Op)] == l.Op
			m.open[writerOf(l.Op)] = l.Op
			m.ledger.Note(l.Op, ledger.Unknown)
			n := 0
			// An operation ends in a number.
			_, _ = fmt.Sscanf(l.Op[len(writerOf(l.Op)):], ".%d", &n)
			m.first = max(m.first, n+1)
		case string(ledger.Success):
			m.acked++
			m.apply(l.Op)
		case string(ledger.Refusal):
			if !m.again[writerOf(l.Op)] { // else the try before may have been applied
				m.refuse(l.Op)
			}
		}
	}
}

// apply notes that an operation is stored.
func (m *model) apply(op string) {
	id := keyOf(op).ID
	_, m.stored[id] = next(op, m.stored[id])
	if hasOutcome(op) {
		m.outcomes[op] = true
	}
	m.ledger.Note(op, ledger.Success)
	delete(m.open, writerOf(op))
}

// refuse notes that an operation is not stored and never will be.
func (m *model) refuse(op string) {
	m.ledger.Note(op, ledger.Refusal)
	delete(m.open, writerOf(op))
}

// checked is what a store must have to be checked.
type checked interface {
	installation.Store
	installation.EventReader
	installation.Mover
	installation.Counter
	installation.Namespacer
	verify(context.Context) error // the check of the store itself
	Close() error
}

// check compares a store with the model. An operation with an unknown outcome is either stored
// with everything or with nothing; afterwards the model knows which.
func (m *model) check(ctx context.Context, s checked) error {
	in, err := s.Namespace(ctx)
	if err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	if m.namespace != "" && in.ID != m.namespace {
		return fmt.Errorf("the namespace is %q, and a child saw %q", in.ID, m.namespace)
	}
	counts, err := m.ledger.Check(ctx, s)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	for _, op := range m.open {
		if counts[op] == 1 {
			m.apply(op)
		} else {
			m.refuse(op)
		}
	}
	return errors.Join(m.checkRows(ctx, s), m.checkLists(ctx, s), m.checkClaims(ctx, s),
		s.verify(ctx))
}

var cmpRecord = cmp.Options{
	cmp.Comparer(func(a, b installation.Body) bool {
		return string(a.Bytes()) == string(b.Bytes())
	}),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmpopts.EquateEmpty(),
}

// checkRows reads every row, by Scan and by Get.
func (m *model) checkRows(ctx context.Context, s checked) error {
	stored, outcomes := maps.Clone(m.stored), maps.Clone(m.outcomes)
	for row, err := range s.Scan(ctx) {
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if row.Outcome != nil {
			op := string(row.Outcome.Data)
			if !outcomes[op] {
				return fmt.Errorf("the outcome of %s is stored", op)
			}
			delete(outcomes, op)
			continue
		}
		id := row.Record.Key.ID
		want, ok := stored[id]
		if !ok {
			return fmt.Errorf("a record %q is stored, revision %d", id, row.Record.Revision)
		}
		delete(stored, id)
		got, err := s.Get(ctx, row.Record.Key)
		if err != nil {
			return fmt.Errorf("get %q: %w", id, err)
		}
		for _, got := range []*installation.Record{got, row.Record} {
			if diff := cmp.Diff(want.record(), got, cmpRecord); diff != "" {
				return fmt.Errorf("record %q of %s (-want +got):\n%.2000s", id, want.Op, diff)
			}
		}
	}
	if len(stored)+len(outcomes) > 0 {
		return fmt.Errorf("scan lacks the records %v and the outcomes %v",
			slices.Sorted(maps.Keys(stored)), slices.Sorted(maps.Keys(outcomes)))
	}
	return nil
}

// checkLists lists every term.
func (m *model) checkLists(ctx context.Context, s checked) error {
	want := make(map[string][]string)
	for id, st := range m.stored {
		for _, term := range st.record().Index {
			want[term] = append(want[term], id)
		}
	}
	for _, term := range []string{"all", "ext=0", "ext=1", "ext=2"} {
		q := installation.Query{Tenant: "tenant", Term: term, Limit: installation.MaxPage}
		var got []string
		for {
			page, err := s.List(ctx, q)
			if err != nil {
				return fmt.Errorf("list %s: %w", term, err)
			}
			for _, r := range page.Records {
				got = append(got, r.Key.ID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		slices.Sort(got)
		slices.Sort(want[term])
		if !slices.Equal(got, want[term]) {
			return fmt.Errorf("list %s: got %v, want %v", term, got, want[term])
		}
		q.After = ""
		n, err := s.Count(ctx, q.Counted())
		if err != nil {
			return fmt.Errorf("count %s: %w", term, err)
		}
		if n != int64(len(got)) {
			return fmt.Errorf("count %s: %d, and the list has %d", term, n, len(got))
		}
	}
	return nil
}

// checkClaims tries to take every claim for another record.
func (m *model) checkClaims(ctx context.Context, s checked) error {
	for id, st := range m.stored {
		if st.Deleted {
			continue
		}
		thief := state{Op: operation("thief", 1), Revision: 1, Generation: 1}
		c, _ := next(thief.Op, state{})
		c.Idempotency, c.Record.Claims = nil, st.record().Claims
		var exists *installation.ExistsError
		if _, err := s.Commit(ctx, c); !errors.As(err, &exists) || exists.Holder != id {
			return fmt.Errorf("another record takes the claim of %q: error %v", id, err)
		}
	}
	return nil
}
