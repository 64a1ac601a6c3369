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
					t.Errorf("commit %q if %d: error %v, want a conflict with revision %d",
						tc.key.ID, tc.wrong, err, tc.stored)
				}
			}
			absent(t, s, at("none"))
		}},
	{"revision/conflict-only", "a [*ConflictError] with the stored revision",
		func(t tester, s installation.Store) {
			commit(t, s, create(at("a")))
			_, err := s.Commit(t.Context(), create(at("a")))
			onlyMatches(t, err, installation.ErrConflict)
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
				t.Fatalf("commit: revision %d, error %v, want revision %d",
					receipt.Revision, err, want)
			}
			c = update(c.Record)
		}
		unchanged := touch(get(t, s, at("a")))
		if receipt, err := s.Commit(t.Context(), unchanged); err != nil || receipt.Revision != 3 {
			t.Errorf("commit without a record: revision %d, error %v, want revision 3",
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
	{"revision/recreated", "grows by 1 with every commit of a record or tombstone",
		func(t tester, s installation.Store) {
			buried := commit(t, s, remove(commit(t, s, create(at("a")))))
			again := create(at("a"))
			again.If, again.Record.Revision = buried.Revision, buried.Revision+1
			again.Record.Generation = buried.Generation + 1
			commit(t, s, again)
			sameRecord(t, "get", get(t, s, at("a")), again.Record)
			lists(t, s, everything, "a")
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

			// All four cases in the comment of Commit apply to the first change. Each step then
			// changes c so that one case fewer applies.
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
