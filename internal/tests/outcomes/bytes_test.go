package outcomes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

const (
	// outcomeBytes is the default of Options.OutcomeBytes.
	outcomeBytes = 4 << 10
	// outcomeLimit is the largest outcome with the default, as the doc of OutcomeBytes states it.
	outcomeLimit = outcomeBytes + 1<<10
	// writesLimit is what ten thousand writes to one installation leave in the store at most,
	// beside the installation. docs/performance.md states it.
	writesLimit = 70 << 20
)

// kept is what a store keeps, in bytes.
type kept struct {
	outcomes, records, events int
	number                    int // of outcomes
}

func keptIn(t *testing.T, w *fixture.World) (k kept) {
	t.Helper()
	for row, err := range w.Store.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		b, _ := row.MarshalBinary() // never fails
		if row.Outcome == nil {
			k.records += len(b)
			continue
		}
		if k.number++; len(row.Outcome.Data) > outcomeLimit {
			t.Fatalf("an outcome has %d bytes", len(row.Outcome.Data))
		}
		k.outcomes += len(b)
	}
	for after := ""; ; {
		page, err := w.Host.Events(t.Context(), after, installation.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			b, _ := e.MarshalBinary() // never fails
			k.events += len(b)
		}
		if after = page.Next; len(page.Events) == 0 || after == "" {
			return k
		}
	}
}

// configured returns a world with the installation "i", whose configuration has this many bytes.
func configured(t *testing.T, size int) *fixture.World {
	t.Helper()
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	parts.Configuration = installation.Value(installation.Configuration{
		Document: installation.JSON(`{"n":0,"note":"` + strings.Repeat("x", size) + `"}`),
	})
	req := installation.UpsertRequest{ID: "i", Parts: parts}
	if _, err := w.Host.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	return w
}

// patchN writes "i" with a fresh idempotency key: digit n%10, or no change if n is negative.
func patchN(t *testing.T, w *fixture.World, key string, n int) *installation.Result {
	t.Helper()
	req := installation.PatchRequest{ID: "i", Guard: installation.Guard{IdempotencyKey: key}}
	if n >= 0 {
		digit := installation.JSON(fmt.Sprint(n % 10))
		req.Operations = []installation.Operation{patch.Set("/n", digit)}
	}
	res, err := w.Vendor.Patch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Ten thousand writes of one actor, each with a fresh idempotency key, keep at most writesLimit
// bytes. Those that change nothing, or change a large installation, keep no copy of anything.
func TestInvariant18WritesAreBoundedInBytes(t *testing.T) {
	for name, c := range map[string]struct {
		size    int // of the configuration
		writes  int
		changes int // every so many writes change a byte
		limit   int
	}{
		"changes of a small configuration": {2500, 10_000, 1, writesLimit},
		"large, every tenth changes":       {200_000, 1000, 10, 1 << 20},
		"small, nothing changes":           {2500, 1000, 0, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			n := c.writes
			w := configured(t, c.size)
			before := keptIn(t, w)
			for i := range n {
				change := -1
				if c.changes > 0 && i%c.changes == 0 {
					change = i/c.changes + 1
				}
				patchN(t, w, fmt.Sprint("key-", i), change)
			}
			k := keptIn(t, w)
			total := k.outcomes + k.events + k.records - before.records
			t.Logf("%d outcomes of %d bytes, events of %d bytes, in all %d bytes",
				k.number, k.outcomes, k.events, total)
			if k.number != n || total > c.limit {
				t.Errorf("%d writes keep %d outcomes and %d bytes, want at most %d bytes",
					n, k.number, total, c.limit)
			}
		})
	}
}

// The largest outcome has the longest ID, a code, and an answer that is just small enough to keep.
func TestLargestOutcome(t *testing.T) {
	w := fixture.NewWorld(t)
	large, small := 0, 0
	for n := range 250 {
		req := invitation(strings.Repeat("i", 251) + fmt.Sprintf("%05d", n))
		req.IdempotencyKey = fmt.Sprint(n)
		req.Message = strings.Repeat("m", 2048+8*n)
		if _, err := w.Host.Invite(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		all := w.Store.Changes()
		size := len(all[len(all)-1].Idempotency.Data)
		switch {
		case size > outcomeLimit:
			t.Fatalf("a message of %d bytes gives an outcome of %d", len(req.Message), size)
		case size > outcomeBytes:
			large = max(large, size)
		case size < 1<<10:
			small = max(small, size)
		}
	}
	t.Logf("at most %d bytes with the answer, and %d without", large, small)
	if large == 0 || small == 0 {
		t.Error("the edge is not among these messages")
	}
}

// sameAnswer fails the test unless two answers differ in Replayed alone.
func sameAnswer(t *testing.T, what string, first, again *installation.Result) {
	t.Helper()
	want := *first
	want.Replayed = true
	if d := cmp.Diff(&want, again, cmp.Comparer(crypto.Secret.Equal)); d != "" {
		t.Errorf("%s: not the first answer (-want +got):\n%s", what, d)
	}
}

// A repeat gets the first answer. If that was too large to keep, or nothing changed, the repeat
// gets it only while the record has the same revision, and then the present state.
func TestReplayOfAnswerThatWasNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		size, n int
		kept    bool
	}{
		"small":           {100, 1, true},
		"large":           {10_000, 1, false},
		"small unchanged": {100, -1, false},
		"large unchanged": {10_000, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := configured(t, c.size)
			first := patchN(t, w, "once", c.n)
			w.Advance(time.Minute)
			sameAnswer(t, "same revision", first, patchN(t, w, "once", c.n))
			later := patchN(t, w, "later", 7)
			again := patchN(t, w, "once", c.n)
			if c.kept {
				sameAnswer(t, "later revision", first, again)
				return
			}
			if !again.Replayed || again.Changed != first.Changed ||
				again.FirstRevision != first.Revision || again.Revision != later.Revision {
				t.Errorf("later revision: %+v", again)
			}
			if d := fixture.Diff(later.Installation, again.Installation); d != "" {
				t.Errorf("not the present state (-want +got):\n%s", d)
			}
		})
	}
}

// The code of an invitation is kept although the answer is too large.
func TestReplayReturnsCodeOfLargeInvitation(t *testing.T) {
	w := fixture.NewWorld(t, fixture.OwnedBy("ACC-vendor"))
	req := invitation("i")
	req.Configuration = installation.Value(installation.Configuration{
		Document: installation.JSON(`{"note":"` + strings.Repeat("x", 100_000) + `"}`),
	})
	first, err := w.Vendor.Invite(t.Context(), req)
	if err != nil || first.Code.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	if o := w.Store.Changes()[0].Idempotency; len(o.Data) > 1<<10 {
		t.Errorf("the outcome has %d bytes", len(o.Data))
	}
	again, err := w.Vendor.Invite(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	sameAnswer(t, "invitation", first, again)
}
