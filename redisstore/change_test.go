package redisstore_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
)

// Changes as the service makes them, for tests about the result of a commit and not its
// content.

// create returns the change that makes a record with an index term, a claim and an event. The
// event has this reason.
func create(key installation.Key, reason string) installation.Change {
	c := installation.Change{
		Now: time.Now(),
		Key: key,
		Record: &installation.Record{
			Key: key, Revision: 1, Generation: 1, Created: time.Now(),
			Index: []string{"@all", "all"}, Claims: []string{"live=" + key.ID},
			Body: installation.BodyFromBytes([]byte(reason)),
		},
		Events: []installation.Event{{
			Type: event.Created, Key: key, Revision: 1, Generation: 1,
			Time: time.Now(), Reason: reason,
		}},
	}
	_, _ = rand.Read(c.Op[:]) // never fails
	return c
}

// update returns the change that writes the next revision of a stored record. The event
// has this reason.
func update(stored *installation.Record, reason string) installation.Change {
	c := create(stored.Key, reason)
	next := *stored
	next.Revision++
	c.If, c.Record = stored.Revision, &next
	c.Events[0].Type, c.Events[0].Revision = event.Updated, next.Revision
	return c
}

// bury returns the change that deletes a stored record and leaves a tombstone until deadline.
func bury(stored *installation.Record, deadline time.Time) installation.Change {
	c := update(stored, "")
	c.Record = &installation.Record{
		Key: stored.Key, Revision: stored.Revision + 1, Generation: 1, Deleted: true,
		Deadline: deadline,
	}
	return c
}

// must applies changes and returns the record that the last of them wrote.
func must(
	tb testing.TB, s installation.Store, changes ...installation.Change,
) *installation.Record {
	tb.Helper()
	var written *installation.Record
	for _, c := range changes {
		if _, err := s.Commit(tb.Context(), c); err != nil {
			tb.Fatal(err)
		}
		written = c.Record
	}
	return written
}

func get(tb testing.TB, s installation.Store, key installation.Key) *installation.Record {
	tb.Helper()
	r, err := s.Get(tb.Context(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// countEvents returns the number of events in the log for each reason.
func countEvents(tb testing.TB, r installation.EventReader) map[string]int {
	return countBy(tb, r, func(e installation.Event) string { return e.Reason })
}

// countBy returns the number of events in the log for each value of a property.
func countBy[T comparable](
	tb testing.TB, r installation.EventReader, property func(installation.Event) T,
) map[T]int {
	tb.Helper()
	seen := make(map[T]int)
	q := installation.EventQuery{AllTenants: true, Limit: installation.MaxPage}
	for {
		page, err := r.Events(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page.Events) == 0 {
			return seen
		}
		for _, e := range page.Events {
			seen[property(e)]++
		}
		q.After = page.Next
	}
}

func id(format string, args ...any) installation.Key {
	return installation.Key{Tenant: "tenant", ID: fmt.Sprintf(format, args...)}
}
