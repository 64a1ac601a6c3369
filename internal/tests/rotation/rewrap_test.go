// Package rotation checks how keys are exchanged, and what happens while keys are wrong, slow or missing.
package rotation

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// keyCounts returns the KeyCounts of k1 and k2.
func keyCounts(primary string, k1, k2 int64) []installation.KeyCount {
	return []installation.KeyCount{{ID: "k1", Primary: primary == "k1", Records: k1}, {ID: "k2", Primary: primary == "k2", Records: k2}}
}

// Rotation proves itself: the new key is readable everywhere first, then primary; a sweep brings what is there under it; a key in use
// cannot be retired.
func TestInvariant17Rotation(t *testing.T) {
	const n = 120 // more than a page
	r := fixture.NewWorld(t)
	primary, _ := errors.AsType[*installation.KeyInUseError](r.With(t, r.K1).CanRetire(t.Context(), "k1"))
	if primary == nil || !primary.Primary {
		t.Errorf("the primary may be retired as long as nothing is stored: %+v", primary)
	}
	before, added := r.With(t, r.K1), r.With(t, r.K1, r.K2)
	switched, after := r.With(t, r.K2, r.K1), r.With(t, r.K2)
	r.Fill(t, before, n)
	all := func(what string, processes ...*installation.Service) {
		t.Helper()
		for i := range n {
			for _, p := range processes {
				fixture.WantReadable(t, p, fmt.Sprintf("i-%d", i))
			}
		}
		if t.Failed() {
			t.Fatal(what)
		}
	}
	all("added", before, added)

	r.Add(t, switched, "new")
	all("switched", added, switched)
	fixture.WantReadable(t, added, "new")
	_, err := before.Get(t.Context(), "new")
	fixture.WantErr(t, "a process that was not given the new key", err, installation.ErrUnknownKey)
	for _, p := range []*installation.Service{added, switched} {
		err := p.CanRetire(t.Context(), "k1")
		fixture.WantErr(t, "retire k1 before the sweep", err, installation.ErrKeyInUse)
	}
	inUse, _ := errors.AsType[*installation.KeyInUseError](switched.CanRetire(t.Context(), "k1"))
	if inUse == nil || inUse.KeyID != "k1" || inUse.Records != n || inUse.Primary {
		t.Errorf("k1 is in use: %+v, want by %d records", inUse, n)
	}

	events, revisions := len(r.Events(t)), revisionsOf(t, switched)
	var seen []int
	report, err := switched.Rewrap(t.Context(), installation.RewrapRequest{Limit: 20, Progress: func(p installation.RewrapReport) {
		seen = append(seen, p.Rewrapped)
	}})
	want := installation.RewrapReport{Before: keyCounts("k2", n, 1), After: keyCounts("k2", n-20, 21), Rewrapped: 20}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || report.Done() {
		t.Errorf("limited: %v\n%s", err, diff)
	}
	if len(seen) != 20 || seen[0] != 1 || seen[19] != 20 {
		t.Errorf("progress %v, want 1 to 20", seen)
	}
	all("under way", added, switched)
	report, err = switched.Rewrap(t.Context(), installation.RewrapRequest{})
	want = installation.RewrapReport{Before: keyCounts("k2", n-20, 21), After: keyCounts("k2", 0, n+1), Rewrapped: n - 20}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || !report.Done() {
		t.Errorf("the rest: %v\n%s", err, diff)
	}
	all("rewrapped", added, switched, after)
	for id, revision := range revisionsOf(t, after) {
		if grown := revision - revisions[id]; grown != 1 && id != "new" || grown != 0 && id == "new" {
			t.Errorf("%s went from revision %d to %d", id, revisions[id], revision)
		}
	}
	// all revealed secrets, and each reveal is an event; nothing else may be one.
	for _, e := range r.Events(t)[events:] {
		if e.Type != installation.EventRevealed {
			t.Fatalf("rewrapping told of %s", e.Type)
		}
	}

	if err := switched.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("k1 is not needed any more, yet %v", err)
	}
	fixture.WantErr(t, "retire the primary", switched.CanRetire(t.Context(), "k2"), installation.ErrKeyInUse)
	fixture.WantErr(t, "retire an id that is mistyped", switched.CanRetire(t.Context(), "k1 "), installation.ErrUnknownKey)
	fixture.WantErr(t, "retire as a vendor", r.Vendor.CanRetire(t.Context(), "k1"), installation.ErrForbidden)
	_, err = r.Vendor.Rewrap(t.Context(), installation.RewrapRequest{})
	fixture.WantErr(t, "rewrap as a vendor", err, installation.ErrForbidden)
	_, err = switched.Rewrap(t.Context(), installation.RewrapRequest{Limit: -1})
	fixture.WantErr(t, "a negative limit", err, installation.ErrInvalid)
	again, err := switched.Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || again.Rewrapped+again.Skipped+again.Failed != 0 || !again.Done() {
		t.Errorf("nothing is left, yet %+v, %v", again, err)
	}
}

