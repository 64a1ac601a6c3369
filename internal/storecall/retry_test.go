package storecall

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
)

var (
	errLost     = errors.New("the answer was lost")        // executed or not; again
	errPartial  = errors.New("failed half-way")            // executed; not again
	errBusy     = errors.New("the server is busy")         // not executed; again
	errRejected = errors.New("the server rejects the try") // not executed; not again

	errFinal = Wrap(context.Background(), installation.ErrUnavailable, errLost, "interpreted")
)

func judge(err error) (executed, again bool) {
	lost := errors.Is(err, errLost) || IsContextError(err)
	return lost || err == errPartial, lost || err == errBusy
}

// TestTries checks how many tries follow each other, and what is known at the end.
func TestTries(t *testing.T) {
	for name, tc := range map[string]struct {
		tries     []error // no more are expected
		told      []bool  // to each try: an earlier one may have been executed
		uncertain bool
	}{
		"success": {[]error{nil}, []bool{false}, false},
		"busy":    {[]error{errBusy, errBusy, nil}, []bool{false, false, false}, false},
		"lost": {
			[]error{errBusy, errLost, errBusy, nil}, []bool{false, false, true, true}, true,
		},
		"rejected":       {[]error{errRejected}, []bool{false}, false},
		"half-way":       {[]error{errPartial}, []bool{false}, true},
		"lost, rejected": {[]error{errLost, errRejected}, []bool{false, true}, true},
		"final":          {[]error{errFinal}, []bool{false}, false},
		"lost, final":    {[]error{errLost, errFinal}, []bool{false, true}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told []bool
			var pauses []error
			r := Retry{Limit: time.Minute, Judge: judge, BeforePause: func(n int, err error) {
				if pauses = append(pauses, err); n != len(pauses) {
					t.Errorf("%s: pause %d has the number %d", name, len(pauses), n)
				}
			}}
			got, err := r.Do(t.Context(), func(_ context.Context, uncertain bool) error {
				told = append(told, uncertain)
				return tc.tries[len(told)-1]
			})
			last := len(tc.tries) - 1
			if err != tc.tries[last] || got != tc.uncertain {
				t.Errorf("%s: got uncertain %t, error %v, want %t, %v", name, got, err,
					tc.uncertain, tc.tries[last])
			}
			if !slices.Equal(told, tc.told) || !slices.Equal(pauses, tc.tries[:last]) {
				t.Errorf("%s: tries were told %v and pauses %v, want %v and %v", name, told,
					pauses, tc.told, tc.tries[:last])
			}
		})
	}
}

// TestEndOfTime checks the error of a call whose time is up, with and without a deadline of the
// caller.
func TestEndOfTime(t *testing.T) {
	for name, tc := range map[string]struct {
		limit, deadline time.Duration // 0 = no deadline
		first           error         // of the first try; the others hang
		want            error
	}{
		"limit":                 {time.Second, 0, nil, ErrTimeout},
		"deadline":              {time.Minute, time.Second, nil, context.DeadlineExceeded},
		"later deadline":        {time.Millisecond, time.Second, nil, context.DeadlineExceeded},
		"limit, after busy":     {time.Second, 0, errBusy, errBusy},
		"deadline, after busy":  {time.Minute, time.Second, errBusy, errBusy},
		"limit before a pause":  {100 * time.Microsecond, 0, errBusy, errBusy},
		"limit after rejection": {time.Second, 0, errRejected, errRejected},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, want := t.Context(), tc.limit
			if tc.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.deadline)
				defer cancel()
				want = tc.deadline
			}
			if tc.want == errRejected {
				want = 0
			}
			start, first := time.Now(), tc.first
			_, err := Retry{Limit: tc.limit, Judge: judge}.Do(ctx,
				func(ctx context.Context, _ bool) (err error) {
					if ctx.Err() != nil {
						t.Errorf("%s: a try begins when the time is up", name)
					}
					if err, first = first, nil; err == nil {
						<-ctx.Done()
						err = ctx.Err()
					}
					return err
				})
			if err != tc.want || time.Since(start) != want {
				t.Errorf("%s: got error %v after %v, want %v after %v", name, err,
					time.Since(start), tc.want, want)
			}
		})
	}
}

// TestDeadlineSeenLate checks that the end of a deadline is not reported as that of Limit, although
// the context of the caller has not noticed it yet.
func TestDeadlineSeenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := lateContext{t.Context(), time.Now().Add(time.Second)}
		_, err := Retry{Limit: time.Minute, Judge: judge}.Do(ctx,
			func(ctx context.Context, _ bool) error {
				<-ctx.Done()
				return ctx.Err()
			})
		if err != context.DeadlineExceeded {
			t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// TestCancelledCall checks that a call that the caller ends does not report a timeout, and does not
// announce a pause.
func TestCancelledCall(t *testing.T) {
	for _, want := range []error{context.Canceled, errLost} {
		ctx, cancel := context.WithCancel(t.Context())
		r := Retry{Limit: time.Hour, Judge: judge, BeforePause: func(int, error) {
			t.Errorf("%v: a pause is announced", want)
		}}
		uncertain, err := r.Do(ctx, func(context.Context, bool) error {
			cancel()
			return want
		})
		if err != want || !uncertain {
			t.Errorf("got uncertain %t, error %v, want true, %v", uncertain, err, want)
		}
	}
}
