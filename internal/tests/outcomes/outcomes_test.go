// Package outcomes checks what a request with an idempotency key returns when it is sent again,
// and that nobody with access to the store can forge that.
package outcomes

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
)

var guard = installation.Guard{IdempotencyKey: "once"}

// invitation is a request whose first answer contains a code.
func invitation(id string) installation.InviteRequest {
	parts := installation.Parts{Extension: fixture.Parts().Extension}
	return installation.InviteRequest{
		Guard: guard, ID: id, Parts: parts, Message: "Join the pilot",
	}
}

// event is something that happens to an invitation "i" after its first answer.
type event struct {
	name  string
	do    func(t *testing.T, w *fixture.World) error
	keeps bool // the data key, and with it the first answer and its code
}

func events() []event {
	return []event{
		{"nothing", func(*testing.T, *fixture.World) error { return nil }, true},
		{"patched", func(t *testing.T, w *fixture.World) error {
			parts := installation.Parts{Name: installation.Value("later")}
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
			return err
		}, true},
		{"resent", func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Resend(t.Context(), installation.ResendRequest{ID: "i"})
			return err
		}, true},
		{"expired", func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Expire(t.Context(), installation.ExpireRequest{ID: "i"})
			return err
		}, true},
		{"uninstalled", func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
			return err
		}, true},
		{"rekeyed", func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
			return err
		}, false},
		{"purged", func(t *testing.T, w *fixture.World) error {
			req := installation.UninstallRequest{ID: "i", Final: true}
			_, err := w.Host.Uninstall(t.Context(), req)
			return err
		}, false},
		{"purged without the key", func(t *testing.T, w *fixture.World) error {
			req := installation.UninstallRequest{ID: "i", Final: true}
			_, err := w.With(t, w.K2).Uninstall(t.Context(), req)
			return err
		}, false},
		{"deleted", func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
			return err
		}, false},
		{"invited again", func(t *testing.T, w *fixture.World) error {
			req := installation.UninstallRequest{ID: "i"}
			if _, err := w.Host.Uninstall(t.Context(), req); err != nil {
				return err
			}
			w.Invite(t, "i")
			return nil
		}, false},
		{"deleted and invited again", func(t *testing.T, w *fixture.World) error {
			req := installation.DeleteRequest{ID: "i"}
			if _, err := w.Host.Delete(t.Context(), req); err != nil {
				return err
			}
			w.Invite(t, "i")
			return nil
		}, false},
	}
}

// The first answer with its code is returned while the record has the same data key. After that
// it is the present state, without the code.
func TestReplayReturnsCodeUntilDataKeyIsGone(t *testing.T) {
	for _, e := range events() {
		t.Run(e.name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			first, err := w.Host.Invite(t.Context(), invitation("i"))
			if err != nil {
				t.Fatal(err)
			}
			w.Advance(time.Minute)
			if err := e.do(t, w); err != nil {
				t.Fatal(err)
			}
			present, _ := w.Host.Get(t.Context(), "i") // nil if it is deleted
			commits := len(w.Store.History(fixture.KeyAt("i")))
			again, err := w.Host.Invite(t.Context(), invitation("i"))
			if err != nil || !again.Replayed || !again.Created || !again.Changed {
				t.Fatalf("sent again: %+v, %v", again, err)
			}
			if len(w.Store.History(fixture.KeyAt("i"))) != commits {
				t.Error("a retry wrote")
			}
			if e.keeps {
				if again.Revision != first.Revision || !again.Code.Equal(first.Code) ||
					!again.AcceptURL.Equal(first.AcceptURL) {
					t.Errorf("not the first answer: %+v", again)
				}
				return
			}
			if !again.Code.IsZero() || !again.AcceptURL.IsZero() {
				t.Error("a code is returned that the record no longer keeps")
			}
			want := present
			if want == nil {
				want = &installation.Installation{
					ID: "i", Tenant: fixture.Tenant, Revision: first.Revision, Generation: 1,
				}
			}
			if d := fixture.Diff(want, again.Installation); d != "" {
				t.Errorf("not the present state (-want +got):\n%s", d)
			}
		})
	}
}

// Another request with the same key is a mismatch, whatever happened to the record meanwhile.
func TestMismatchIsFoundWhateverHappened(t *testing.T) {
	for _, e := range events() {
		t.Run(e.name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Host.Invite(t.Context(), invitation("i")); err != nil {
				t.Fatal(err)
			}
			if err := e.do(t, w); err != nil {
				t.Fatal(err)
			}
			changes := len(w.Store.History(fixture.KeyAt("i")))
			message, id := invitation("i"), invitation("j")
			message.Message = "other"
			_, err := w.Host.Invite(t.Context(), message)
			fixture.WantErr(t, "other message", err, installation.ErrIdempotencyMismatch)
			_, err = w.Host.Invite(t.Context(), id)
			fixture.WantErr(t, "other id", err, installation.ErrIdempotencyMismatch)
			_, err = w.Host.Delete(t.Context(), installation.DeleteRequest{Guard: guard, ID: "i"})
			fixture.WantErr(t, "other method", err, installation.ErrIdempotencyMismatch)
			parts := fixture.Parts()
			_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
				Guard: guard, ID: "i", Parts: parts,
			})
			fixture.WantErr(t, "other request", err, installation.ErrIdempotencyMismatch)
			if len(w.Store.History(fixture.KeyAt("i"))) != changes {
				t.Error("a rejected request wrote")
			}
		})
	}
}

