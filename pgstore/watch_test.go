package pgstore

import (
	"testing"
	"time"
)

// TestWatch walks through looks at a log. A loss counts only below a settled number.
func TestWatch(t *testing.T) {
	var watched watch
	const loss = 10 * time.Second
	for _, step := range []struct {
		after   time.Duration
		reached int64
		want    bool
		settled int64
	}{
		{0, 5, true, 0},
		{9 * time.Second, 8, true, 0},
		{10 * time.Second, 9, true, 5},
		{11 * time.Second, 4, false, 5},
		{12 * time.Second, 6, true, 5}, // a failover lost 7 to 9, which were not settled
		{21 * time.Second, 7, true, 5},
		{22 * time.Second, 7, true, 6},
		{23 * time.Second, 5, false, 6},
	} {
		at := time.Unix(1000, 0).Add(step.after)
		if got := watched.saw(step.reached, at, loss); got != step.want {
			t.Errorf("after %v at %d: got %t, want %t", step.after, step.reached, got, step.want)
		}
		if got := watched.lowest(); got != step.settled {
			t.Errorf("after %v: settled %d, want %d", step.after, got, step.settled)
		}
	}
}
