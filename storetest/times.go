package storetest

import (
	"time"

	"github.com/go-installation/installation"
)

var timeCases = []testCase{
	{"times/microseconds", "Times come back equal to the microsecond, in UTC.",
		func(t tester, s installation.Store) {
			for name, pair := range timesOf(t, s) {
				if got, want := pair[0], pair[1]; !got.Equal(want) {
					t.Errorf("%s: got %v, want %v", name, got, want)
				}
			}
		}},
	{"times/early", "Times come back equal to the microsecond, in UTC.",
		func(t tester, s installation.Store) {
			c := create(at("early"))
			c.Record.Created = time.Date(1969, 7, 20, 20, 17, 40, 123_456_000, time.UTC)
			commit(t, s, c, create(at("late")))
			if got := get(t, s, c.Key).Created; !sameTime(got, c.Record.Created) {
				t.Errorf("Get, Created: got %v, want %v", got, c.Record.Created)
			}
			lists(t, s, everything, "early", "late")
		}},
	{"times/utc", "Times come back equal to the microsecond, in UTC.",
		func(t tester, s installation.Store) {
			for name, pair := range timesOf(t, s) {
				if got := pair[0]; got.Location() != time.UTC {
					t.Errorf("%s: got location %v, want time.UTC itself", name,
						got.Location().String())
				}
			}
		}},
}

// timesOf stores a different time in each time field that a store returns. It returns two times for
// each field: what the store returned, and what was stored.
func timesOf(t tester, s installation.Store) map[string][2]time.Time {
	t.Helper()
	c := create(at("times"))
	c.Record.Created = now.Add(1 * time.Microsecond)
	c.Record.Deadline = now.Add(2 * time.Microsecond)
	c.Idempotency = outcome("key", "data")
	c.Idempotency.Until = now.Add(time.Hour + 3*time.Microsecond)
	e := eventOf(c, "first")
	e.Time = now.Add(4 * time.Microsecond)
	c.Events = []installation.Event{e}
	stored := commit(t, s, c)

	got := get(t, s, c.Key)
	listed := listPage(t, s, installation.Query{Tenant: c.Key.Tenant, Term: all, Limit: 1})
	o, err := s.Outcome(t.Context(), c.Key.Tenant, c.Idempotency.Digest)
	if err != nil || len(listed.Records) != 1 {
		t.Fatalf("list and outcome: got %d records, error %v, want 1 record, no error",
			len(listed.Records), err)
	}
	times := map[string][2]time.Time{
		"Get, Created":   {got.Created, c.Record.Created},
		"Get, Deadline":  {got.Deadline, c.Record.Deadline},
		"List, Created":  {listed.Records[0].Created, c.Record.Created},
		"List, Deadline": {listed.Records[0].Deadline, c.Record.Deadline},
		"Outcome, Until": {o.Until, c.Idempotency.Until},
	}
	if r, ok := ability[installation.EventReader](t, s); ok {
		for _, logged := range events(t, r, installation.EventQuery{Tenant: c.Key.Tenant}) {
			times["Events, Time"] = [2]time.Time{logged.Time, e.Time}
		}
	}

	buried := remove(stored)
	buried.Record.Deadline = now.AddDate(0, 1, 0).Add(5 * time.Microsecond)
	commit(t, s, buried)
	times["Get, Deadline of a tombstone"] = [2]time.Time{get(t, s, c.Key).Deadline,
		buried.Record.Deadline}
	return times
}
