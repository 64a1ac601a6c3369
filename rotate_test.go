package installation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

// rotation is a world whose keys can be exchanged: each service made from it is another process on the same store.
type rotation struct {
	*world
	k1, k2 crypto.Key
}

func newRotation(t testing.TB) *rotation {
	t.Helper()
	r := &rotation{world: newWorld(t)}
	r.k1 = rotationKey(t, "k1", "0123456789abcdef0123456789abcdef") // that of testRing
	r.k2 = rotationKey(t, "k2", "fedcba9876543210fedcba9876543210")
	return r
}

func rotationKey(t testing.TB, id, secret string) crypto.Key {
	t.Helper()
	k, err := crypto.NewKey(id, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// on is the host on a store with these keys, in the tenant of the world.
func (r *rotation) on(t testing.TB, store installation.Store, keys crypto.KeyWrapper) *installation.Service {
	t.Helper()
	svc, err := installation.New(store, keys, &installation.Options{Now: r.Now})
	if err != nil {
		t.Fatal(err)
	}
	return svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
}

// with is the host of a process with these keys.
func (r *rotation) with(t testing.TB, primary crypto.Key, others ...crypto.Key) *installation.Service {
	t.Helper()
	return r.on(t, r.store, testRingOf(t, primary, others...))
}

// fill makes n installations, each with a secret that names it and an account of its own.
func (r *rotation) fill(t testing.TB, host *installation.Service, n int) {
	t.Helper()
	for i := range n {
		r.add(t, host, fmt.Sprintf("i-%d", i))
	}
}

func (r *rotation) add(t testing.TB, host *installation.Service, id string) {
	t.Helper()
	_, err := host.Upsert(t.Context(), installation.UpsertRequest{ID: id, Parts: installation.Parts{
		Extension:     sample().Extension,
		Account:       installation.Value(installation.Account{ID: "ACC-" + id}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"secret":"of ` + id + `","n":0}`)}),
	}})
	if err != nil {
		t.Fatalf("add %s: %v", id, err)
	}
}

// opens checks that a process reads an installation that fill made, and its secret.
func opens(t testing.TB, host *installation.Service, id string) {
	t.Helper()
	if _, err := host.Get(context.Background(), id); err != nil {
		t.Errorf("get %s: %v", id, err)
		return
	}
	answers, err := host.Reveal(context.Background(), installation.RevealRequest{
		ID: id, Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/secret"}}, Reason: "test",
	})
	if err != nil || answers[0].Err != nil || answers[0].Value.RevealString() != "of "+id {
		t.Errorf("reveal %s: %v, %+v", id, err, answers)
	}
}

// counts are KeyCounts of k1 and k2.
func counts(primary string, k1, k2 int64) []installation.KeyCount {
	return []installation.KeyCount{{ID: "k1", Primary: primary == "k1", Records: k1}, {ID: "k2", Primary: primary == "k2", Records: k2}}
}

// Rotation proves itself: the new key is readable everywhere first, then primary; a sweep brings what is there under it; a key in use
// cannot be retired.
func TestInvariant17Rotation(t *testing.T) {
	const n = 120 // more than a page
	r := newRotation(t)
	primary, _ := errors.AsType[*installation.KeyInUseError](r.with(t, r.k1).CanRetire(t.Context(), "k1"))
	if primary == nil || !primary.Primary {
		t.Errorf("the primary may be retired as long as nothing is stored: %+v", primary)
	}
	before, added := r.with(t, r.k1), r.with(t, r.k1, r.k2)
	switched, after := r.with(t, r.k2, r.k1), r.with(t, r.k2)
	r.fill(t, before, n)
	all := func(what string, processes ...*installation.Service) {
		t.Helper()
		for i := range n {
			for _, p := range processes {
				opens(t, p, fmt.Sprintf("i-%d", i))
			}
		}
		if t.Failed() {
			t.Fatal(what)
		}
	}
	all("added", before, added)

	r.add(t, switched, "new")
	all("switched", added, switched)
	opens(t, added, "new")
	_, err := before.Get(t.Context(), "new")
	wantErr(t, "a process that was not given the new key", err, installation.ErrUnknownKey)
	for _, p := range []*installation.Service{added, switched} {
		err := p.CanRetire(t.Context(), "k1")
		wantErr(t, "retire k1 before the sweep", err, installation.ErrKeyInUse)
	}
	inUse, _ := errors.AsType[*installation.KeyInUseError](switched.CanRetire(t.Context(), "k1"))
	if inUse == nil || inUse.KeyID != "k1" || inUse.Records != n || inUse.Primary {
		t.Errorf("k1 is in use: %+v, want by %d records", inUse, n)
	}

	events, revisions := len(r.events(t)), r.revisions(t, switched)
	var seen []int
	report, err := switched.Rewrap(t.Context(), installation.RewrapRequest{Limit: 20, Progress: func(p installation.RewrapReport) {
		seen = append(seen, p.Rewrapped)
	}})
	want := installation.RewrapReport{Before: counts("k2", n, 1), After: counts("k2", n-20, 21), Rewrapped: 20}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || report.Done() {
		t.Errorf("limited: %v\n%s", err, diff)
	}
	if len(seen) != 20 || seen[0] != 1 || seen[19] != 20 {
		t.Errorf("progress %v, want 1 to 20", seen)
	}
	all("under way", added, switched)
	report, err = switched.Rewrap(t.Context(), installation.RewrapRequest{})
	want = installation.RewrapReport{Before: counts("k2", n-20, 21), After: counts("k2", 0, n+1), Rewrapped: n - 20}
	if diff := cmp.Diff(want, report); diff != "" || err != nil || !report.Done() {
		t.Errorf("the rest: %v\n%s", err, diff)
	}
	all("rewrapped", added, switched, after)
	for id, revision := range r.revisions(t, after) {
		if grown := revision - revisions[id]; grown != 1 && id != "new" || grown != 0 && id == "new" {
			t.Errorf("%s went from revision %d to %d", id, revisions[id], revision)
		}
	}
	// all revealed secrets, and each reveal is an event; nothing else may be one.
	for _, e := range r.events(t)[events:] {
		if e.Type != installation.EventRevealed {
			t.Fatalf("rewrapping told of %s", e.Type)
		}
	}

	if err := switched.CanRetire(t.Context(), "k1"); err != nil {
		t.Errorf("k1 is not needed any more, yet %v", err)
	}
	wantErr(t, "retire the primary", switched.CanRetire(t.Context(), "k2"), installation.ErrKeyInUse)
	wantErr(t, "retire an id that is mistyped", switched.CanRetire(t.Context(), "k1 "), installation.ErrUnknownKey)
	wantErr(t, "retire as a vendor", r.vendor.CanRetire(t.Context(), "k1"), installation.ErrForbidden)
	_, err = r.vendor.Rewrap(t.Context(), installation.RewrapRequest{})
	wantErr(t, "rewrap as a vendor", err, installation.ErrForbidden)
	_, err = switched.Rewrap(t.Context(), installation.RewrapRequest{Limit: -1})
	wantErr(t, "a negative limit", err, installation.ErrInvalid)
	again, err := switched.Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || again.Rewrapped+again.Skipped+again.Failed != 0 || !again.Done() {
		t.Errorf("nothing is left, yet %+v, %v", again, err)
	}
}

// revisions are those of all installations of the tenant.
func (r *rotation) revisions(t testing.TB, host *installation.Service) map[string]int64 {
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

// The answers that idempotency keys stand for are sealed under data keys, so they outlive the key that wrapped these.
func TestRewrapKeepsAnswers(t *testing.T) {
	r := newRotation(t)
	guard := installation.Guard{IdempotencyKey: "retry-1"}
	invite := installation.InviteRequest{Guard: guard, ID: "i", Parts: installation.Parts{Extension: sample().Extension}}
	first, err := r.host.Invite(t.Context(), invite)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.with(t, r.k2, r.k1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	host := r.with(t, r.k2)
	again, err := host.Invite(t.Context(), invite)
	if err != nil || !again.Replayed || !again.Code.Equal(first.Code) || again.Revision != first.Revision {
		t.Errorf("the first answer is not given again: %+v, %v", again, err)
	}
	invite.Message = "other"
	_, err = host.Invite(t.Context(), invite)
	wantErr(t, "another request with the key", err, installation.ErrIdempotencyMismatch)
	_, err = r.customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}})
	wantErr(t, "a process without the new key", err, installation.ErrUnknownKey)
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	if _, err := customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: first.Code, Account: installation.Account{ID: "ACC-1"}}); err != nil {
		t.Errorf("the code does not open any more: %v", err)
	}
}

// One bad record stops nothing, is reported, and keeps its key from being retired.
func TestRewrapBadRecord(t *testing.T) {
	r := newRotation(t)
	r.fill(t, r.with(t, r.k1), 5)
	key := installation.Key{Tenant: "tenant-1", ID: "i-2"}
	record, err := r.store.Store.Get(t.Context(), key)
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
		if _, err := r.store.Store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	put(body)
	host := r.with(t, r.k2, r.k1)
	report, err := host.Rewrap(t.Context(), installation.RewrapRequest{})
	want := installation.RewrapReport{Before: counts("k2", 5, 0), After: counts("k2", 1, 4), Rewrapped: 4, Failed: 1}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if wantErr(t, "report", err, installation.ErrSealed); !strings.Contains(err.Error(), `"i-2" of tenant "tenant-1"`) {
		t.Errorf("the error does not name the record: %v", err)
	}
	wantErr(t, "retire k1", host.CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)

	// A body that cannot be read might need any key, whatever it is listed under.
	record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	put([]byte{99, 1})
	err = host.CanRetire(t.Context(), "k1")
	if wantErr(t, "retire k1", err, installation.ErrSealed); errors.Is(err, installation.ErrKeyInUse) {
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
	r := newRotation(t)
	r.add(t, r.with(t, r.k1), "i")
	if _, err := r.with(t, r.k2).Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	before, err := r.with(t, r.k1).Get(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.with(t, r.k2, r.k1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	after, err := r.with(t, r.k2).Get(t.Context(), "i")
	before.Revision++
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	opens(t, r.with(t, r.k2), "i")
}

// A record that lost its place in the index is found in its body.
func TestCanRetireReadsBodies(t *testing.T) {
	r := newRotation(t)
	r.fill(t, r.with(t, r.k1), 1)
	key := installation.Key{Tenant: "tenant-1", ID: "i-0"}
	record, err := r.store.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	record.Index = slices.DeleteFunc(record.Index, func(term string) bool { return strings.HasPrefix(term, "@kek=") })
	record.Revision++
	if _, err := r.store.Store.Commit(t.Context(), installation.Change{Op: [16]byte{1}, Now: r.Now(), Key: key, If: 1, Record: record}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "retire", r.with(t, r.k2, r.k1).CanRetire(t.Context(), "k1"), installation.ErrKeyInUse)
}

// Rekey seals everything anew under a new data key, in one commit, and changes nothing else.
func TestRekey(t *testing.T) {
	w := newWorld(t)
	guard := installation.Guard{IdempotencyKey: "before"}
	first, err := w.host.Upsert(t.Context(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: sample()})
	if err != nil {
		t.Fatal(err)
	}
	key := installation.Key{Tenant: "tenant-1", ID: "i"}
	old := w.store.commits[0].Record.Body.Bytes()
	commits := len(w.store.commits)
	res, err := w.host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Reason: "laptop lost"})
	if err != nil || !res.Changed || res.Revision != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	if n := len(w.store.commits) - commits; n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	want := *first.Installation
	want.Revision, want.Audit.Updated = 2, res.Audit.Updated
	if diff := cmp.Diff(&want, w.get(t, "i")); diff != "" {
		t.Errorf("rekeying changed something (-before +after):\n%s", diff)
	}
	if len(first.Sealed) != 4 {
		t.Fatalf("the sample has %d secrets, want 4", len(first.Sealed))
	}
	for _, ref := range first.Sealed {
		if got := w.reveal(t, "i", ref); got == "" {
			t.Errorf("%s is lost", ref)
		}
	}
	if got := w.reveal(t, "i", first.Sealed[0]); got != "s3cr3t-config" {
		t.Errorf("%s is now %q", first.Sealed[0], got)
	}
	record, err := w.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	// No run of 16 sealed bytes is left: neither a value, nor the manifest, nor the wrapped key.
	now := record.Body.Bytes()
	shared := 0
	for i := 0; i+16 <= len(old); i++ {
		if bytes.Contains(now, old[i:i+16]) && !printable(old[i:i+16]) {
			shared++
		}
	}
	if shared > 16 { // the encoding around them may be alike
		t.Errorf("%d places of the old body are in the new one", shared)
	}
	last := w.events(t)[1]
	if last.Type != installation.EventRekeyed || last.Reason != "laptop lost" || last.Revision != 2 {
		t.Errorf("event %+v", last)
	}

	// The answer from before is not readable any more: the request is not carried out again, and gets what there is.
	parts := sample()
	parts.Name = installation.Value("other")
	again, err := w.host.Upsert(t.Context(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: parts})
	if err != nil || !again.Replayed || again.Revision != 2 || again.Name != "Stock Sync" {
		t.Errorf("a request from before: %+v, %v", again, err)
	}

	guard = installation.Guard{IdempotencyKey: "rekey", Revision: 2}
	for range 2 {
		if res, err = w.host.Rekey(t.Context(), installation.RekeyRequest{Guard: guard, ID: "i"}); err != nil || res.Revision != 3 {
			t.Errorf("guarded: %+v, %v", res, err)
		}
	}
	if !res.Replayed {
		t.Error("the second try is not marked Replayed")
	}
	_, err = w.vendor.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
	wantErr(t, "by a vendor", err, installation.ErrForbidden)
	_, err = w.host.Rekey(t.Context(), installation.RekeyRequest{ID: "none"})
	wantErr(t, "of none", err, installation.ErrNotFound)
	_, err = w.host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Guard: installation.Guard{Revision: 1}})
	wantErr(t, "of an older revision", err, installation.ErrConflict)
}

// printable reports whether b is text that a body holds in plain.
func printable(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x7f })
}
