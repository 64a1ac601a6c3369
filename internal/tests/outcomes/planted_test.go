package outcomes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
)

type (
	service = installation.Service
	result  = installation.Result
)

// keyed is a method that takes an idempotency key. call changes the installation "i" of a status.
type keyed struct {
	status installation.Status
	call   func(c context.Context, s *service, w *keyedWorld) (*result, error)
}

var keyedMethods = map[string]keyed{
	"Upsert": {"", func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Upsert(c, installation.UpsertRequest{
			Guard: w.guard, ID: "i", Parts: fixture.Parts(),
		})
	}},
	"Patch": {installed, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		parts := installation.Parts{Name: installation.Value("n")}
		return s.Patch(c, installation.PatchRequest{Guard: w.guard, ID: "i", Parts: parts})
	}},
	"Invite": {"", func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		req := invitation("i")
		req.Guard = w.guard
		return s.Invite(c, req)
	}},
	"Resend": {invited, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Resend(c, installation.ResendRequest{Guard: w.guard, ID: "i"})
	}},
	"Accept": {invited, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Accept(c, installation.AcceptRequest{
			Guard: w.guard, ID: "i", Code: w.code, Account: installation.Account{ID: "ACC-1"},
		})
	}},
	"Expire": {invited, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Expire(c, installation.ExpireRequest{Guard: w.guard, ID: "i"})
	}},
	"Uninstall": {installed, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Uninstall(c, installation.UninstallRequest{Guard: w.guard, ID: "i"})
	}},
	"Final": {installed, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Uninstall(c, installation.UninstallRequest{Guard: w.guard, ID: "i", Final: true})
	}},
	"Delete": {installed, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Delete(c, installation.DeleteRequest{Guard: w.guard, ID: "i"})
	}},
	"Rekey": {installed, func(c context.Context, s *service, w *keyedWorld) (*result, error) {
		return s.Rekey(c, installation.RekeyRequest{Guard: w.guard, ID: "i"})
	}},
}

const (
	installed = installation.StatusInstalled
	invited   = installation.StatusInvited
)

// keyedWorld is a world with the installation "i" in the status of a keyed method. All such worlds
// have the same key-encryption key.
type keyedWorld struct {
	*fixture.World
	keyed
	guard installation.Guard
	code  crypto.Secret // of the invitation "i"
	actor installation.Actor
}

func newKeyedWorld(t *testing.T, method string) *keyedWorld {
	t.Helper()
	w := &keyedWorld{World: fixture.NewWorld(t), keyed: keyedMethods[method], guard: guard}
	w.actor = installation.Actor{Kind: installation.Host}
	if method == "Accept" {
		w.actor = installation.Actor{Kind: installation.Customer, ID: "ACC-1"}
	}
	if w.status == invited {
		w.code = w.Invite(t, "i").Code
	} else {
		w.MakeInStatus(t, w.status)
	}
	return w
}

// send makes the call as the actor of the world.
func (w *keyedWorld) send(t *testing.T) (*result, error) {
	t.Helper()
	return w.call(t.Context(), w.Service.As(w.actor), w)
}

// outcome makes the call and returns its outcome.
func (w *keyedWorld) outcome(t *testing.T) installation.Outcome {
	t.Helper()
	if res, err := w.send(t); err != nil || res.Replayed {
		t.Fatalf("the first call: %+v, %v", res, err)
	}
	all := w.Store.Changes()
	return *all[len(all)-1].Idempotency
}

// swallowsNothing puts an outcome into the store beneath, under the digest of the call. It fails
// the test unless the call then reports the outcome and changes nothing.
func (w *keyedWorld) swallowsNothing(
	t *testing.T, what string, tenant string, o installation.Outcome,
) {
	t.Helper()
	row := installation.Row{Tenant: tenant, Outcome: &o}
	if written, err := w.Store.Put(t.Context(), w.Now(), row); err != nil || !written {
		t.Fatalf("%s: planted: %v, %v", what, written, err)
	}
	before, _ := w.Host.Get(t.Context(), "i")
	events := len(w.Events(t))
	var res *result
	err := fixture.Call(t, what, func() (err error) {
		res, err = w.call(t.Context(), w.Service.In(tenant).As(w.actor), w)
		return err
	})
	if !errors.Is(err, installation.ErrSealed) && !errors.Is(err, installation.ErrUnknownKey) ||
		res != nil {
		t.Errorf("%s: got %+v, %v, want ErrSealed", what, res, err)
	}
	after, _ := w.Host.Get(t.Context(), "i")
	if (before == nil) != (after == nil) || before != nil && fixture.Diff(before, after) != "" ||
		len(w.Events(t)) != events {
		t.Errorf("%s: it changed something", what)
	}
}

