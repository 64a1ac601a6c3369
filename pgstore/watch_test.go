package pgstore

import (
	"testing"
	"time"
)

// TestReconnected tells new connections from those that a call has seen already. A read in a
// transaction of the host says 0, and the next read of the store need not look again.
func TestReconnected(t *testing.T) {
	var watched watch
	for i, step := range []struct {
		made int64
		want bool
	}{{2, true}, {2, false}, {0, false}, {2, false}, {3, true}, {1, false}, {3, false}} {
		if got := watched.reconnected(step.made); got != step.want {
			t.Errorf("step %d, %d connections: got %t, want %t", i, step.made, got, step.want)
		}
	}
}

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
