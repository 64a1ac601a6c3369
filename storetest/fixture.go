package storetest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// now is the Now of every change unless a case says otherwise. It is far ahead, so that a store which also leans on the
// clock of its server forgets nothing while the suite runs.
var now = time.Date(2100, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// later is after every deadline that cases set but those of tombstones; cases about the very moment look closer.
var later = now.Add(24 * time.Hour)

// all is the term that every record of the suite has, and the term most cases list.
const all = "all"

// at returns a key of the tenant that most cases use.
func at(id string) installation.Key { return installation.Key{Tenant: "tenant", ID: id} }

// create returns the change that makes a record at key. Cases go on to set what they are about.
func create(key installation.Key) installation.Change {
	return installation.Change{
		Op:  newOp(),
		Now: now,
		Key: key,
		Record: &installation.Record{
			Key:        key,
			Revision:   1,
			Generation: 1,
			Created:    now,
			Index:      []string{all},
			Body:       body("as created"),
		},
	}
}

// update returns the change that writes stored anew. Cases go on to set what they are about.
func update(stored *installation.Record) installation.Change {
	next := *stored
	next.Index, next.Claims = slices.Clone(stored.Index), slices.Clone(stored.Claims)
	next.Revision++
	return installation.Change{Op: newOp(), Now: now, Key: stored.Key, If: stored.Revision, Record: &next}
}

// remove returns the change that makes stored a tombstone, to be kept for a month.
func remove(stored *installation.Record) installation.Change {
	return installation.Change{Op: newOp(), Now: now, Key: stored.Key, If: stored.Revision, Record: &installation.Record{
		Key:        stored.Key,
		Revision:   stored.Revision + 1,
		Generation: stored.Generation,
		Deleted:    true,
		Deadline:   now.AddDate(0, 1, 0),
	}}
}

// touch returns the change that leaves stored as it is. Cases go on to add an outcome or events.
func touch(stored *installation.Record) installation.Change {
	return installation.Change{Op: newOp(), Now: now, Key: stored.Key, If: stored.Revision}
}

// outcome returns an outcome that is kept for an hour.
func outcome(idempotencyKey, data string) *installation.Outcome {
	return &installation.Outcome{Digest: digest(idempotencyKey), Until: now.Add(time.Hour), Data: []byte(data)}
}

// event returns an event about the record that c writes, told apart by its reason.
func event(c installation.Change, reason string) installation.Event {
	return installation.Event{Type: installation.EventUpdated, Key: c.Key, Revision: c.If + 1, Generation: 1, Time: now, Reason: reason}
}

func newOp() (op [16]byte) {
	_, _ = rand.Read(op[:]) // never fails
	return op
}

func digest(idempotencyKey string) installation.Digest { return sha256.Sum256([]byte(idempotencyKey)) }

func body(s string) installation.Body { return installation.BodyFromBytes([]byte(s)) }

// commit applies changes that must succeed, and returns the record that the last of them wrote.
func commit(t tester, s installation.Store, changes ...installation.Change) *installation.Record {
	t.Helper()
	var written *installation.Record
	for _, c := range changes {
		receipt, err := s.Commit(t.Context(), c)
		if err != nil {
			t.Fatalf("commit %q: %v", c.Key.ID, err)
		}
		if receipt.Replayed || receipt.Outcome != nil {
			t.Fatalf("commit %q: receipt %+v of a change that is new", c.Key.ID, receipt)
		}
		written = c.Record
	}
	return written
}

// refuse tries a change that must fail with an error that matches want.
func refuse(t tester, s installation.Store, c installation.Change, want error) {
	t.Helper()
	if receipt, err := s.Commit(t.Context(), c); !errors.Is(err, want) {
		t.Errorf("commit %q: receipt %+v, error %v, want error %v", c.Key.ID, receipt, err, want)
	}
}

func get(t tester, s installation.Store, key installation.Key) *installation.Record {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || got == nil {
		t.Fatalf("get %q: %v, error %v", key.ID, got, err)
	}
	return got
}

// absent checks that nothing is stored at key.
func absent(t tester, s installation.Store, key installation.Key) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get %q: %+v, error %v, want error %v", key.ID, got, err, installation.ErrNotFound)
	}
}

// list returns all records that q names, over as many pages as it takes. It reads 100 at a time if q does not say.
func list(t tester, s installation.Store, q installation.Query) []*installation.Record {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	var records []*installation.Record
	for range 10_000 {
		page := listPage(t, s, q)
		records = append(records, page.Records...)
		if page.Next == "" {
			return records
		}
		q.After, q.Skip = page.Next, 0
	}
	t.Fatalf("list %+v: no end", q)
	return nil
}

func listPage(t tester, s installation.Store, q installation.Query) installation.Page {
	t.Helper()
	page, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatalf("list %+v: %v", q, err)
	}
	return page
}

// lists checks that q names the records with these ids, in this order.
func lists(t tester, s installation.Store, q installation.Query, want ...string) {
	t.Helper()
	if got := ids(list(t, s, q)); !slices.Equal(got, want) {
		t.Errorf("list %+v: got %q, want %q", q, got, want)
	}
}

// ids returns the ids of records, with a nil record as "nil".
func ids(records []*installation.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = "nil"
		if r != nil {
			out[i] = r.Key.ID
		}
	}
	return out
}

// sameRecord checks all fields but the location of times, which is a rule of its own.
func sameRecord(t tester, what string, got, want *installation.Record) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no record", what)
	}
	if got.Key != want.Key || got.Revision != want.Revision || got.Generation != want.Generation || got.Deleted != want.Deleted ||
		!sameTime(got.Created, want.Created) || !sameTime(got.Deadline, want.Deadline) ||
		!slices.Equal(got.Index, want.Index) || !slices.Equal(got.Claims, want.Claims) ||
		!bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// sameTime compares to the second only: that no more is lost is a rule of its own.
func sameTime(got, want time.Time) bool {
	return got.Truncate(time.Second).Equal(want.Truncate(time.Second))
}

func sameOutcome(t tester, what string, got, want *installation.Outcome) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no outcome", what)
	}
	if got.Digest != want.Digest || !sameTime(got.Until, want.Until) || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// onlyMatches checks that err matches want and none of the other sentinels that a store returns.
func onlyMatches(t tester, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v does not match %v", err, want)
	}
	for _, other := range []error{
		installation.ErrInvalid, installation.ErrNotFound, installation.ErrExists, installation.ErrConflict,
		installation.ErrUnavailable, installation.ErrUnknownOutcome, installation.ErrNotReplicated, installation.ErrTrimmed,
	} {
		if other != want && errors.Is(err, other) {
			t.Errorf("error %v matches %v too", err, other)
		}
	}
}

// odd are strings that have broken stores before: separators and wildcards of backends, bytes that are no text, nothing but
// length.
var odd = []string{
	"a:b", "a::b", "*", "?", "[a]", "{a}", "{}", "a b", " a", "a ", "a/b", "a|b", "a,b", "a=b", "a\\b", "a\nb", "\x01", "\x7f",
	"\xff", "\xfe", "a\xff", "\xc3\x28", "é", "e\u0301", "日本語", "😀", "'", "\"", "%00", "%s", "@", "-", "+", "[", "(",
	strings.Repeat("a", 256), strings.Repeat("é", 128), strings.Repeat("a", 255) + "b",
}