// plantedData returns the data of outcomes that somebody without the keys can make.
func plantedData(t *testing.T) map[string][]byte {
	t.Helper()
	outcome := func(number byte, key crypto.Wrapped) []byte {
		sealed := append([]byte{2, 1, 0, 0, 0, number}, make([]byte, 24+64+16)...)
		return (&record.Outcome{Sealed: sealed, Key: key}).Append(nil)
	}
	wrapped := func(keyID string, number byte) crypto.Wrapped {
		header := []byte{2, 1, 1, 0, 0, 0, number}
		return crypto.Wrapped{KeyID: keyID, Bytes: append(header, make([]byte, 32+24+64+16)...)}
	}
	ring := fixture.RingWith(t, "k1", fixture.KEK) // of the attacker, under the same ID
	k, err := crypto.NewDataKey(1, ring.Suite())
	if err != nil {
		t.Fatal(err)
	}
	own, err := ring.Wrap(t.Context(), k, crypto.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	short := wrapped("k1", 1)
	short.Bytes = short.Bytes[:20]
	return map[string][]byte{
		"nothing": nil, "a version": {2}, "zeros": make([]byte, 200), "another version": {9, 1},
		"data key 0":                outcome(0, wrapped("k1", 0)),
		"data key 0 in a wrapped 1": outcome(0, wrapped("k1", 1)),
		"data key 1 in a wrapped 0": outcome(1, wrapped("k1", 0)),
		"a short wrapped key":       outcome(1, short),
		"an unknown key":            outcome(1, wrapped("k9", 1)),
		"a key of the attacker":     outcome(1, own),
	}
}

// Without the keys nobody can plant an outcome: each method reports it, and changes nothing.
func TestPlantedOutcomeIsNeverSuccess(t *testing.T) {
	for method := range keyedMethods {
		t.Run(method, func(t *testing.T) {
			digest := newKeyedWorld(t, method).outcome(t).Digest
			for what, data := range plantedData(t) {
				w := newKeyedWorld(t, method)
				w.swallowsNothing(t, what, fixture.Tenant, installation.Outcome{
					Digest: digest, Until: w.Now().Add(time.Hour), Data: data,
				})
			}
		})
	}
}

// A genuine outcome of the same method that was moved, to another user, idempotency key, tenant or
// time, is never success, and gives nobody the code in it.
func TestMovedOutcomeIsNeverSuccess(t *testing.T) {
	for method := range keyedMethods {
		t.Run(method, func(t *testing.T) {
			digest := newKeyedWorld(t, method).outcome(t).Digest
			for what, move := range map[string]func(w *keyedWorld){
				"from another user": func(w *keyedWorld) { w.actor.User.ID = "USR-9" },
				"from another key":  func(w *keyedWorld) { w.guard.IdempotencyKey = "another" },
			} {
				from := newKeyedWorld(t, method)
				move(from)
				o := from.outcome(t)
				if o.Digest == digest {
					t.Fatalf("%s: the digest is the same", what)
				}
				o.Digest = digest
				newKeyedWorld(t, method).swallowsNothing(t, what, fixture.Tenant, o)
			}
			o := newKeyedWorld(t, method).outcome(t)
			newKeyedWorld(t, method).swallowsNothing(t, "to another tenant", "tenant-2", o)
			o.Until = o.Until.Add(time.Hour)
			newKeyedWorld(t, method).swallowsNothing(t, "to a later time", fixture.Tenant, o)
		})
	}
}

// An outcome that should be forgotten by now is never success, even if the store still returns it
// for a commit.
func TestExpiredOutcomeIsNeverSuccess(t *testing.T) {
	for method := range keyedMethods {
		t.Run(method, func(t *testing.T) {
			w := newKeyedWorld(t, method)
			o := w.outcome(t)
			w.Set(o.Until)
			again := newKeyedWorld(t, method)
			again.Set(w.Now())
			late := again.On(t, &forger{Store: again.Store, outcome: &o}, fixture.Ring(t))
			res, err := w.call(t.Context(), late.As(w.actor), again)
			if err == nil || res != nil {
				t.Errorf("got %+v, %v, want an error", res, err)
			}
		})
	}
}
