package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

// now is the time of all changes in these tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// open opens a new file.
func open(t *testing.T, o *boltstore.Options) *boltstore.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "store.db"), o)
}

// openAt opens a file and closes it with the test.
func openAt(t *testing.T, path string, o *boltstore.Options) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func closeStore(t *testing.T, s *boltstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// change returns a change that creates or replaces the record at key.
func change(key installation.Key, revision int64) installation.Change {
	c := installation.Change{Now: now, Key: key, If: revision - 1, Record: &installation.Record{
		Key: key, Revision: revision, Generation: 1, Created: now,
		Index: []string{"@all", "all"},
		Body:  installation.BodyFromBytes("body of " + key.ID),
	}}
	copy(c.Op[:], fmt.Sprintf("%.8s %d", key.ID, revision))
	c.Events = []installation.Event{{Key: key, Revision: revision, Time: now}}
	return c
}

// tombstone returns a change that deletes the record at key.
func tombstone(key installation.Key, revision int64, deadline time.Time) installation.Change {
	c := change(key, revision)
	c.Record = &installation.Record{Key: key, Revision: revision, Deleted: true,
		Deadline: deadline}
	return c
}

func commit(t *testing.T, s *boltstore.Store, changes ...installation.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatalf("commit %q: %v", c.Key.ID, err)
		}
	}
}

// world is the truth about a file: everything that was committed.
type world struct {
	path     string
	records  []installation.Record
	outcomes []installation.Outcome
	events   int
}

const tenant = "tenant"

// newWorld writes a file in which most buckets have more than one page, and some pages are free.
func newWorld(t *testing.T) world {
	t.Helper()
	w := world{path: filepath.Join(t.TempDir(), "store.db")}
	s, err := boltstore.Open(w.path, &boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		key := installation.Key{Tenant: tenant, ID: fmt.Sprintf("record-%02d", i)}
		c := change(key, 1)
		c.Record.Created = now.Add(time.Duration(i) * time.Second)
		c.Record.Index = []string{"@all", "all", "ext=" + key.ID}
		c.Record.Claims = []string{"claim of " + key.ID}
		c.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 100+i*10))
		if i == 7 {
			c.Record.Body = installation.BodyFromBytes(strings.Repeat("long ", 2000))
		}
		c.Idempotency = &installation.Outcome{Digest: installation.Digest{byte(i)},
			Until: now.Add(time.Hour), Data: []byte("outcome")}
		commit(t, s, c)
		w.records = append(w.records, *c.Record)
		w.outcomes = append(w.outcomes, *c.Idempotency)
		w.events++
	}
	closeStore(t, s)
	return w
}

// check compares all that s answers with the truth. An answer has to be right or an error that
// names the file. It returns how many calls failed.
func (w world) check(t *testing.T, s *boltstore.Store) (failed int) {
	t.Helper()
	answered := func(what string, err error) bool {
		t.Helper()
		if err != nil {
			failed++
			w.named(t, what, err)
		}
		return err == nil
	}
	for i, want := range w.records {
		got, err := s.Get(t.Context(), want.Key)
		if answered("get", err) && !reflect.DeepEqual(*got, want) {
			t.Errorf("get %v: got %+v, want %+v", want.Key, got, want)
		}
		o, err := s.Outcome(t.Context(), tenant, w.outcomes[i].Digest)
		if answered("outcome", err) && !reflect.DeepEqual(*o, w.outcomes[i]) {
			t.Errorf("outcome %d: got %+v, want %+v", i, o, w.outcomes[i])
		}
	}
	q := installation.Query{Tenant: tenant, Term: "all", Limit: 100}
	for _, q.Reverse = range []bool{false, true} {
		page, err := s.List(t.Context(), q)
		if answered("list", err) {
			w.listed(t, page.Records, q.Reverse)
		}
	}
	n, err := s.Count(t.Context(), q)
	if answered("count", err) && n != int64(len(w.records)) {
		t.Errorf("count: got %d, want %d", n, len(w.records))
	}
	events, err := s.Events(t.Context(), installation.EventQuery{Tenant: tenant, Limit: 100})
	if answered("events", err) && len(events.Events) != w.events {
		t.Errorf("events: got %d, want %d", len(events.Events), w.events)
	}
	rows := 0
	var scanned error
	for _, scanned = range s.Scan(t.Context()) {
		if scanned == nil {
			rows++
		}
	}
	if answered("scan", scanned) && rows != len(w.records)+len(w.outcomes) {
		t.Errorf("scan: got %d rows, want %d", rows, len(w.records)+len(w.outcomes))
	}
	if _, err := s.Health(t.Context()); err != nil {
		answered("health", err)
	}
	return failed
}

// listed checks the records of a list. A damaged one has only its Key.
func (w world) listed(t *testing.T, got []*installation.Record, reverse bool) {
	t.Helper()
	if len(got) != len(w.records) {
		t.Errorf("list: got %d records, want %d", len(got), len(w.records))
		return
	}
	for i, want := range w.records {
		r := got[i]
		if reverse {
			r = got[len(got)-1-i]
		}
		if !reflect.DeepEqual(*r, want) &&
			!reflect.DeepEqual(*r, installation.Record{Key: want.Key}) {
			t.Errorf("list: got %+v, want %+v", r, want)
		}
	}
}

// named fails the test unless err is that of a store that cannot answer and names the file.
func (w world) named(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), "store.db") {
		t.Errorf("%s: got error %v, want %v with the name of the file", what, err,
			installation.ErrUnavailable)
	}
}

// write writes the bytes of a file.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
