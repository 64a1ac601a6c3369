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
			counts(t, counter, everything, racers*each)
			counts(t, counter, everythingDue, racers*each)
		})},
}
