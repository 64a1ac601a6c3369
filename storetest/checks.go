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
			t.Fatalf("commit %v if %d: got error %v, want none", c.Key, c.If, err)
		}
		if receipt.Replayed || receipt.Outcome != nil {
			t.Fatalf("commit %v if %d: got receipt %v, want one of a new change", c.Key, c.If,
				receipt)
		}
		written = c.Record
	}
	return written
}

// reject commits a change that must fail with an error that matches want.
func reject(t tester, s installation.Store, c installation.Change, want error) {
	t.Helper()
	if receipt, err := s.Commit(t.Context(), c); !errors.Is(err, want) {
		t.Errorf("commit %v if %d: got receipt %v, error %v, want error %v", c.Key, c.If, receipt,
			err, want)
	}
}

func get(t tester, s installation.Store, key installation.Key) *installation.Record {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || got == nil {
		t.Fatalf("get %v: got %v, error %v, want a record", key, got, err)
	}
	return got
}

// absent fails the case if something is stored at key.
func absent(t tester, s installation.Store, key installation.Key) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get %v: got %v, error %v, want error %v", key, got, err,
			installation.ErrNotFound)
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
	t.Fatalf("list %v: got no end after 10,000 pages, want one", q)
	return nil
}

func listPage(t tester, s installation.Store, q installation.Query) installation.Page {
	t.Helper()
	page, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatalf("list %v: got error %v, want none", q, err)
	}
	return page
}

// lists fails the case unless q lists the records with these ids in this order.
func lists(t tester, s installation.Store, q installation.Query, want ...string) {
	t.Helper()
	sameList(t, ids(list(t, s, q)), want, equal, "list %v", q)
}

// sameList fails the case unless both lists are equal. The message begins with the call, and leaves
// out the part of the lists before the first difference.
func sameList[T any](
	t tester, got, want []T, same func(a, b T) bool, call string, args ...any,
) {
	t.Helper()
	n := 0
	for n < min(len(got), len(want)) && same(got[n], want[n]) {
		n++
	}
	if n == max(len(got), len(want)) {
		return
	}
	if n > 0 {
		call, args = call+", after %d equal ones", append(args, n)
	}
	t.Errorf(call+": got %v, want %v", append(args, got[n:], want[n:])...)
}

func equal[T comparable](a, b T) bool { return a == b }

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
		t.Fatalf("%s %v: got no record, want one", what, want.Key)
	}
	if got.Key != want.Key || got.Revision != want.Revision ||
		got.Generation != want.Generation || got.Deleted != want.Deleted ||
		!sameTime(got.Created, want.Created) || !sameTime(got.Deadline, want.Deadline) ||
		!slices.Equal(got.Index, want.Index) || !slices.Equal(got.Claims, want.Claims) ||
		!bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
		g, w := differing(*got, *want)
		t.Errorf("%s %v: got %v, want %v", what, want.Key, g, w)
	}
}

// sameTime compares times to the second. Other cases check the precision of times.
func sameTime(got, want time.Time) bool {
	return got.Truncate(time.Second).Equal(want.Truncate(time.Second))
}

func sameOutcome(t tester, what string, got, want *installation.Outcome) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s %v: got no outcome, want one", what, want.Digest)
	}
	if got.Digest != want.Digest || !sameTime(got.Until, want.Until) ||
		!bytes.Equal(got.Data, want.Data) {
		g, w := differing(*got, *want)
		t.Errorf("%s %v: got %v, want %v", what, want.Digest, g, w)
	}
}

// onlyMatches fails the case unless err matches want and no other error that a store can return.
// The message begins with the call.
func onlyMatches(t tester, err, want error, call string, args ...any) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf(call+": got error %v, want one that matches %v", append(args, err, want)...)
	}
	for _, other := range []error{
		installation.ErrInvalid, installation.ErrNotFound, installation.ErrExists,
		installation.ErrConflict, installation.ErrUnavailable, installation.ErrUnknownOutcome,
		installation.ErrNotReplicated, installation.ErrTrimmed, installation.ErrEpoch,
	} {
		if other != want && errors.Is(err, other) {
			t.Errorf(call+": got error %v, which also matches %v, want only %v",
				append(args, err, other, want)...)
		}
	}
}
