// Package rotation checks the rotation of keys, and the service while keys are wrong, slow or
// missing.
package rotation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// keyCounts returns the KeyCounts of k1 and k2.
func keyCounts(primary string, k1, k2 int64) []installation.KeyCount {
	return []installation.KeyCount{
		{ID: "k1", Primary: primary == "k1", Records: k1},
		{ID: "k2", Primary: primary == "k2", Records: k2},
	}
}

// rewrap runs a rewrap without limit.
func rewrap(t *testing.T, host *installation.Service) (installation.RewrapReport, error) {
	t.Helper()
	return host.Rewrap(t.Context(), installation.RewrapRequest{})
}

// dropKeyTerms removes the key of a record from its index.
func dropKeyTerms(record *installation.Record) {
	record.Index = slices.DeleteFunc(record.Index, func(term string) bool {
		return strings.HasPrefix(term, "@kek=")
	})
}

// wantAllReadable ends the test unless each host reads the installations i-0 to i-(n-1).
func wantAllReadable(t *testing.T, when string, n int, hosts ...*installation.Service) {
	t.Helper()
	for i := range n {
		for _, host := range hosts {
			fixture.WantReadable(t, host, fmt.Sprintf("i-%d", i))
		}
	}
	if t.Failed() {
		t.Fatalf("installations cannot be read when the key is %s", when)
	}
}

// The primary key cannot be retired, even while nothing is stored.
func TestInvariant17PrimaryCannotBeRetired(t *testing.T) {
	r := fixture.NewWorld(t)
	err := r.With(t, r.K1).CanRetire(t.Context(), "k1")
	inUse, _ := errors.AsType[*installation.KeyInUseError](err)
	if inUse == nil || !inUse.Primary {
		t.Errorf("got %+v, want that k1 is the primary key", inUse)
	}
}

// A key is added everywhere, becomes primary, and a rewrap moves all records to it. Every
// process can read at every step. The old key cannot be retired before.
func TestInvariant17Rotation(t *testing.T) {
	const n = 120 // more than a page
	r := fixture.NewWorld(t)
	before, added := r.With(t, r.K1), r.With(t, r.K1, r.K2)
	switched, after := r.With(t, r.K2, r.K1), r.With(t, r.K2)
	r.Fill(t, before, n)
	wantAllReadable(t, "added", n, before, added)

	r.Add(t, switched, "new")
	wantAllReadable(t, "switched", n, added, switched)
	fixture.WantReadable(t, added, "new")
	_, err := before.Get(t.Context(), "new")
	fixture.WantErr(t, "a process without the new key", err, installation.ErrUnknownKey)
	for _, p := range []*installation.Service{added, switched} {
		err := p.CanRetire(t.Context(), "k1")
		fixture.WantErr(t, "retire k1 before the rewrap", err, installation.ErrKeyInUse)
	}
	inUse, _ := errors.AsType[*installation.KeyInUseError](switched.CanRetire(t.Context(), "k1"))
	if inUse == nil || inUse.KeyID != "k1" || inUse.Records != n || inUse.Primary {
		t.Errorf("k1 is in use: %+v, want by %d records", inUse, n)
	}

	events, revisions := len(r.Events(t)), revisionsOf(t, switched)
	rewrapInTwoRuns(t, n, switched, added)
	wantAllReadable(t, "rewrapped", n, added, switched, after)
	for id, revision := range revisionsOf(t, after) {
		grown := revision - revisions[id]
		if grown != 1 && id != "new" || grown != 0 && id == "new" {
			t.Errorf("%s went from revision %d to %d", id, revisions[id], revision)
		}
	}
	// The reads above revealed secrets. A rewrap itself makes no event.
	for _, e := range r.Events(t)[events:] {
		if e.Type != event.Revealed {
			t.Fatalf("the rewrap made an event %s", e.Type)
		}
	}

	if err := switched.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("k1 has no records, and cannot be retired: %v", err)
	}
	again, err := rewrap(t, switched)
	if err != nil || again.Rewrapped+again.Skipped+again.Failed != 0 || !again.Done() {
		t.Errorf("rewrap with nothing left: %+v, %v", again, err)
	}
}

