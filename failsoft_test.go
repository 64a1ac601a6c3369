package installation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// softCase is one way in which a record can have become unreadable.
type softCase struct {
	name    string
	want    error
	unread  bool // not even the plain part of the body can be read
	breakIt func(t *testing.T, h *attackHarness, r *installation.Record)
}

func softCases() []softCase {
	edit := func(f func(t *testing.T, body map[any]any)) func(*testing.T, *attackHarness, *installation.Record) {
		return func(t *testing.T, _ *attackHarness, r *installation.Record) {
			body := tamperBody(t, r.Body)
			f(t, body)
			r.Body = tamperEncode(t, body)
		}
	}
	raw := func(f func(b []byte) []byte) func(*testing.T, *attackHarness, *installation.Record) {
		return func(_ *testing.T, _ *attackHarness, r *installation.Record) {
			r.Body = installation.BodyFromBytes(f(r.Body.Bytes()))
		}
	}
	return []softCase{
		{name: "unknown key", want: installation.ErrUnknownKey, breakIt: func(t *testing.T, h *attackHarness, r *installation.Record) {
			// Written by a node that has a key which this one has not got.
			other := h.service(attackRing(t, "k2", attackOtherKEK)).In(r.Key.Tenant).As(attackHost)
			id := r.Key.ID + "-k2"
			parts := attackParts("ACC-2", "s3cr3t")
			parts.Account = installation.Value(installation.Account{ID: "ACC-k2"})
			if _, err := other.Upsert(t.Context(), installation.UpsertRequest{ID: id, Parts: parts}); err != nil {
				t.Fatal(err)
			}
			k2 := tamperBody(t, h.store.stored(attackKey(id)).Body)
			if _, err := other.Delete(t.Context(), installation.DeleteRequest{ID: id}); err != nil {
				t.Fatal(err)
			}
			body := tamperBody(t, r.Body)
			body[bodyKeyID], body[bodyKey] = k2[bodyKeyID], k2[bodyKey]
			r.Body = tamperEncode(t, body)
		}},
		{name: "wrong key of the same name", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body map[any]any) {
			b := bytes.Clone(body[bodyKey].([]byte))
			b[40] ^= 1
			body[bodyKey] = b
		})},
		{name: "damaged manifest", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body map[any]any) {
			b := bytes.Clone(body[bodyManifest].([]byte))
			b[len(b)-1] ^= 1
			body[bodyManifest] = b
		})},
		{name: "lost secret", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body map[any]any) {
			body[bodyValues] = body[bodyValues].([]any)[1:]
		})},
		{name: "newer body version", want: crypto.ErrVersion, unread: true, breakIt: raw(func(b []byte) []byte { b[0] = 2; return b })},
		{name: "newer manifest version", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body map[any]any) {
			b := bytes.Clone(body[bodyManifest].([]byte))
			b[0] = 9
			body[bodyManifest] = b
		})},
		{name: "cut body", want: installation.ErrSealed, unread: true, breakIt: raw(func(b []byte) []byte { return b[:len(b)/2] })},
		{name: "zeroed body", want: installation.ErrSealed, unread: true, breakIt: raw(func(b []byte) []byte { return make([]byte, len(b)) })},
		{name: "empty body", want: installation.ErrSealed, unread: true, breakIt: raw(func([]byte) []byte { return nil })},
	}
}

