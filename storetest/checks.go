package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

// commit applies changes that must succeed. It returns the record written by the last one.
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

// reject commits a change that must fail with an error that matches want.
func reject(t tester, s installation.Store, c installation.Change, want error) {
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

// absent fails the case if something is stored at key.
func absent(t tester, s installation.Store, key installation.Key) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get %q: %+v, error %v, want error %v", key.ID, got, err, installation.ErrNotFound)
	}
}

// list returns all records of q from all pages. If q has no limit, the limit is 100.
func list(t tester, s installation.Store, q installation.Query) []*installation.Record {
	t.Helper()
	q.Limit = cmp.Or(q.Limit, 100)
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

// lists fails the case unless q lists the records with these ids in this order.
func lists(t tester, s installation.Store, q installation.Query, want ...string) {
	t.Helper()
	if got := ids(list(t, s, q)); !slices.Equal(got, want) {
		t.Errorf("list %+v: got %q, want %q", q, got, want)
	}
}

// ids returns the ids of records. A nil record is "nil".
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

// sameRecord fails the case unless all fields are equal. It compares times to the second; other
// cases check their precision and location.
func sameRecord(t tester, what string, got, want *installation.Record) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no record", what)
	}
	if got.Key != want.Key || got.Revision != want.Revision ||
		got.Generation != want.Generation || got.Deleted != want.Deleted ||
		!sameTime(got.Created, want.Created) || !sameTime(got.Deadline, want.Deadline) ||
		!slices.Equal(got.Index, want.Index) || !slices.Equal(got.Claims, want.Claims) ||
		!bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// sameTime compares times to the second. Other cases check the precision of times.
func sameTime(got, want time.Time) bool {
	return got.Truncate(time.Second).Equal(want.Truncate(time.Second))
}

func sameOutcome(t tester, what string, got, want *installation.Outcome) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no outcome", what)
	}
	if got.Digest != want.Digest || !sameTime(got.Until, want.Until) ||
		!bytes.Equal(got.Data, want.Data) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// onlyMatches fails the case unless err matches want and no other error that a store can return.
func onlyMatches(t tester, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v does not match %v", err, want)
	}
	for _, other := range []error{
		installation.ErrInvalid, installation.ErrNotFound, installation.ErrExists,
		installation.ErrConflict, installation.ErrUnavailable, installation.ErrUnknownOutcome,
		installation.ErrNotReplicated, installation.ErrTrimmed, installation.ErrEpoch,
	} {
		if other != want && errors.Is(err, other) {
			t.Errorf("error %v matches %v too", err, other)
		}
	}
}
