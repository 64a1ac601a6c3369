// Package ledger checks a change log against what the callers of Commit were told. Each change has
// one event, whose reason is the ID of the operation. A success must be in the log exactly once, a
// refusal never, and an unknown outcome at most once.
package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-installation/installation"
)

// Result is what a caller was told.
type Result string

// Success means that the change was applied, Refusal that it was not and never will be. After a
// success that a server may still lose, note an unknown outcome.
const (
	Success Result = "success"
	Refusal Result = "refusal"
	Unknown Result = "unknown outcome"
)

// refusals are errors after which nothing was written.
var refusals = []error{
	installation.ErrConflict, installation.ErrExists, installation.ErrEpoch,
	installation.ErrInvalid, installation.ErrUnavailable,
}

// ResultOf returns what the answer to a change means. An error that says nothing about the change
// is an unknown outcome. No other change may have the same data in its outcome: an answer with the
// outcome of the change itself means that an earlier try of the change was applied.
func ResultOf(c installation.Change, receipt installation.Receipt, err error) Result {
	switch {
	case err == nil && receipt.Outcome != nil:
		if bytes.Equal(receipt.Outcome.Data, c.Idempotency.Data) {
			return Success
		}
		return Refusal
	case err == nil, errors.Is(err, installation.ErrNotReplicated):
		return Success
	case errors.Is(err, installation.ErrUnknownOutcome):
		return Unknown
	}
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			return Refusal
		}
	}
	return Unknown
}

// Ledger remembers the results of operations. The zero value is empty and ready to use.
type Ledger struct {
	mu      sync.Mutex
	results map[string]Result
}

// Note remembers the result of an operation.
func (l *Ledger) Note(operation string, r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.results == nil {
		l.results = make(map[string]Result)
	}
	l.results[operation] = r
}

// Check reads the whole log and returns how often each operation is in it, and an error that names
// those with a wrong count. Operations that the ledger does not know are wrong too.
func (l *Ledger) Check(
	ctx context.Context, log installation.EventReader,
) (counts map[string]int, err error) {
	counts, err = count(ctx, log)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrong []error
	for operation, r := range l.results {
		if n := counts[operation]; !fits(r, n) {
			wrong = append(wrong, fmt.Errorf("%s: %d events of a %s", operation, n, r))
		}
	}
	for operation, n := range counts {
		if _, known := l.results[operation]; !known {
			wrong = append(wrong, fmt.Errorf("%s: %d events of no operation", operation, n))
		}
	}
	if n := len(wrong); n > 20 {
		wrong = append(wrong[:20:20], fmt.Errorf("and %d more", n-20))
	}
	return counts, errors.Join(wrong...)
}

// fits reports whether n events are right for a result.
func fits(r Result, n int) bool {
	switch r {
	case Success:
		return n == 1
	case Refusal:
		return n == 0
	default:
		return n <= 1
	}
}

// count returns how often each operation is in the log.
func count(ctx context.Context, log installation.EventReader) (map[string]int, error) {
	counts := make(map[string]int)
	q := installation.EventQuery{AllTenants: true, Limit: installation.MaxPage}
	for {
		page, err := log.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page.Events) == 0 {
			return counts, nil
		}
		for _, e := range page.Events {
			counts[e.Reason]++
		}
		q.After = page.Next
	}
}