// revisionsOf returns those of all installations of the tenant.
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

// The answers that idempotency keys stand for are sealed under the data key of their record, which a rewrap keeps. The outcomes around
// them stay under the key-encryption key of their time, so that must stay in the ring until they have expired.
func TestRewrapKeepsAnswers(t *testing.T) {
	r := fixture.NewWorld(t)
	guard := installation.Guard{IdempotencyKey: "retry-1"}
	invite := installation.InviteRequest{Guard: guard, ID: "i", Parts: installation.Parts{Extension: fixture.Parts().Extension}}
	first, err := r.Host.Invite(t.Context(), invite)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	host := r.With(t, r.K2, r.K1)
	again, err := host.Invite(t.Context(), invite)
	if err != nil || !again.Replayed || !again.Code.Equal(first.Code) || again.Revision != first.Revision {
		t.Errorf("the first answer is not given again: %+v, %v", again, err)
	}
	invite.Message = "other"
	_, err = host.Invite(t.Context(), invite)
	fixture.WantErr(t, "another request with the key", err, installation.ErrIdempotencyMismatch)
	_, err = r.With(t, r.K2).Invite(t.Context(), invite)
	fixture.WantErr(t, "a process without the old key", err, installation.ErrUnknownKey)
	_, err = r.Customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}})
	fixture.WantErr(t, "a process without the new key", err, installation.ErrUnknownKey)
	customer := r.With(t, r.K2).As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	if _, err := customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}}); err != nil {
		t.Errorf("the code does not open any more: %v", err)
	}
	// Once the outcome has expired, nothing needs the old key.
	r.Advance(25 * time.Hour)
	_, err = r.With(t, r.K2).Invite(t.Context(), invite)
	fixture.WantErr(t, "without the old key, after the outcome has expired", err, installation.ErrConflict)
}

// One bad record stops nothing, is reported, and keeps its key from being retired.
func TestRewrapBadRecord(t *testing.T) {
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
		c := installation.Change{Op: [16]byte{b[len(b)-1], 1}, Now: r.Now(), Key: key, If: record.Revision}
		record.Revision++
		c.Record = record
		if _, err := r.Store.Store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	put(body)
	host := r.With(t, r.K2, r.K1)
	report, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	want := installation.RewrapReport{Before: keyCounts("k2", 5, 0), After: keyCounts("k2", 1, 4), Rewrapped: 4, Failed: 1}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if fixture.WantErr(t, "report", err, installation.ErrSealed); !strings.Contains(err.Error(), `"i-2" of tenant "tenant-1"`) {
		t.Errorf("the error does not name the record: %v", err)
	}
	fixture.WantErr(t, "retire k1", host.CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)

	// A body that cannot be read might need any key, whatever it is listed under.
	record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	put([]byte{99, 1})
	err = host.CanRetire(t.Context(), "k1")
	if fixture.WantErr(t, "retire k1", err, installation.ErrSealed); errors.Is(err, installation.ErrKeyInUse) {
		t.Errorf("what could not be counted was counted: %v", err)
	}
	if _, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "i-2"}); err != nil {
		t.Fatal(err)
	}
	if err := host.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("after the bad record is gone: %v", err)
	}
}

// A record that ended while its key was not at hand is rewrapped as it stands.
func TestRewrapMovedWithoutKey(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Add(t, r.With(t, r.K1), "i")
	if _, err := r.With(t, r.K2).Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	before, err := r.With(t, r.K1).Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	after, err := r.With(t, r.K2).Get(t.Context(), "i")
	before.Revision++
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	fixture.WantReadable(t, r.With(t, r.K2), "i")
}