// A replay returns the code only to an actor who may still invite.
func TestReplayReturnsCodeOnlyToWhoMayInvite(t *testing.T) {
	denied := installation.Action("")
	w := fixture.NewWorld(t, fixture.OwnedBy("ACC-vendor"), func(o *installation.Options) {
		o.Policy = func(
			a installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			return do != denied && installation.DefaultPolicy(a, do, i)
		}
	})
	first, err := w.Vendor.Invite(t.Context(), invitation("i"))
	if err != nil || first.Code.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.Vendor.Invite(t.Context(), invitation("i"))
	if err != nil || !again.Code.Equal(first.Code) {
		t.Errorf("who may invite: %+v, %v", again, err)
	}
	// A retry that the policy rejects before anything is looked up is no answer at all.
	denied = installation.ActionInvite
	again, err = w.Vendor.Invite(t.Context(), invitation("i"))
	if err == nil && (!again.Code.IsZero() || !again.AcceptURL.IsZero()) {
		t.Error("who may no longer invite is returned the code")
	}
	if err != nil && !errors.Is(err, installation.ErrForbidden) {
		t.Errorf("who may no longer invite: %v", err)
	}
	denied = installation.ActionSee
	again, err = w.Vendor.Invite(t.Context(), invitation("i"))
	if err == nil && (again.Extension.ID != "" || !again.Code.IsZero()) {
		t.Errorf("who may not see it is returned %+v", again.Installation)
	}
}

// upsert writes "i" with an idempotency key.
func upsert(t *testing.T, host *installation.Service, key string) *installation.Result {
	t.Helper()
	req := installation.UpsertRequest{ID: "i", Parts: fixture.Parts()}
	req.IdempotencyKey = key
	res, err := host.Upsert(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// lastOutcome returns the outcome of the last change.
func lastOutcome(t *testing.T, w *fixture.World) *record.Outcome {
	t.Helper()
	all := w.Store.Changes()
	o, err := record.DecodeOutcome(all[len(all)-1].Idempotency.Data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A process makes one outcome key per day, whose number is the day.
func TestProcessMakesOneOutcomeKeyPerDay(t *testing.T) {
	w := fixture.NewWorld(t)
	keys := &fixture.KeyRecorder{KeyWrapper: fixture.Ring(t)}
	host := w.On(t, w.Store, keys)
	start := w.Now()
	for day := range 3 {
		var wrapped string
		for n, key := range []string{"a", "b", "c"} {
			w.Set(start.AddDate(0, 0, day).Add(time.Duration(n) * time.Hour))
			upsert(t, host, key+w.Now().String())
			o := lastOutcome(t, w)
			if wrapped == "" {
				wrapped = string(o.Key.Bytes)
			}
			if string(o.Key.Bytes) != wrapped || o.Key.KeyID != "k1" {
				t.Errorf("day %d: the second outcome carries another key", day)
			}
			k, err := keys.KeyWrapper.Unwrap(t.Context(), o.Key, crypto.Binding{})
			if err != nil {
				t.Fatal(err)
			}
			if want := uint32(w.Now().Unix()/86400) + 1; k.Number() != want {
				t.Errorf("day %d: number %d, want %d", day, k.Number(), want)
			}
		}
		if n := len(keys.OutcomeKeys()); n != day+1 {
			t.Errorf("%d outcome keys were wrapped up to day %d, want %d", n, day, day+1)
		}
	}
}

// Each outcome carries its key, so every other process opens it, and the same process opens it
// on the next day.
func TestEveryProcessOpensAnOutcome(t *testing.T) {
	w := fixture.NewWorld(t)
	host := w.On(t, w.Store, fixture.Ring(t))
	first := upsert(t, host, "shared")
	for name, other := range map[string]*installation.Service{
		"another process": w.With(t, w.K1), "after a rotation": w.With(t, w.K2, w.K1),
	} {
		if got := upsert(t, other, "shared"); !got.Replayed || got.Revision != first.Revision {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w.Advance(20 * time.Hour) // the next day, before the outcome expires
	if got := upsert(t, host, "shared"); !got.Replayed {
		t.Errorf("the next day: %+v", got)
	}
}

// A key service may hang. A request whose deadline has passed returns, even if another request
// still waits.
func TestHangingKeyServiceBlocksNobodyElse(t *testing.T) {
	fixture.InBubble(t, hangingKeyServiceBlocksNobodyElse)
}

func hangingKeyServiceBlocksNobodyElse(t *testing.T) {
	w := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	keys := fixture.NewKeySet(t, service.Key(t, "kms1", crypto.KMSOptions{Timeout: time.Minute}))
	host := w.On(t, w.Store, keys)
	w.Add(t, host, "a")
	w.Add(t, host, "b")
	service.Calls.Store(0)
	service.Hangs.Store(true)
	slow, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = host.Delete(slow, installation.DeleteRequest{Guard: guard, ID: "a"})
	}()
	synctest.Wait()
	if service.Calls.Load() == 0 {
		t.Fatal("the key service was not called")
	}
	fast, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	began := time.Now()
	_, err := host.Delete(fast, installation.DeleteRequest{Guard: guard, ID: "b"})
	if took := time.Since(began); err == nil || took > time.Second { // in fake time
		t.Errorf("%v after %v", err, took)
	}
	cancel()
	<-done
}