// rewrapInTwoRuns rewraps n records of k1, the first 20 in a run of their own, and checks
// both reports. One record is under k2 already.
func rewrapInTwoRuns(t *testing.T, n int, host, other *installation.Service) {
	t.Helper()
	count := int64(n)
	var seen []int
	report, err := host.Rewrap(t.Context(), installation.RewrapRequest{
		Limit:    20,
		Progress: func(p installation.RewrapReport) { seen = append(seen, p.Rewrapped) },
	})
	want := installation.RewrapReport{
		Before: keyCounts("k2", count, 1), After: keyCounts("k2", count-20, 21), Rewrapped: 20,
	}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || report.Done() {
		t.Errorf("the first 20: %v\n%s", err, diff)
	}
	if len(seen) != 20 || seen[0] != 1 || seen[19] != 20 {
		t.Errorf("progress %v, want 1 to 20", seen)
	}
	wantAllReadable(t, "rewrapped in part", n, other, host)

	report, err = rewrap(t, host)
	want = installation.RewrapReport{
		Before: keyCounts("k2", count-20, 21), After: keyCounts("k2", 0, count+1),
		Rewrapped: n - 20,
	}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || !report.Done() {
		t.Errorf("the rest: %v\n%s", err, diff)
	}
}

// CanRetire and Rewrap reject bad arguments and callers other than the host.
func TestInvariant17RetireAndRewrapRejectBadCalls(t *testing.T) {
	r := fixture.NewWorld(t)
	host := r.With(t, r.K2, r.K1)
	err := host.CanRetire(t.Context(), "k2")
	fixture.WantErr(t, "retire the primary", err, installation.ErrKeyInUse)
	err = host.CanRetire(t.Context(), "k1 ")
	fixture.WantErr(t, "retire a mistyped id", err, installation.ErrUnknownKey)
	err = r.Vendor.CanRetire(t.Context(), "k1")
	fixture.WantErr(t, "retire as a vendor", err, installation.ErrForbidden)
	_, err = rewrap(t, r.Vendor)
	fixture.WantErr(t, "rewrap as a vendor", err, installation.ErrForbidden)
	_, err = host.Rewrap(t.Context(), installation.RewrapRequest{Limit: -1})
	fixture.WantErr(t, "a negative limit", err, installation.ErrInvalid)
}

// revisionsOf returns the revisions of all installations of the tenant.
func revisionsOf(t testing.TB, host *installation.Service) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for i, err := range host.All(t.Context(), installation.ListRequest{}) {
		if err != nil || i.Err != nil {
			t.Fatalf("list: %v, %v", err, i.Err)
		}
		out[i.ID] = i.Revision
	}
	return out
}

// A rewrap keeps the data key of a record, which seals the first answer to an idempotency
// key. The outcome stays under the old key-encryption key, so the ring needs that key until
// the outcome expires.
func TestRewrapKeepsAnswers(t *testing.T) {
	r := fixture.NewWorld(t)
	guard := installation.Guard{IdempotencyKey: "retry-1"}
	invite := installation.InviteRequest{
		Guard: guard, ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension},
	}
	first, err := r.Host.Invite(t.Context(), invite)
	if err != nil {
		t.Fatal(err)
	}
	host := r.With(t, r.K2, r.K1)
	if report, err := rewrap(t, host); err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	again, err := host.Invite(t.Context(), invite)
	if err != nil || !again.Replayed || !again.Code.Equal(first.Code) ||
		again.Revision != first.Revision {
		t.Errorf("the retry did not get the first answer: %+v, %v", again, err)
	}
	invite.Message = "other"
	_, err = host.Invite(t.Context(), invite)
	fixture.WantErr(t, "another request with the key", err, installation.ErrIdempotencyMismatch)
	_, err = r.With(t, r.K2).Invite(t.Context(), invite)
	fixture.WantErr(t, "a process without the old key", err, installation.ErrUnknownKey)
	accept := installation.AcceptRequest{
		ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"},
	}
	_, err = r.Customer.Accept(t.Context(), accept)
	fixture.WantErr(t, "a process without the new key", err, installation.ErrUnknownKey)
	customer := r.With(t, r.K2).As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	if _, err := customer.Accept(t.Context(), accept); err != nil {
		t.Errorf("the code is not accepted: %v", err)
	}
	// Once the outcome has expired, nothing needs the old key.
	r.Advance(25 * time.Hour)
	_, err = r.With(t, r.K2).Invite(t.Context(), invite)
	fixture.WantErr(t, "without the old key, after expiry", err, installation.ErrConflict)
}

