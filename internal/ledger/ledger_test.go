package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// events is a log whose events have these reasons.
type events []string

// Events implements [installation.EventReader].
func (e events) Events(
	_ context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	if q.After != "" {
		return installation.EventPage{Next: q.After}, nil
	}
	page := installation.EventPage{Next: "end"}
	for _, reason := range e {
		page.Events = append(page.Events, installation.Event{Reason: reason})
	}
	return page, nil
}

// TestCheck counts events of every result.
func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		result Result
		allows [3]bool // no event, one, two
	}{
		{Success, [3]bool{false, true, false}},
		{Refusal, [3]bool{true, false, false}},
		{Unknown, [3]bool{true, true, false}},
	} {
		for n, want := range tc.allows {
			var l Ledger
			l.Note("a", tc.result)
			counts, err := l.Check(t.Context(), events(strings.Fields(strings.Repeat("a ", n))))
			if got := err == nil; got != want || counts["a"] != n {
				t.Errorf("%d events of a %s: counts %v, error %v, want accepted %t",
					n, tc.result, counts, err, want)
			}
		}
	}
}

// TestCheckRejectsStrangers reads an event of an operation that nobody noted.
func TestCheckRejectsStrangers(t *testing.T) {
	if _, err := new(Ledger).Check(t.Context(), events{"a"}); err == nil {
		t.Error("an unknown operation is accepted")
	}
}

// TestResultOf sorts the answers of Commit.
func TestResultOf(t *testing.T) {
	for want, errs := range map[Result][]error{
		Success: {nil, installation.ErrNotReplicated},
		Refusal: refusals,
		Unknown: {
			installation.ErrUnknownOutcome, errors.New("other"), context.Canceled,
			fmt.Errorf("%w: %w", installation.ErrUnknownOutcome, installation.ErrConflict),
		},
	} {
		for _, err := range errs {
			if got := ResultOf(installation.Change{}, installation.Receipt{}, err); got != want {
				t.Errorf("%v is a %s, want a %s", err, got, want)
			}
		}
	}
	own := &installation.Outcome{Data: []byte("own")}
	other := &installation.Outcome{Data: []byte("other")}
	for want, stored := range map[Result]*installation.Outcome{Success: own, Refusal: other} {
		c, receipt := installation.Change{Idempotency: own}, installation.Receipt{Outcome: stored}
		if got := ResultOf(c, receipt, nil); got != want {
			t.Errorf("the outcome %q is a %s, want a %s", stored.Data, got, want)
		}
	}
}
