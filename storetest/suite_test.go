package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/memstore"
)

// TestDecoratorIsSound proves that the decorator under the broken stores breaks nothing itself.
func TestDecoratorIsSound(t *testing.T) {
	Run(t, func(*testing.T) installation.Store { return sound() })
}

// TestStoreWithoutAbilities runs the suite on a store with only the four methods.
func TestStoreWithoutAbilities(t *testing.T) {
	withoutAbilities(t, func(s installation.Store) installation.Store { return s })
}

// TestDecoratorWithoutAbilities runs the suite on a decorator of a store with only four methods.
func TestDecoratorWithoutAbilities(t *testing.T) {
	withoutAbilities(t, func(s installation.Store) installation.Store {
		return &installation.Decorator{Store: s}
	})
}

func withoutAbilities(t *testing.T, decorate func(installation.Store) installation.Store) {
	t.Helper()
	skipped := 0
	for _, c := range cases() {
		r := try(t, c, decorate(struct{ installation.Store }{memstore.New()}))
		if r.failed {
			t.Errorf("%s: %s", c.name, r.text())
		}
		if r.skipped {
			skipped++
		}
	}
	// Twelve more are among cases of other themes.
	want := 12 + len(slices.Concat(eventCases, followCases, countCases, healthCases,
		namespaceCases, moveCases, trimCases))
	if skipped != want {
		t.Errorf("%d cases skipped, want %d", skipped, want)
	}
}

// TestBrokenStoresFail proves that each broken store fails the cases meant for it, and no
// other.
func TestBrokenStoresFail(t *testing.T) {
	for _, f := range flaws() {
		t.Run(f.name, func(t *testing.T) {
			var failed []string
			for _, c := range cases() {
				slow := slices.Contains([]string{
					"sizes/count", "sizes/list", "sizes/scan", "bounds/all", "events/followed",
					"context/while-committing",
				}, c.name)
				if (slow || late(c, f)) && !slices.Contains(f.fails, c.name) {
					continue
				}
				if r := tryFlaw(t, c, f); r.failed && !slices.Contains(f.sometimes, c.name) {
					failed = append(failed, c.name)
				}
			}
			if !slices.Equal(failed, f.fails) {
				t.Errorf("fails %q, want %q", failed, f.fails)
			}
		})
	}
}

// TestRacesFindNonAtomicCommits proves that races find stores that check and write in two
// steps, regardless of the scheduler.
func TestRacesFindNonAtomicCommits(t *testing.T) {
	for _, f := range raceFlaws {
		t.Run(f.name, func(t *testing.T) {
			for _, c := range raceCases {
				if !slices.Contains(f.fails, c.name) {
					continue
				}
				d := sound()
				f.inflict(d)
				if r := try(t, c, d); !r.failed {
					t.Errorf("%s passes", c.name)
				}
			}
		})
	}
}

// TestUnavailableStores proves that a store that hides the loss of its backend fails, and that
// an honest one passes.
func TestUnavailableStores(t *testing.T) {
	RunUnavailable(t, func(*testing.T) installation.Store {
		return broken(installation.ErrUnavailable, installation.ErrUnknownOutcome)
	})
	RunUnavailable(t, func(*testing.T) installation.Store {
		return broken(installation.ErrUnavailable, installation.ErrUnavailable)
	})
	for _, tc := range []struct {
		name  string
		store installation.Store
		fails []string
	}{
		{
			"returns not found",
			broken(installation.ErrNotFound, installation.ErrUnavailable),
			[]string{"unavailable/reads", "unavailable/accept-restore", "unavailable/scan"},
		},
		{
			"returns unavailable and not found",
			broken(errors.Join(installation.ErrUnavailable, installation.ErrNotFound),
				installation.ErrUnavailable),
			[]string{"unavailable/reads", "unavailable/accept-restore", "unavailable/scan"},
		},
		{
			"returns no errors",
			memstore.New(),
			[]string{
				"unavailable/reads", "unavailable/commit", "unavailable/health",
				"unavailable/accept-restore", "unavailable/scan", "unavailable/put",
			},
		},
		{
			"blames the caller",
			broken(installation.ErrUnavailable, installation.ErrConflict),
			[]string{"unavailable/commit", "unavailable/put"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var failed []string
			for _, c := range unavailableCases {
				if try(t, c, tc.store).failed {
					failed = append(failed, c.name)
				}
			}
			if !slices.Equal(failed, tc.fails) {
				t.Errorf("fails %q, want %q", failed, tc.fails)
			}
		})
	}
}