// A rewrap reports a damaged record and goes on. The key of that record cannot be retired.
func TestRewrapReportsDamagedRecord(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	key := installation.Key{Tenant: "tenant-1", ID: "i-2"}
	record, err := r.Store.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body := record.Body.Bytes()
	body[len(body)-1] ^= 1
	put := func(b []byte) {
		t.Helper()
		record.Body = installation.BodyFromBytes(b)
		c := installation.Change{
			Op: [16]byte{b[len(b)-1], 1}, Now: r.Now(), Key: key, If: record.Revision,
		}
		record.Revision++
		c.Record = record
		if _, err := r.Store.Store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	put(body)
	host := r.With(t, r.K2, r.K1)
	report, err := rewrap(t, host)
	want := installation.RewrapReport{
		Before: keyCounts("k2", 5, 0), After: keyCounts("k2", 1, 4), Rewrapped: 4, Failed: 1,
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	fixture.WantErr(t, "report", err, installation.ErrSealed)
	if !strings.Contains(err.Error(), `"i-2" of tenant "tenant-1"`) {
		t.Errorf("the error does not name the record: %v", err)
	}
	fixture.WantErr(t, "retire k1", host.CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)

	// A body that cannot be read may need any key, whatever the index says.
	dropKeyTerms(record)
	put([]byte{99, 1})
	err = host.CanRetire(t.Context(), "k1")
	fixture.WantErr(t, "retire k1", err, installation.ErrSealed)
	if errors.Is(err, installation.ErrKeyInUse) {
		t.Errorf("an unreadable record was counted: %v", err)
	}
	if _, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "i-2"}); err != nil {
		t.Fatal(err)
	}
	if err := host.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("without the damaged record: %v", err)
	}
}

// A record that was uninstalled without its key is rewrapped unchanged.
func TestRewrapOfRecordEndedWithoutKey(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "i")
	end := installation.UninstallRequest{ID: "i"}
	if _, err := r.With(t, r.K2).Uninstall(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	before, err := r.With(t, r.K1).Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	report, err := rewrap(t, r.With(t, r.K2, r.K1))
	if err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	after, err := r.With(t, r.K2).Get(t.Context(), "i")
	before.Revision++
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	fixture.WantReadable(t, r.With(t, r.K2), "i")
}

// CanRetire finds the key of a record in its body when the index does not name it.
func TestCanRetireReadsBodies(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	key := installation.Key{Tenant: "tenant-1", ID: "i-0"}
	record, err := r.Store.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	dropKeyTerms(record)
	record.Revision++
	if _, err := r.Store.Store.Commit(t.Context(), installation.Change{
		Op: [16]byte{1}, Now: r.Now(), Key: key, If: 1, Record: record,
	}); err != nil {
		t.Fatal(err)
	}
	err = r.With(t, r.K2, r.K1).CanRetire(t.Context(), "k1")
	fixture.WantErr(t, "retire", err, installation.ErrKeyInUse)
}
