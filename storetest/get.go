package storetest

import (
	"time"

	"github.com/go-installation/installation"
)

var getCases = []testCase{
	{"get/whole", "Get returns the record at key, even if it is a tombstone (see " +
		"Record.Deleted).",
		func(t tester, s installation.Store) {
			c := full()
			c.Record.Generation = 1<<53 + 1 // beyond the precision of a float
			commit(t, s, c, create(at("other")))
			sameRecord(t, "get", get(t, s, c.Key), c.Record)
		}},
	{"get/bare", "when an invitation expires, or when an uninstalled record is to be purged; " +
		"zero = never", func(t tester, s installation.Store) {
		c := create(at("bare"))
		c.Record.Index, c.Record.Body = nil, installation.Body{}
		commit(t, s, c)
		got := get(t, s, c.Key)
		sameRecord(t, "get", got, c.Record)
		if !got.Deadline.IsZero() {
			t.Errorf("get %v: got deadline %v, want the zero time", c.Key, got.Deadline)
		}
	}},
	{"get/large", "sealed content, opaque to the store", func(t tester, s installation.Store) {
		c := create(at("large"))
		b := make([]byte, 256<<10) // every byte, at every position of a small block
		for i := range b {
			b[i] = byte(i + i>>8)
		}
		c.Record.Body = installation.BodyFromBytes(b)
		commit(t, s, c)
		sameRecord(t, "get", get(t, s, c.Key), c.Record)
	}},
	{"get/tombstone", "tombstone: only Key, Revision, Generation and Deadline are set",
		func(t tester, s installation.Store) {
			c := full()
			c.Record.Generation = 7
			buried := remove(commit(t, s, c))
			commit(t, s, buried)
			got := get(t, s, c.Key)
			sameRecord(t, "get", got, buried.Record)
			if !got.Created.Equal(time.Time{}) {
				t.Errorf("get %v: got creation time %v, want the zero time", c.Key, got.Created)
			}
		}},
	{"get/nothing",
		"It returns an error that matches [ErrNotFound] if a healthy store holds nothing there.",
		func(t tester, s installation.Store) {
			commit(t, s, create(at("some")))
			for _, key := range []installation.Key{at("none"), at(""), {ID: "some"},
				{Tenant: "other", ID: "some"}} {
				got, err := s.Get(t.Context(), key)
				if got != nil {
					t.Errorf("get %v: got %v, want nothing", key, got)
				}
				onlyMatches(t, err, installation.ErrNotFound, "get %v", key)
			}
		}},
}