// A record that lost its place in the index is found in its body.
func TestCanRetireReadsBodies(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 1)
	key := installation.Key{Tenant: "tenant-1", ID: "i-0"}
	record, err := r.Store.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	record.Revision++
	if _, err := r.Store.Store.Commit(t.Context(), installation.Change{Op: [16]byte{1}, Now: r.Now(), Key: key, If: 1, Record: record}); err != nil {
		t.Fatal(err)
	}
	fixture.WantErr(t, "retire", r.With(t, r.K2, r.K1).CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)
}

// Rekey seals everything anew under a new data key, in one commit, and changes nothing else.
func TestRekey(t *testing.T) {
	w := fixture.NewWorld(t)
	guard := installation.Guard{IdempotencyKey: "before"}
	first, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: fixture.Parts()})
	if err != nil {
		t.Fatal(err)
	}
	key := installation.Key{Tenant: "tenant-1", ID: "i"}
	old := w.Store.Changes()[0].Record.Body.Bytes()
	commits := len(w.Store.Changes())
	res, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Reason: "laptop lost"})
	if err != nil || !res.Changed || res.Revision != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	if n := len(w.Store.Changes()) - commits; n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	want := *first.Installation
	want.Revision, want.Audit.Updated = 2, res.Audit.Updated
	if diff := cmp.Diff(&want, w.Get(t, "i")); diff != "" {
		t.Errorf("rekeying changed something (-before +after):\n%s", diff)
	}
	if len(first.Sealed) != 4 {
		t.Fatalf("the sample has %d secrets, want 4", len(first.Sealed))
	}
	for _, ref := range first.Sealed {
		if got := w.Reveal(t, "i", ref); got == "" {
			t.Errorf("%s is lost", ref)
		}
	}
	if got := w.Reveal(t, "i", first.Sealed[0]); got != "s3cr3t-config" {
		t.Errorf("%s is now %q", first.Sealed[0], got)
	}
	record, err := w.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	// No run of 16 sealed bytes is left: neither a value, nor the manifest, nor the wrapped key, except the key check value.
	now := record.Body.Bytes()
	check := fixture.DecodeBody(t, w.Store.Changes()[0].Record.Body).Key.Bytes[7:39]
	if !bytes.Contains(now, check) {
		t.Error("the check value of the same key-encryption key differs")
	}
	old = bytes.ReplaceAll(old, check, nil)
	shared := 0
	for i := 0; i+16 <= len(old); i++ {
		if bytes.Contains(now, old[i:i+16]) && !printable(old[i:i+16]) {
			shared++
		}
	}
	if shared > 16 { // the encoding around them may be alike
		t.Errorf("%d places of the old body are in the new one", shared)
	}
	last := w.Events(t)[1]
	if last.Type != installation.EventRekeyed || last.Reason != "laptop lost" || last.Revision != 2 {
		t.Errorf("event %+v", last)
	}

	// The answer from before is not readable any more: the request is not carried out again, and gets the present state. Another request
	// is told so.
	parts := fixture.Parts()
	again, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: parts})
	if err != nil || !again.Replayed || again.Revision != 2 || again.Name != "Stock Sync" {
		t.Errorf("a request from before: %+v, %v", again, err)
	}
	parts.Name = installation.Value("other")
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: parts})
	fixture.WantErr(t, "another request with the key", err, installation.ErrIdempotencyMismatch)

	guard = installation.Guard{IdempotencyKey: "rekey", Revision: 2}
	for range 2 {
		if res, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{Guard: guard, ID: "i"}); err != nil || res.Revision != 3 {
			t.Errorf("guarded: %+v, %v", res, err)
		}
	}
	if !res.Replayed {
		t.Error("the second try is not marked Replayed")
	}
	_, err = w.Vendor.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
	fixture.WantErr(t, "by a vendor", err, installation.ErrForbidden)
	_, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "none"})
	fixture.WantErr(t, "of none", err, installation.ErrNotFound)
	_, err = w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Guard: installation.Guard{Revision: 1}})
	fixture.WantErr(t, "of an older revision", err, installation.ErrConflict)
}

// printable reports whether b is text that a body holds in plain.
func printable(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x7f })
}
