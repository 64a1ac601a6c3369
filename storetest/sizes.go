package storetest

import (
	"fmt"
	"strings"

	"github.com/go-installation/installation"
)

// sizeCases store long values and many records, where backends have limits of their own.
var sizeCases = []testCase{
	{"sizes/claims", "sorted strings; at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			common := strings.Repeat("c", 1023)
			for _, last := range []string{"x", "y"} {
				c := claiming("holder of "+last, common+last)
				commit(t, s, c)
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
			}
			reject(t, s, claiming("late", common+"x"), installation.ErrExists)
			reject(t, s, claiming("late", common+"y"), installation.ErrExists)
		}},
	{"sizes/outcome", "opaque to the store; the service seals any secret in it",
		func(t tester, s installation.Store) {
			c := create(at("large"))
			c.Idempotency = outcome("key", strings.Repeat("0123456\xff", 16<<10))
			commit(t, s, c)
			recorded(t, s, "tenant", c.Idempotency)
		}},
	{"sizes/count", "Count returns how many records q names",
		withAbility(func(t tester, s installation.Store, counter installation.Counter) {
			n := many(t, s)
			counts(t, counter, everything, n)
			counts(t, counter, everythingDue, n)
		})},
	{"sizes/list", "a list has ended when Next is empty", func(t tester, s installation.Store) {
		n := many(t, s)
		for _, q := range []installation.Query{everything, everythingDue} {
			q.Limit = installation.MaxPage
			if got := len(list(t, s, q)); int64(got) != n {
				t.Errorf("list %+v: got %d records, want %d", q, got, n)
			}
		}
	}},
	{"sizes/scan", "A scan without an error is complete.", withAbility(scanMany)},
}

// scanMany scans more rows than a page can hold.
func scanMany(t tester, s installation.Store, m installation.Mover) {
	n := many(t, s)
	seen := make(map[installation.Key]bool)
	for row, err := range m.Scan(t.Context()) {
		if err != nil {
			t.Fatalf("scan: got error %v, want none", err)
		}
		if row.Record != nil {
			seen[row.Record.Key] = true
		}
	}
	if int64(len(seen)) != n {
		t.Errorf("scan: got %d records, want %d", len(seen), n)
	}
}

// many stores more records than a page can hold, and returns how many.
func many(t tester, s installation.Store) int64 {
	t.Helper()
	const each = installation.MaxPage/racers + 1
	race(t, func(i int) error {
		for j := range each {
			c := create(at(fmt.Sprintf("%d-%d", i, j)))
			c.Record.Deadline, c.Record.Body = now, installation.Body{}
			if _, err := s.Commit(t.Context(), c); err != nil {
				return err
			}
		}
		return nil
	})
	return racers * each
}
