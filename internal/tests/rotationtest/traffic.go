package rotationtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/patch"
)

// traffic reads and writes installations until stop is called.
type traffic struct {
	stopped atomic.Bool
	wait    sync.WaitGroup
	reads   atomic.Int64
	writes  []atomic.Int64 // for each installation
}

func startTraffic(t *testing.T, n int, hosts ...*installation.Service) *traffic {
	tr := &traffic{writes: make([]atomic.Int64, n)}
	for _, host := range hosts {
		tr.wait.Go(func() {
			for !tr.stopped.Load() {
				if err := Opens(t.Context(), host, rand.IntN(n)); err != nil {
					t.Errorf("read: %v", err)
				}
				tr.reads.Add(1)
			}
		})
		tr.wait.Go(func() {
			for !tr.stopped.Load() {
				i := rand.IntN(n)
				if _, err := Write(t.Context(), host, i); err != nil {
					t.Errorf("write: %v", err)
				}
				tr.writes[i].Add(1)
			}
		})
	}
	return tr
}

// Write changes installation i and returns the result.
func Write(
	ctx context.Context, host *installation.Service, i int,
) (*installation.Result, error) {
	value := installation.JSON(fmt.Sprintf(`"%d"`, rand.Uint64()))
	return host.In(tenant(i)).Patch(ctx, installation.PatchRequest{
		ID: id(i), Operations: []installation.Operation{patch.Set("/by", value)},
	})
}

// stop waits for the calls in flight and returns the number of writes.
func (tr *traffic) stop() (written int64) {
	tr.stopped.Store(true)
	tr.wait.Wait()
	for i := range tr.writes {
		written += tr.writes[i].Load()
	}
	return written
}

// UnderTraffic rotates n installations while two sets of processes read and write them. It
// interrupts the rotation several times. Nothing must be lost. The function rotate runs the
// rotation. If interruptAt is not 0, it interrupts the rotation once that many records are done,
// and reports whether it did.
func (s *Stage) UnderTraffic(
	t *testing.T, n int, rotate func(interruptAt int) (interrupted bool),
) {
	t.Helper()
	interrupts := 3
	if os.Getenv("INSTALLATION_LONG") != "" {
		n, interrupts = 50*n, 20
	}
	s.Fill(t, n)
	tr := startTraffic(t, n, s.Added, s.Switched)
	interrupted := 0
	for range interrupts {
		if rotate(1 + rand.IntN(n/(2*interrupts))) {
			interrupted++
		}
	}
	rotate(0)
	written := tr.stop()
	s.check(t, tr)
	t.Logf("%d installations, %d interrupts; meanwhile %d reads and %d writes", n, interrupted,
		tr.reads.Load(), written)
	if interrupted != interrupts {
		t.Errorf("interrupted %d times, want %d", interrupted, interrupts)
	}
}

// check checks the end of a rotation: nothing is left, each record was rewrapped once, and no write
// is lost.
func (s *Stage) check(t *testing.T, tr *traffic) {
	t.Helper()
	n := len(tr.writes)
	each(n, func(i int) {
		for _, host := range []*installation.Service{s.Added, s.Switched, s.Last} {
			if err := Opens(t.Context(), host, i); err != nil {
				t.Errorf("at the end: %v", err)
			}
		}
		inst, err := s.Last.In(tenant(i)).Get(t.Context(), id(i))
		if err != nil {
			t.Error(err)
			return
		}
		if want := 2 + tr.writes[i].Load(); inst.Revision != want {
			t.Errorf("%s is at revision %d, want %d: created, rewrapped, and %d writes",
				id(i), inst.Revision, want, want-2)
		}
	})
	report, err := s.Switched.Check(t.Context())
	want := []installation.KeyCount{{ID: "k1"}, {ID: "k2", Primary: true, Records: int64(n)}}
	if err != nil || !slices.Equal(report.Keys, want) || report.Records != int64(n) {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	// Processes with the old primary never wrap an existing data key again, so no record came back
	// under k1.
	if err := s.Switched.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("k1 cannot be retired: %v", err)
	}
}