// broken returns a store that returns one error from every read and another from every commit.
func broken(read, write error) *decorator {
	d := sound()
	d.onGet = func(context.Context, installation.Key) (*installation.Record, error) {
		return nil, read
	}
	d.onCommit = func(context.Context, installation.Change) (installation.Receipt, error) {
		return installation.Receipt{}, write
	}
	d.onList = func(context.Context, installation.Query) (installation.Page, error) {
		return installation.Page{}, read
	}
	d.onOutcome = func(
		context.Context, string, installation.Digest,
	) (*installation.Outcome, error) {
		return nil, read
	}
	d.onEvents = func(
		context.Context, installation.EventQuery,
	) (installation.EventPage, error) {
		return installation.EventPage{}, read
	}
	d.onCount = func(context.Context, installation.Query) (int64, error) { return 0, read }
	d.onHealth = func(context.Context) ([]health.Finding, error) { return nil, read }
	d.onAccept = func(context.Context, time.Time) (installation.Namespace, error) {
		return installation.Namespace{}, read
	}
	d.onScan = func(context.Context) iter.Seq2[installation.Row, error] {
		return func(yield func(installation.Row, error) bool) { yield(installation.Row{}, read) }
	}
	d.onPut = func(context.Context, time.Time, installation.Row) (bool, error) {
		return false, write
	}
	return d
}

// try runs a case on s and returns its result. A panic is a failure. The messages must be readable.
func try(t *testing.T, c testCase, s installation.Store) *recorder {
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() { // Fatalf and Skipf end this goroutine
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		c.check(r, s)
	}()
	<-done
	readable(t, c, r.lines)
	return r
}

// tryFlaw runs a case on a store with a flaw.
func tryFlaw(t *testing.T, c testCase, f flaw) (r *recorder) {
	run := func(t *testing.T) {
		d := sound()
		f.inflict(d)
		r = try(t, c, d)
	}
	if f.hangs {
		synctest.Test(t, run)
	} else {
		run(t)
	}
	return r
}

// recorder is a tester that keeps its messages.
type recorder struct {
	ctx     context.Context
	mu      sync.Mutex
	failed  bool
	skipped bool
	lines   []string
}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

func (r *recorder) text() string { return strings.Join(r.lines, "\n") }

func flaws() []flaw {
	return slices.Concat(ownershipFlaws, valueFlaws, replayFlaws, commitFlaws, revisionFlaws,
		claimFlaws, listFlaws, pageFlaws, eventFlaws, abilityFlaws,
		namespaceFlaws, epochFlaws, sizeFlaws, followFlaws, queryFlaws, boundFlaws, moveFlaws,
		forgetFlaws, confusedFlaws, wholeFlaws, trimFlaws)
}

// TestEveryCaseIsNeeded proves that each case fails for some broken store.
func TestEveryCaseIsNeeded(t *testing.T) {
	noticed := make(map[string]bool)
	for _, f := range slices.Concat(flaws(), raceFlaws) {
		for _, name := range f.fails {
			noticed[name] = true
		}
	}
	for _, c := range cases() {
		if !noticed[c.name] {
			t.Errorf("no broken store fails %s", c.name)
		}
	}
}

// late reports whether c belongs to a theme whose cases also use other methods, so they find other
// faults too, and f does not belong to it.
func late(c testCase, f flaw) bool {
	moves := slices.DeleteFunc(slices.Concat(moveCases, forgetCases), func(x testCase) bool {
		return !strings.HasPrefix(x.name, "move/")
	})
	for _, theme := range []struct {
		cases []testCase
		flaws []flaw
	}{
		{moves, slices.Concat(moveFlaws, forgetFlaws)},
		{confusedCases, confusedFlaws}, {wholeCases, wholeFlaws}, {trimCases, trimFlaws},
	} {
		mine := slices.ContainsFunc(theme.cases, func(x testCase) bool { return x.name == c.name })
		its := slices.ContainsFunc(theme.flaws, func(x flaw) bool { return x.name == f.name })
		if mine && !its {
			return true
		}
	}
	return false
}
