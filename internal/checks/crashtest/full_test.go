package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/go-installation/installation/internal/ledger"
)

// faulty is a rig with one child that makes one commit after another, each with a fault.
type faulty struct {
	*rig
	child *child
	// answers counts what the child said of commits with a fault.
	answers map[string]int
}

// startFaulty starts the child.
func startFaulty(t *testing.T, seed uint64, r *report) *faulty {
	t.Helper()
	f := &faulty{rig: newRig(t, "bolt", seed, r), answers: make(map[string]int)}
	f.mount(t)
	if err := f.restart(); err != nil {
		t.Fatal(err)
	}
	return f
}

// restart starts a child in place of the last one, on what is there.
func (f *faulty) restart() (err error) {
	if f.child != nil {
		f.model.note(f.child.kill()...)
	}
	if f.child, err = f.start(true, "a"); err != nil {
		return err
	}
	m, err := f.child.answer()
	if err == nil && m.What != "open" {
		err = fmt.Errorf("%s: %s", m.What, m.Err)
	}
	f.model.note(m)
	return err
}

// commit lets the child make one commit.
func (f *faulty) commit() (message, error) {
	m, err := f.child.step()
	if err != nil {
		return m, err
	}
	f.model.note(message{What: "try", Op: m.Op}, m)
	return m, nil
}

// withFault lets the child make one commit with a fault, and further commits without it until one
// succeeds. It returns the first answer. A conflict shows that a refused commit was applied.
func (f *faulty) withFault(set, end func()) (first message, err error) {
	set()
	first, err = f.commit()
	end()
	if err != nil {
		return first, err
	}
	f.answers[first.What]++
	for last := first; last.What != string(ledger.Success); {
		if last, err = f.commit(); err != nil {
			return first, err
		}
		if last.What == string(ledger.Refusal) {
			return first, fmt.Errorf("after %q (%s) without a fault: %q (%s)",
				first.What, first.Err, last.What, last.Err)
		}
	}
	return first, nil
}

// end kills the child, crashes the machine and checks the store.
func (f *faulty) end(t *testing.T) error {
	t.Helper()
	f.fs.Stop()
	f.model.note(f.child.kill()...)
	err := f.crash(t)
	f.report.acked += f.model.acked
	return err
}

// TestBoltDiskFull fills the disk in every write of a commit. The answer of Commit is right, and
// with room again the store works at once.
func TestBoltDiskFull(t *testing.T) {
	const step = 2048 // half a page, so that writes are also cut
	for name, inPlace := range map[string]bool{"in place": true, "copy on write": false} {
		t.Run(name, func(t *testing.T) {
			var r report
			faults, answers := 0, make(map[string]int)
			for seed := range uint64(long(3)) {
				f := startFaulty(t, 1000+seed, &r)
				f.answers = answers
				var wrong error
				for n := int64(0); wrong == nil && n < 60; n++ {
					room := n * step
					if inPlace { // most commits need no room
						room = n % 5 * step
					}
					_, wrong = f.withFault(func() { f.fs.LimitSpace(room, inPlace) },
						func() { f.fs.LimitSpace(-1, inPlace) })
				}
				faults += f.fs.Faults()
				if err := errors.Join(wrong, f.end(t)); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
			t.Logf("%d faults, answers %v; %v", faults, answers, &r)
			if faults == 0 || answers[string(ledger.Success)] == 0 {
				t.Error("the disk was never full, or always")
			}
			if inPlace && answers[string(ledger.Refusal)] == 0 {
				t.Error("a store that can read the file does not know that nothing was written")
			}
		})
	}
}

// TestBoltFailedSync lets a sync of a commit fail, and loses what it was for. What the store
// acknowledges after that is durable. Some processes are killed before they can do anything.
func TestBoltFailedSync(t *testing.T) {
	var r report
	faults, answers := 0, make(map[string]int)
	for seed := range uint64(long(12)) {
		f := startFaulty(t, 2000+seed, &r)
		if _, err := f.withFault(func() {}, func() {}); err != nil {
			t.Fatal(err)
		}
		var wrong error
		for range 1 + f.rng.IntN(3) {
			if wrong != nil {
				break
			}
			n := 1 + f.rng.IntN(3)
			if f.rng.IntN(3) == 0 {
				f.fs.FailSync(n)
				_, wrong = f.commit()
				f.fs.FailSync(0)
				if wrong == nil {
					wrong = f.restart()
				}
				continue
			}
			_, wrong = f.withFault(func() { f.fs.FailSync(n) }, func() { f.fs.FailSync(0) })
		}
		faults += f.fs.Faults()
		if err := errors.Join(wrong, f.end(t)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		for what, n := range f.answers {
			answers[what] += n
		}
	}
	t.Logf("%d faults, answers %v; %v", faults, answers, &r)
	if faults == 0 {
		t.Error("no sync failed")
	}
}

// TestBoltDiskFullAtOpen fills the disk in every write of an open, of a new file and of an old one.
// The error says so, and with room again the file opens.
func TestBoltDiskFullAtOpen(t *testing.T) {
	const step = 2048
	var r report
	full := 0
	for _, old := range []bool{false, true} {
		for room := int64(0); room < 20*step; room += step {
			g := newRig(t, "bolt", 3000, &r)
			g.mount(t)
			f := &faulty{rig: g, answers: make(map[string]int)}
			if old {
				if err := f.restart(); err != nil {
					t.Fatal(err)
				}
				f.model.note(f.child.kill()...)
			}
			f.fs.LimitSpace(room, false)
			if err := f.restart(); err != nil {
				full++
				if !strings.Contains(err.Error(), syscall.ENOSPC.Error()) ||
					!strings.Contains(err.Error(), file(f.at)) {
					t.Errorf("old file %t, room %d: %v", old, room, err)
				}
			}
			f.fs.LimitSpace(-1, false)
			err := f.restart()
			if err == nil {
				_, err = f.commit()
			}
			if err := errors.Join(err, f.end(t)); err != nil {
				t.Errorf("old file %t, room %d: %v", old, room, err)
			}
		}
	}
	t.Logf("%d opens with a full disk; %v", full, &r)
	if full == 0 {
		t.Error("the disk was never full")
	}
}
