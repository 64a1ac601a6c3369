package storecall

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
)

// TestErrorsMatchTheirCauses checks texts, and what errors match.
func TestErrorsMatchTheirCauses(t *testing.T) {
	cause := errors.New("quotes a secret")
	restored := Restored("event %d is gone", 7)
	for _, tc := range []struct {
		err     error
		text    string
		matches []error
	}{
		{Unavailable("bucket %d is gone", 7), "installation: store unavailable: bucket 7 is gone",
			[]error{installation.ErrUnavailable}},
		{restored, "installation: store unavailable: the data went back to an older state: event " +
			"7 is gone; if you want to go on with this data, call Service.AcceptRestore",
			[]error{installation.ErrUnavailable, installation.ErrRestored}},
		{Wrap(t.Context(), installation.ErrUnavailable, NotSent{cause}, "no server"),
			"installation: store unavailable: no server",
			[]error{installation.ErrUnavailable, cause}},
		{Wrap(t.Context(), installation.ErrUnavailable, restored, "no server"), restored.Error(),
			[]error{restored}},
		{Wrap(t.Context(), installation.ErrUnknownOutcome, restored, "no answer"),
			installation.ErrUnknownOutcome.Error() + ": no answer",
			[]error{installation.ErrUnknownOutcome, installation.ErrRestored}},
	} {
		if tc.err.Error() != tc.text {
			t.Errorf("got text %q, want %q", tc.err, tc.text)
		}
		for _, want := range tc.matches {
			if !errors.Is(tc.err, want) {
				t.Errorf("%v does not match %v", tc.err, want)
			}
		}
	}
}

// TestWrapMatchesEndOfContext covers a deadline that has passed, and that the context has not
// noticed yet.
func TestWrapMatchesEndOfContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrapped := func(ctx context.Context) error {
			return Wrap(ctx, installation.ErrUnavailable, errors.New("broken"), "broken")
		}
		if err := wrapped(t.Context()); IsContextError(err) {
			t.Errorf("%v matches the end of a context that goes on", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := wrapped(ctx); !errors.Is(err, context.Canceled) || !IsContextError(err) {
			t.Errorf("%v does not match %v", err, context.Canceled)
		}
		late := lateContext{t.Context(), time.Now()}
		if err := wrapped(late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not match %v", err, context.DeadlineExceeded)
		}
	})
}

// lateContext does not notice its deadline.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// TestRefused checks which errors prove that no try was applied.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		err    error
		proves bool
	}{
		{&installation.ConflictError{NotApplied: true}, true},
		{&installation.ConflictError{}, false},
		{installation.ErrEpoch, true},
		{Unavailable("unreadable"), false},
	} {
		if got := Refused(false, tc.err); got != tc.err {
			t.Errorf("%v, certain: got %v", tc.err, got)
		}
		want := ErrForgotten
		if tc.proves {
			want = tc.err
		}
		if got := Refused(true, tc.err); got != want {
			t.Errorf("%v, uncertain: got %v, want %v", tc.err, got, want)
		}
	}
	if !errors.Is(ErrForgotten, installation.ErrUnknownOutcome) {
		t.Errorf("%v does not match %v", ErrForgotten, installation.ErrUnknownOutcome)
	}
}

// TestReachBack checks a record that remembers all of its changes, and one that has forgotten some.
func TestReachBack(t *testing.T) {
	c := installation.Change{Op: [16]byte{1}, If: 3, Record: &installation.Record{Revision: 4}}
	var ops []installation.Op
	for n := range installation.RememberedOps {
		ops = append(ops, installation.Op{Token: [16]byte{9, byte(n)}, Revision: int64(10 + n)})
	}
	if ReachBack(c, ops) {
		t.Error("a record with only later changes proves that c was not applied")
	}
	if !ReachBack(c, ops[1:]) {
		t.Error("a record with fewer changes than it can remember proves nothing")
	}
	ops[0].Revision = 3
	if !ReachBack(c, ops) {
		t.Error("a record that remembers what led to the revision before c proves nothing")
	}
}
