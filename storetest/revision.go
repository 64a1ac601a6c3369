package storetest

import (
	"errors"

	"github.com/go-installation/installation"
)

var revisionCases = []testCase{
	{"revision/conflict",
		"The stored revision differs from c.If: a [*ConflictError] with the stored revision.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("a")))
			commit(t, s, update(stored))
			for _, tc := range []struct {
				key           installation.Key
				wrong, stored int64
			}{
				{at("a"), 0, 2}, {at("a"), 1, 2}, {at("a"), 3, 2}, {at("none"), 1, 0},
			} {
				c := create(tc.key)
				c.If, c.Record.Revision = tc.wrong, tc.wrong+1
				_, err := s.Commit(t.Context(), c)
				conflict, ok := errors.AsType[*installation.ConflictError](err)
				if !ok || conflict.Key != tc.key || conflict.Revision != tc.stored {
					t.Errorf("commit %v if %d: got error %v, want a ConflictError with %v and "+
						"revision %d", tc.key, tc.wrong, err, tc.key, tc.stored)
				}
			}
			absent(t, s, at("none"))
		}},
	{"revision/conflict-only", "a [*ConflictError] with the stored revision",
		func(t tester, s installation.Store) {
			commit(t, s, create(at("a")))
			c := create(at("a"))
			_, err := s.Commit(t.Context(), c)
			onlyMatches(t, err, installation.ErrConflict, "commit %v if %d", c.Key, c.If)
		}},
	{"revision/without-record",
		"The stored revision differs from c.If: a [*ConflictError] with the stored revision.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("a")))
			commit(t, s, update(stored))
			stale := touch(stored)
			stale.Idempotency = outcome("key", "stale")
			reject(t, s, stale, installation.ErrConflict)
			noOutcome(t, s, stale)
		}},
	{"revision/receipt", "of the record after this change", func(t tester, s installation.Store) {
		c := create(at("a"))
		for want := int64(1); want < 4; want++ {
			receipt, err := s.Commit(t.Context(), c)
			if err != nil || receipt.Revision != want {
				t.Fatalf("commit %v if %d: got revision %d, error %v, want revision %d", c.Key,
					c.If, receipt.Revision, err, want)
			}
			c = update(c.Record)
		}
		unchanged := touch(get(t, s, at("a")))
		if receipt, err := s.Commit(t.Context(), unchanged); err != nil || receipt.Revision != 3 {
			t.Errorf("commit without a record: got revision %d, error %v, want revision 3",
				receipt.Revision, err)
		}
	}},
	{"revision/tombstone", "A tombstone has a revision too, and c.If is compared with it. If " +
		"nothing is stored, the revision is 0.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("a")))
			buried := commit(t, s, remove(stored))

			reject(t, s, create(at("a")), installation.ErrConflict)
			reject(t, s, update(stored), installation.ErrConflict)
			sameRecord(t, "get", get(t, s, at("a")), buried)
		}},
	{"revision/recreated", "grows with every commit of a record or tombstone",
		func(t tester, s installation.Store) {
			buried := commit(t, s, remove(commit(t, s, create(at("a")))))
			again := create(at("a"))
			again.If, again.Record.Revision = buried.Revision, buried.Revision+1
			again.Record.Generation = buried.Generation + 1
			commit(t, s, again)
			sameRecord(t, "get", get(t, s, at("a")), again.Record)
			lists(t, s, everything, "a")
		}},
	{"revision/jumps", "The service chooses the revision, which can be any number above " +
		"c.If. The store keeps it as it is.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			for _, to := range []int64{7, 8, 1 << 40, 1<<53 - 1} {
				c.Record.Revision = to
				receipt, err := s.Commit(t.Context(), c)
				if err != nil || receipt.Revision != to {
					t.Fatalf("commit %v if %d: got revision %d, error %v, want revision %d", c.Key,
						c.If, receipt.Revision, err, to)
				}
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
				c = update(c.Record)
			}
		}},
	{"revision/not-above", "It rejects any other revision with an error that matches [ErrInvalid].",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Record.Revision = 0
			reject(t, s, c, installation.ErrInvalid)
			absent(t, s, c.Key)
			c.Record.Revision = 3
			stored := commit(t, s, c)
			for _, revision := range []int64{3, 2, 0, -1} {
				c := update(stored)
				c.Record.Revision = revision
				reject(t, s, c, installation.ErrInvalid)
				sameRecord(t, "get", get(t, s, c.Key), stored)
			}
		}},
	{"revision/not-applied", "The error has NotApplied set if the stored record proves that no " +
		"try of c was applied. The proof needs three facts: the revision of the record is above " +
		"c.If, the record does not remember c.Op, and its memory reaches back to before c. The " +
		"memory does so if it holds fewer than [RememberedOps] changes, or a change that led to " +
		"c.If or to a lower revision.",
		func(t tester, s installation.Store) {
			notApplied(t, s, update(create(at("none")).Record), false) // forgotten, or never there
			stored := commit(t, s, create(at("a")))
			late := update(stored)
			for range installation.RememberedOps - 1 { // with the create
				stored = commit(t, s, update(stored))
				notApplied(t, s, late, true)
			}
			notApplied(t, s, create(at("a")), false)
			stored = commit(t, s, update(stored)) // pushes the create out
			notApplied(t, s, late, false)
			late.If, late.Record.Revision = 2, 3
			notApplied(t, s, late, true)
			commit(t, s, remove(stored))
			notApplied(t, s, late, false)
			late.If, late.Record.Revision = 3, 4
			notApplied(t, s, late, true)
		}},
	{"revision/not-applied-without-record", "If neither c nor the remembered " +
		"change has a Record, only a change that led to a revision below c.If counts.",
		func(t tester, s installation.Store) {
			created := commit(t, s, create(at("a")))
			late := touch(created)
			for range installation.RememberedOps - 2 {
				commit(t, s, touch(created))
			}
			updated := commit(t, s, update(created))
			notApplied(t, s, late, true) // the create is remembered
			commit(t, s, touch(updated))
			notApplied(t, s, late, false) // a change without a record is the oldest
			late.If = 3
			commit(t, s, update(updated), update(update(updated).Record))
			notApplied(t, s, late, true) // it led to an earlier revision
		}},
	{"revision/order-of-checks", "It checks these cases in order, and stops at the first that " +
		"applies",
		func(t tester, s installation.Store) {
			holder := create(at("holder"))
			holder.Record.Claims = []string{"claim"}
			holder.Idempotency = outcome("used", "of the holder")
			first := create(at("a"))
			second := update(commit(t, s, holder, first))
			commit(t, s, second)

			// All cases in the comment of Commit apply to the first change, except the epoch, which
			// namespaceCases check. Each step then changes c so that one case fewer applies.
			c := update(first.Record)
			c.Op = first.Op
			c.Record.Claims = []string{"claim"}
			c.Idempotency = outcome("used", "again")
			replayed(t, s, c, 1)
			c.Op = newOp()
			answered(t, s, c, holder.Idempotency)
			c.Op, c.Idempotency = newOp(), outcome("fresh", "rejected")
			reject(t, s, c, installation.ErrConflict)
			c.Op, c.If, c.Record.Revision = newOp(), 2, 3
			reject(t, s, c, installation.ErrExists)
			c.Op, c.Record.Claims = newOp(), nil
			commit(t, s, c)
		}},
}

// notApplied commits a change that must end in a conflict, and compares what the error proves.
func notApplied(t tester, s installation.Store, c installation.Change, want bool) {
	t.Helper()
	c.Op = newOp()
	_, err := s.Commit(t.Context(), c)
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	if !ok || conflict.NotApplied != want {
		t.Errorf("commit %v if %d: got error %v, want a ConflictError with NotApplied %t", c.Key,
			c.If, err, want)
	}
}