// softWorld has three installations, the middle one of them broken; the rest of the file is about what still works.
func softWorld(t *testing.T, c softCase, status installation.Status) (*attackHarness, map[string]*installation.Installation) {
	t.Helper()
	ctx := t.Context()
	h := newAttack(t)
	good := make(map[string]*installation.Installation)
	for i, id := range []string{"EXI-1", "EXI-2", "EXI-3"} {
		h.pass(time.Second)
		if id == "EXI-2" && (status == installation.StatusInvited || status == installation.StatusExpired) {
			parts := attackParts("ACC-2", "s3cr3t")
			if _, err := h.host().Invite(ctx, installation.InviteRequest{ID: id, Parts: parts}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		h.install(id, fmt.Sprintf("ACC-%d", i+1))
	}
	var err error
	switch status {
	case installation.StatusUninstalled:
		_, err = h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"})
	case installation.StatusExpired:
		_, err = h.host().Expire(ctx, installation.ExpireRequest{ID: "EXI-2"})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"EXI-1", "EXI-2", "EXI-3"} {
		if good[id], err = h.host().Get(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	r := h.store.stored(attackKey("EXI-2"))
	c.breakIt(t, h, r)
	h.store.forge(r.Key, r)
	return h, good
}

// softPartial fails unless a row of a closed record says what is stored in plain, and no more.
func softPartial(t *testing.T, how string, got, was *installation.Installation, want error) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: no row", how)
		return
	}
	if !errors.Is(got.Err, want) {
		t.Errorf("%s: got Err %v, want %v", how, got.Err, want)
	}
	plain := installation.Installation{
		ID: was.ID, Tenant: was.Tenant, Status: was.Status, Generation: was.Generation, Revision: was.Revision,
		Extension: installation.Extension{ID: was.Extension.ID, Owner: was.Extension.Owner}, Account: installation.Account{ID: was.Account.ID},
		Err: got.Err,
	}
	if phase := got.Status; phase == installation.StatusInvited && was.Status == installation.StatusExpired && got.Audit.Expired == nil {
		plain.Status = phase // the index does not tell the two apart, and nothing else can be read
	}
	if got.Audit.Uninstalled != nil || got.Audit.Expired != nil {
		plain.Audit = installation.Audit{Uninstalled: was.Audit.Uninstalled, Expired: was.Audit.Expired}
	}
	if d := attackEqual(&plain, got); d != "" {
		t.Errorf("%s: the row of a closed record (-want +got):\n%.500s", how, d)
	}
}

// A record that cannot be opened lists as such and stops nothing.
func TestInvariant14OneBadRecordStopsNothing(t *testing.T) {
	for _, c := range softCases() {
		t.Run(c.name, func(t *testing.T) {
			for _, status := range []installation.Status{
				installation.StatusInstalled, installation.StatusInvited, installation.StatusExpired, installation.StatusUninstalled,
			} {
				t.Run(string(status), func(t *testing.T) {
					t.Run("reads", func(t *testing.T) { softReads(t, c, status) })
					t.Run("refusals", func(t *testing.T) { softRefusals(t, c, status) })
					t.Run("ends", func(t *testing.T) { softEnds(t, c, status) })
				})
			}
		})
	}
}

func softReads(t *testing.T, c softCase, status installation.Status) {
	ctx := t.Context()
	h, good := softWorld(t, c, status)
	before := h.store.commits()
	for _, a := range []installation.Actor{attackHost, attackPlatform, attackVendor, attackExtension} {
		list, err := h.as(a).List(ctx, installation.ListRequest{})
		if err != nil || len(list.Installations) != 3 {
			t.Fatalf("%s: List: got %v, %v, want 3 rows", a.Kind, list, err)
		}
		for _, i := range list.Installations {
			if i.ID == "EXI-2" {
				softPartial(t, "List for "+string(a.Kind), i, good["EXI-2"], c.want)
				continue
			}
			whole, err := h.as(a).Get(ctx, i.ID)
			if err != nil || attackEqual(whole, i) != "" || i.Err != nil {
				t.Errorf("%s: %s is not as it was, error %v, %v", a.Kind, i.ID, err, i.Err)
			}
		}
		one, err := h.as(a).Get(ctx, "EXI-2")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: Get: got error %v, want %v", a.Kind, err, c.want)
		}
		softPartial(t, "Get for "+string(a.Kind), one, good["EXI-2"], c.want)
		n := 0
		for _, err := range h.as(a).All(ctx, installation.ListRequest{Limit: 1}) {
			if n++; err != nil {
				t.Errorf("%s: All: %v", a.Kind, err)
			}
		}
		if count, err := h.as(a).Count(ctx, installation.ListRequest{}); n != 3 || count != 3 || err != nil {
			t.Errorf("%s: All has %d rows, Count %d, error %v, want 3", a.Kind, n, count, err)
		}
	}
	for name, req := range map[string]installation.ListRequest{
		"extension":  {Extension: "EXT-1"},
		"account":    {Account: "ACC-2"},
		"owner":      {Owner: "VEN-1"},
		"connection": {Connection: "CON-1"},
		"phase":      {Status: phaseOf(status)},
	} {
		list, err := h.host().List(ctx, req)
		found := false
		for _, i := range list.Installations {
			found = found || i.ID == "EXI-2"
		}
		if err != nil || !found {
			t.Errorf("the list by %s has no EXI-2, error %v", name, err)
		}
	}
	// Its own customer sees the row; strangers do not learn that there is one.
	if i, err := h.as(installation.Actor{Kind: installation.Customer, ID: "ACC-2"}).Get(ctx, "EXI-2"); i == nil || !errors.Is(err, c.want) {
		t.Errorf("its customer: got %v, %v, want the row and %v", i, err, c.want)
	}
	for _, a := range []installation.Actor{
		attackStranger, {Kind: installation.Vendor, ID: "VEN-9"}, {Kind: installation.ExtensionActor, ID: "EXT-9"}, {Kind: installation.Customer},
	} {
		if i, err := h.as(a).Get(ctx, "EXI-2"); i != nil || !errors.Is(err, installation.ErrNotFound) || errors.Is(err, c.want) {
			t.Errorf("%s %s: got %v, %v, want ErrNotFound", a.Kind, a.ID, i, err)
		}
		if list, err := h.as(a).List(ctx, installation.ListRequest{}); err != nil || len(list.Installations) != 0 {
			t.Errorf("%s %s: List: got %v, %v, want nothing", a.Kind, a.ID, list, err)
		}
	}
	if h.store.commits() != before {
		t.Error("a read wrote")
	}
}

// phaseOf returns the states that are listed together with a status.
func phaseOf(status installation.Status) []installation.Status {
	if status == installation.StatusInvited || status == installation.StatusExpired {
		return []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
	return []installation.Status{status}
}

// softRefusals: what needs the content is refused with the reason, for everybody, and nothing is written.
func softRefusals(t *testing.T, c softCase, status installation.Status) {
	h, _ := softWorld(t, c, status)
	before := h.store.commits()
	for _, a := range []installation.Actor{attackHost, attackPlatform, attackVendor, attackExtension, {Kind: installation.Customer, ID: "ACC-2"}} {
		for _, m := range attackMethods("EXI-2") {
			host := a.Kind == installation.Host || a.Kind == installation.Platform
			switch m.name {
			case "Uninstall", "Delete", "Expire":
				if host {
					continue // see softEnds
				}
			case "Accept":
				continue // it is no one's right to know why a code is not good
			case "Invite":
				if status == installation.StatusInstalled || status == installation.StatusInvited {
					continue // refused because of the status already
				}
			}
			err := attackCall(t, m.name, func() error { return m.call(t.Context(), h.as(a)) })
			switch {
			case errors.Is(err, installation.ErrForbidden) && a.Kind == installation.Platform:
			case !errors.Is(err, c.want):
				t.Errorf("%s by %s: got error %v, want %v", m.name, a.Kind, err, c.want)
			}
		}
		for _, m := range attackMethods("EXI-2") {
			if m.name == "Accept" || m.name == "Invite" {
				if err := attackCall(t, m.name, func() error { return m.call(t.Context(), h.as(a)) }); err == nil {
					t.Errorf("%s by %s: got no error", m.name, a.Kind)
				}
			}
		}
	}
	if h.store.commits() != before {
		t.Errorf("a refused write was committed: %+v", h.store.changes[before:])
	}
	for _, m := range attackMethods("EXI-2") {
		if m.name == "Accept" {
			continue
		}
		err := attackCall(t, m.name, func() error { return m.call(t.Context(), h.as(attackStranger)) })
		if !errors.Is(err, installation.ErrNotFound) && !errors.Is(err, installation.ErrForbidden) || errors.Is(err, c.want) {
			t.Errorf("%s by a stranger: got error %v, want ErrNotFound", m.name, err)
		}
	}
}

// softEnds: the host can end a record without a key.
func softEnds(t *testing.T, c softCase, status installation.Status) {
	ctx := t.Context()
	closed := func(t *testing.T, h *attackHarness, want installation.Status) {
		t.Helper()
		i, err := h.host().Get(ctx, "EXI-2")
		if i == nil || i.Status != want || !errors.Is(err, c.want) {
			t.Errorf("then Get: got %+v, %v, want %s and %v", i, err, want, c.want)
		}
		if list, err := h.host().List(ctx, installation.ListRequest{}); err != nil || len(list.Installations) != 3 {
			t.Errorf("then List: got %v, %v, want 3 rows", list, err)
		}
	}
	shredded := func(t *testing.T, h *attackHarness) {
		t.Helper()
		i, err := h.host().Get(ctx, "EXI-2")
		if !errors.Is(err, installation.ErrShredded) || i == nil || i.Status != installation.StatusUninstalled || !i.Purged || i.Extension.ID != "EXT-1" || i.Generation != 1 {
			t.Errorf("then Get: got %+v, %v, want uninstalled, purged and ErrShredded", i, err)
		}
		if r := h.store.stored(attackKey("EXI-2")); len(r.Body.Bytes()) > 256 {
			t.Errorf("a shredded body has %d bytes", len(r.Body.Bytes()))
		}
		// What is destroyed hides nothing: it can be installed anew.
		res, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-2", Parts: attackParts("ACC-2", "fresh")})
		if err != nil || !res.Created || res.Generation != 2 {
			t.Errorf("then Upsert: got %v, %v, want generation 2", res, err)
		}
	}

	t.Run("Uninstall", func(t *testing.T) {
		h, _ := softWorld(t, c, status)
		before := h.store.commits()
		var res *installation.Result
		err := attackCall(t, "Uninstall", func() (err error) {
			res, err = h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"})
			return err
		})
		switch {
		case c.unread:
			// There is a body that someone else may yet be able to read, and no way to write beside it.
			if err != nil && (!errors.Is(err, c.want) || h.store.commits() != before) {
				t.Errorf("got error %v and %d commits, want %v and none, or success", err, h.store.commits()-before, c.want)
			}
		case status == installation.StatusExpired:
			if !errors.Is(err, installation.ErrConflict) {
				t.Errorf("got error %v, want ErrConflict", err)
			}
		case err != nil || res.Status != installation.StatusUninstalled || res.Changed == (status == installation.StatusUninstalled):
			t.Errorf("got %+v, %v", res, err)
		default:
			closed(t, h, installation.StatusUninstalled)
		}
	})
	t.Run("Uninstall, final", func(t *testing.T) {
		if status == installation.StatusExpired {
			t.Skip("an expired one is not uninstalled")
		}
		h, _ := softWorld(t, c, status)
		before := h.store.commits()
		err := attackCall(t, "Uninstall", func() error {
			_, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2", Guard: installation.Guard{IdempotencyKey: "u"}, Final: true})
			return err
		})
		if c.unread && errors.Is(err, c.want) {
			if h.store.commits() != before {
				t.Errorf("refused with %v, and committed", err)
			}
			return // Delete is the way out
		}
		if err != nil {
			t.Fatalf("got error %v", err)
		}
		shredded(t, h)
	})
	t.Run("Delete", func(t *testing.T) {
		h, _ := softWorld(t, c, status)
		err := attackCall(t, "Delete", func() error {
			_, err := h.host().Delete(ctx, installation.DeleteRequest{ID: "EXI-2"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.host().Get(ctx, "EXI-2"); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("then Get: got error %v, want ErrNotFound", err)
		}
	})
	t.Run("Expire", func(t *testing.T) {
		h, _ := softWorld(t, c, status)
		before := h.store.commits()
		err := attackCall(t, "Expire", func() error {
			_, err := h.host().Expire(ctx, installation.ExpireRequest{ID: "EXI-2"})
			return err
		})
		switch {
		case c.unread:
			if err != nil && (!errors.Is(err, c.want) || h.store.commits() != before) {
				t.Errorf("got error %v and %d commits, want %v and none, or success", err, h.store.commits()-before, c.want)
			}
		case status == installation.StatusInvited:
			if err != nil {
				t.Errorf("got error %v", err)
			}
			closed(t, h, installation.StatusExpired)
		case status == installation.StatusExpired:
			if err != nil || h.store.commits() != before {
				t.Errorf("got error %v and %d commits, want none", err, h.store.commits()-before)
			}
		case !errors.Is(err, installation.ErrConflict):
			t.Errorf("got error %v, want ErrConflict", err)
		}
	})
	t.Run("Sweep", func(t *testing.T) {
		h, _ := softWorld(t, c, status)
		if _, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-3"}); err != nil {
			t.Fatal(err)
		}
		h.pass(30 * 24 * time.Hour)
		var report installation.SweepReport
		err := attackCall(t, "Sweep", func() (err error) {
			report, err = h.host().Sweep(ctx, installation.SweepRequest{})
			return err
		})
		due := 0
		if status == installation.StatusInvited || status == installation.StatusUninstalled {
			due = 1
		}
		if c.unread && due == 1 {
			// What cannot be read at all is reported; it must not hide or undo the rest.
			if report.Purged+report.Expired+report.Failed != 3 || report.Failed == 1 != (err != nil) {
				t.Errorf("got %+v, %v, want all three counted", report, err)
			}
		} else if err != nil || report.Purged+report.Expired != 2+due || report.Failed != 0 {
			t.Errorf("got %+v, %v, want %d done", report, err, 2+due)
		}
		for _, id := range []string{"EXI-1", "EXI-3"} {
			if i, err := h.host().Get(ctx, id); err != nil || !i.Purged {
				t.Errorf("%s: got %+v, %v, want purged", id, i, err)
			}
		}
		if status == installation.StatusUninstalled && report.Failed == 0 {
			shredded(t, h)
		}
	})
}

// softKMS is a key service that is down.
type softKMS struct {
	crypto.KeyWrapper
	err error
}

func (k *softKMS) Unwrap(ctx context.Context, w crypto.Wrapped, b crypto.Binding) (*crypto.DataKey, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.KeyWrapper.Unwrap(ctx, w, b)
}

// A key service that is down hides content and nothing else, and comes back.
func TestInvariant14KeyServiceDown(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	was := h.install("EXI-1", "ACC-1")
	kms := &softKMS{KeyWrapper: attackRing(t, "k1", attackKEK), err: fmt.Errorf("kms: %w", installation.ErrKeyUnavailable)}
	host := h.service(kms).In(attackTenant).As(attackHost)
	list, err := host.List(ctx, installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("got %v, %v, want one row", list, err)
	}
	softPartial(t, "List", list.Installations[0], was, installation.ErrKeyUnavailable)
	before := h.store.commits()
	if _, err := host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: attackParts("ACC-1", "x")}); !errors.Is(err, installation.ErrKeyUnavailable) {
		t.Errorf("Upsert: got error %v, want ErrKeyUnavailable", err)
	}
	if h.store.commits() != before {
		t.Error("Upsert wrote over what it could not read")
	}
	if _, err := host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
		t.Errorf("Uninstall: %v", err)
	}
	kms.err = nil
	i, err := host.Get(ctx, "EXI-1")
	if err != nil || i.Status != installation.StatusUninstalled || i.Configuration == nil || i.Name != "one" {
		t.Errorf("after it came back: got %+v, %v, want all of it, uninstalled", i, err)
	}
}

// A context that ends while rows are opened is an error of the call, not of the rows.
func TestInvariant14CancelledIsNotBroken(t *testing.T) {
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	ctx, cancel := context.WithCancel(t.Context())
	h.store.failWith(func(string, any) error { cancel(); return nil })
	defer h.store.failWith(nil)
	kms := &softKMS{KeyWrapper: attackRing(t, "k1", attackKEK), err: context.Canceled}
	host := h.service(kms).In(attackTenant).As(attackHost)
	if list, err := host.List(ctx, installation.ListRequest{}); !errors.Is(err, context.Canceled) {
		for _, i := range list.Installations {
			t.Errorf("List: got a row with error %v, want the call to fail", i.Err)
		}
		t.Errorf("List: got error %v, want context.Canceled", err)
	}
}

// A store that cannot answer never leads to ErrNotFound.
func TestInvariant5NotFoundIsNotFailed(t *testing.T) {
	causes := map[string]error{
		"unavailable":     fmt.Errorf("dial: %w", installation.ErrUnavailable),
		"unknown outcome": fmt.Errorf("reply lost: %w", installation.ErrUnknownOutcome),
		"odd":             errors.New("EOF"),
		"deadline":        context.DeadlineExceeded,
		"both":            errors.Join(errors.New("first"), installation.ErrUnavailable),
	}
	for name, cause := range causes {
		for _, method := range []string{"Get", "List", "Commit", "Outcome", "Events", "Count", "every"} {
			t.Run(name+" in "+method, func(t *testing.T) {
				h := newAttack(t)
				h.install("EXI-1", "ACC-1")
				code := h.invite("EXI-2")
				before := len(h.store.history[attackKey("EXI-1")])
				touched := false
				h.store.failWith(func(m string, _ any) error {
					if m == method || method == "every" {
						touched = true
						return cause
					}
					return nil
				})
				check := func(what string, err error, known bool) {
					t.Helper()
					for _, wrong := range []error{
						installation.ErrNotFound, installation.ErrInvitation, installation.ErrForbidden, installation.ErrExists, installation.ErrStale,
						installation.ErrSealed, installation.ErrShredded,
					} {
						if touched && errors.Is(err, wrong) {
							t.Errorf("%s: got %v though the store could not answer", what, err)
						}
					}
					if touched && !known && err == nil {
						t.Errorf("%s: success though the store failed", what)
					}
					if touched && err != nil && !errors.Is(err, cause) {
						t.Errorf("%s: the cause is not reachable in %v", what, err)
					}
				}
				for _, id := range []string{"EXI-1", "EXI-none"} {
					for _, m := range append(attackMethods(id), attackWide()...) {
						for _, a := range []installation.Actor{attackHost, attackCustomer} {
							touched = false
							err := attackCall(t, m.name, func() error { return m.call(t.Context(), h.as(a)) })
							check(fmt.Sprintf("%s %s by %s", m.name, id, a.Kind), err, false)
						}
					}
				}
				touched = false
				_, err := h.as(attackCustomer).Accept(t.Context(), installation.AcceptRequest{ID: "EXI-2", Code: code, Account: installation.Account{ID: "ACC-1"}, Guard: installation.Guard{IdempotencyKey: "a"}})
				check("Accept", err, false)
				for _, id := range []string{"EXI-1", "EXI-none"} {
					touched = false
					_, err = h.host().Uninstall(t.Context(), installation.UninstallRequest{ID: id, Guard: installation.Guard{IdempotencyKey: "b", Generation: 7}})
					check("guarded Uninstall with an idempotency key of "+id, err, false)
				}
				h.store.failWith(nil)
				if _, err := h.host().Get(t.Context(), "EXI-none"); !errors.Is(err, installation.ErrNotFound) {
					t.Errorf("once it answers again: got error %v, want ErrNotFound", err)
				}
				if method == "every" && len(h.store.history[attackKey("EXI-1")]) != before {
					t.Error("something was committed")
				}
			})
		}
	}
}
