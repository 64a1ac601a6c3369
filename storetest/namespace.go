package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

var namespaceCases = []testCase{
	{"namespace/new", "Epoch is 0 until the first restore is accepted.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			if in := namespace(t, n); in.ID == "" || in.Epoch != 0 {
				t.Errorf("namespace of a new store: got %v, want an ID and epoch 0", in)
			}
			commit(t, s, create(at("a")))
		})},
	{"namespace/same", "Namespace returns the namespace as the store saw it last.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			in := namespace(t, n)
			sameNamespace(t, namespace(t, n), in)
			commit(t, s, create(at("a")))
			sameNamespace(t, namespace(t, n), in)
		})},
	{"namespace/epoch", "now in microseconds since 1970, or the epoch before plus 1 if that is " +
		"greater",
		withAbility(func(t tester, _ installation.Store, n installation.Namespacer) {
			for _, tc := range []struct {
				now  time.Time
				want int64
			}{
				{now, now.UnixMicro()},
				{now, now.UnixMicro() + 1},
				{now.Add(-time.Hour), now.UnixMicro() + 2},
				{time.Unix(0, 0), now.UnixMicro() + 3},
				{now.Add(4 * time.Microsecond), now.UnixMicro() + 4},
				{later, later.UnixMicro()},
			} {
				if got := accept(t, n, tc.now); got.Epoch != tc.want {
					t.Errorf("accept restore at %v: got epoch %d, want %d", tc.now, got.Epoch,
						tc.want)
				}
			}
		})},
	{"namespace/epoch-stays", "From then on it is the time of the last acceptance in " +
		"microseconds since 1970, or a greater number.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			accepted := accept(t, n, now)
			c := in(create(at("a")), accepted.Epoch)
			c.Now = later
			commit(t, s, c)
			if got := namespace(t, n); got.Epoch != accepted.Epoch {
				t.Errorf("namespace after a commit: got epoch %d, want %d", got.Epoch,
					accepted.Epoch)
			}
		})},
	{"namespace/id", "The ID stays the same.",
		withAbility(func(t tester, _ installation.Store, n installation.Namespacer) {
			began := namespace(t, n)
			for range 3 {
				if got := accept(t, n, now); got.ID != began.ID {
					t.Errorf("accept restore: got ID %v, want %v as before", got.ID, began.ID)
				}
			}
		})},
	{"namespace/era", "random, new with each epoch: tells apart two epochs with the same number",
		withAbility(func(t tester, _ installation.Store, n installation.Namespacer) {
			seen := []string{namespace(t, n).Era}
			for range 4 {
				got := accept(t, n, now)
				if got.Era == "" || slices.Contains(seen, got.Era) {
					t.Errorf("accept restore: got era %v, want none of %v", got.Era, seen)
				}
				seen = append(seen, got.Era)
			}
		})},
	{"namespace/after-acceptance", "After AcceptRestore, it returns the new namespace.",
		withAbility(func(t tester, _ installation.Store, n installation.Namespacer) {
			for range 3 {
				accepted := accept(t, n, now)
				sameNamespace(t, namespace(t, n), accepted)
			}
		})},
	{"namespace/after-refusal", "After an error of Commit that matches [ErrEpoch], it returns " +
		"the namespace that Commit saw.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			accepted := accept(t, n, now)
			reject(t, s, create(at("a")), installation.ErrEpoch)
			sameNamespace(t, namespace(t, n), accepted)
		})},
	{"namespace/data-stays", "So do records, outcomes and events.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			c := create(at("a"))
			c.Idempotency = outcome("key", "before")
			c.Events = []installation.Event{eventOf(c, "before")}
			commit(t, s, c)
			accept(t, n, now)

			sameRecord(t, "get", get(t, s, c.Key), c.Record)
			lists(t, s, everything, "a")
			recorded(t, s, c.Key.Tenant, c.Idempotency)
			logged(t, s, c.Key.Tenant, c.Events)
		})},
	{"namespace/other-epoch", "c.Epoch is not the epoch of the namespace (see [Namespacer]): an " +
		"error that matches [ErrEpoch].",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			refused(t, s, 0, -1, 1, now.UnixMicro())
			first := accept(t, n, now).Epoch
			refused(t, s, first, 0, first-1, first+1)
			second := accept(t, n, later).Epoch
			refused(t, s, second, 0, first, second-1, second+1)
		})},
	{"namespace/writes-nothing", "Commit applies c, all of it or nothing.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			refusedWhole(t, s, accept(t, n, now).Epoch)
		})},
	{"namespace/present-epoch", "From then on the service chooses revisions and generations that " +
		"are at least the epoch, and a store refuses a change of another epoch.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			stored := commit(t, s, create(at("a")))
			epoch := accept(t, n, now).Epoch
			c := in(update(stored), epoch)
			commit(t, s, c)
			sameRecord(t, "get", get(t, s, c.Key), c.Record)
			commit(t, s, in(remove(c.Record), epoch))
			added := commit(t, s, in(create(at("b")), epoch))
			commit(t, s, in(touch(added), epoch))
		})},
	{"namespace/replay-first", "It checks these cases in order, and stops at the first that " +
		"applies",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			c := create(at("a"))
			commit(t, s, c)
			accept(t, n, now)
			replayed(t, s, c, 1)
		})},
	{"namespace/before-outcome", "It checks these cases in order, and stops at the first that " +
		"applies",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			holder := create(at("holder"))
			holder.Idempotency = outcome("used", "of the holder")
			commit(t, s, holder)
			accept(t, n, now)
			c := create(at("a"))
			c.Idempotency = outcome("used", "again")
			onlyRefused(t, s, c)
		})},
	{"namespace/before-conflicts", "It checks these cases in order, and stops at the first that " +
		"applies",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			holder := create(at("holder"))
			holder.Record.Claims = []string{"claim"}
			commit(t, s, holder)
			accept(t, n, now)
			thief := create(at("thief"))
			thief.Record.Claims = []string{"claim"}
			onlyRefused(t, s, create(at("holder")))
			onlyRefused(t, s, thief)
		})},
	{"namespace/race", "If several calls run at the same time, the namespace keeps the greatest " +
		"epoch that one of them returned.",
		withAbility(func(t tester, s installation.Store, n installation.Namespacer) {
			began := namespace(t, n)
			var accepted [racers]installation.Namespace
			race(t, func(i int) error {
				// Pairs of racers have the same time.
				at := now.Add(time.Duration(i/2) * time.Hour)
				var err error
				accepted[i], err = n.AcceptRestore(t.Context(), at)
				return err
			})
			last := namespace(t, n)
			if !slices.Contains(accepted[:], last) {
				t.Errorf("namespace: got %v, want one of %v", last, accepted)
			}
			for _, a := range accepted {
				if a.Epoch > last.Epoch || a.Epoch <= began.Epoch || a.ID != began.ID {
					t.Errorf("accept restore: got %v, want one after %v, up to %v", a, began, last)
				}
			}
			refused(t, s, last.Epoch, 0, last.Epoch-1)
			sameNamespace(t, namespace(t, n), last)
		})},
}

// in returns c as a change of this epoch. Its revision and generation are at least the epoch.
func in(c installation.Change, epoch int64) installation.Change {
	c.Epoch = epoch
	if c.Record != nil {
		raised := *c.Record
		raised.Revision = max(raised.Revision, epoch)
		raised.Generation = max(raised.Generation, epoch)
		c.Record = &raised
	}
	return c
}

func namespace(t tester, n installation.Namespacer) installation.Namespace {
	t.Helper()
	in, err := n.Namespace(t.Context())
	if err != nil {
		t.Fatalf("namespace: got error %v, want none", err)
	}
	return in
}

func accept(
	t tester, n installation.Namespacer, now time.Time,
) installation.Namespace {
	t.Helper()
	in, err := n.AcceptRestore(t.Context(), now)
	if err != nil {
		t.Fatalf("accept restore: got error %v, want none", err)
	}
	return in
}

func sameNamespace(t tester, got, want installation.Namespace) {
	t.Helper()
	if got != want {
		t.Errorf("namespace: got %v, want %v", got, want)
	}
}

// onlyRefused commits a change of another epoch. It fails the case unless the error matches
// ErrEpoch alone.
func onlyRefused(t tester, s installation.Store, c installation.Change) {
	t.Helper()
	_, err := s.Commit(t.Context(), c)
	onlyMatches(t, err, installation.ErrEpoch, "commit %v of epoch %d", c.Key, c.Epoch)
}

// refused commits changes of other epochs in several tenants. It then commits the same changes in
// the present epoch: they must be new to the store.
func refused(t tester, s installation.Store, present int64, others ...int64) {
	t.Helper()
	for _, tenant := range []string{"", "tenant", "a", "b", "c"} {
		c := create(installation.Key{Tenant: tenant, ID: fmt.Sprint("of epoch ", present)})
		for _, epoch := range others {
			onlyRefused(t, s, in(c, epoch))
		}
		absent(t, s, c.Key)
		c = in(c, present)
		commit(t, s, c)
		for _, next := range []installation.Change{
			update(c.Record), touch(c.Record), remove(c.Record),
		} {
			for _, epoch := range others {
				onlyRefused(t, s, in(next, epoch))
			}
		}
		sameRecord(t, "get", get(t, s, c.Key), c.Record)
		commit(t, s, in(update(c.Record), present))
	}
}

// refusedWhole commits changes of epoch 0 with all that a change can have, and checks that nothing
// of them was written.
func refusedWhole(t tester, s installation.Store, present int64) {
	t.Helper()
	stored := commit(t, s, in(create(at("a")), present))
	for _, c := range []installation.Change{
		create(at("b")), update(stored), touch(stored), remove(stored),
	} {
		if c.Record != nil && !c.Record.Deleted {
			c.Record.Index, c.Record.Claims = []string{all, "other"}, []string{"claim"}
		}
		c.Idempotency = outcome("key", "refused")
		c.Events = []installation.Event{eventOf(c, "refused")}
		onlyRefused(t, s, c)
		noOutcome(t, s, c)
		logged(t, s, c.Key.Tenant, nil)
	}
	absent(t, s, at("b"))
	sameRecord(t, "get", get(t, s, stored.Key), stored)
	lists(t, s, everything, "a")
	lists(t, s, installation.Query{Tenant: "tenant", Term: "other"})
	claimant := in(create(at("c")), present)
	claimant.Record.Claims = []string{"claim"}
	commit(t, s, claimant)
}
