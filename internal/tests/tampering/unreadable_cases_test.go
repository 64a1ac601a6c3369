package tampering

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// unreadableCase is one way in which a record can have become unreadable.
type unreadableCase struct {
	name    string
	want    error
	unread  bool // not even the plain part of the body can be read
	breakIt func(t *testing.T, h *fixture.Attack, r *installation.Record)
}

func unreadableCases() []unreadableCase {
	edit := func(f func(t *testing.T, body *fixture.Body)) func(*testing.T, *fixture.Attack, *installation.Record) {
		return func(t *testing.T, _ *fixture.Attack, r *installation.Record) {
			body := fixture.DecodeBody(t, r.Body)
			f(t, body)
			r.Body = fixture.EncodeBody(body)
		}
	}
	raw := func(f func(b []byte) []byte) func(*testing.T, *fixture.Attack, *installation.Record) {
		return func(_ *testing.T, _ *fixture.Attack, r *installation.Record) {
			r.Body = installation.BodyFromBytes(f(r.Body.Bytes()))
		}
	}
	return []unreadableCase{
		{name: "unknown key", want: installation.ErrUnknownKey, breakIt: func(t *testing.T, h *fixture.Attack, r *installation.Record) {
			// Written by a node that has a key which this one has not got.
			other := h.ServiceWith(fixture.RingWith(t, "k2", fixture.OtherKEK)).In(r.Key.Tenant).As(fixture.HostActor)
			id := r.Key.ID + "-k2"
			parts := fixture.SecretParts("ACC-2", "s3cr3t")
			parts.Account = installation.Value(installation.Account{ID: "ACC-k2"})
			if _, err := other.Upsert(t.Context(), installation.UpsertRequest{ID: id, Parts: parts}); err != nil {
				t.Fatal(err)
			}
			k2 := fixture.DecodeBody(t, h.Store.Last(fixture.KeyAt(id)).Body)
			if _, err := other.Delete(t.Context(), installation.DeleteRequest{ID: id}); err != nil {
				t.Fatal(err)
			}
			body := fixture.DecodeBody(t, r.Body)
			body.Key.KeyID, body.Key.Bytes = k2.Key.KeyID, k2.Key.Bytes
			r.Body = fixture.EncodeBody(body)
		}},
		{name: "wrong key of the same name", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body *fixture.Body) {
			b := body.Key.Bytes
			b[10] ^= 1
			body.Key.Bytes = b
		})},
		{name: "damaged manifest", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body *fixture.Body) {
			b := body.Manifest
			b[len(b)-1] ^= 1
			body.Manifest = b
		})},
		{name: "lost secret", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body *fixture.Body) {
			body.Values = body.Values[1:]
		})},
		{name: "newer body version", want: crypto.ErrVersion, unread: true, breakIt: raw(func(b []byte) []byte { b[0] = 3; return b })},
		{name: "newer manifest version", want: installation.ErrSealed, breakIt: edit(func(t *testing.T, body *fixture.Body) {
			b := body.Manifest
			b[0] = 9
			body.Manifest = b
		})},
		{name: "cut body", want: installation.ErrSealed, unread: true, breakIt: raw(func(b []byte) []byte { return b[:len(b)-1] })},
		{name: "zeroed body", want: installation.ErrSealed, unread: true, breakIt: raw(func(b []byte) []byte { return make([]byte, len(b)) })},
		{name: "empty body", want: installation.ErrSealed, unread: true, breakIt: raw(func([]byte) []byte { return nil })},
	}
}

// newUnreadable has three installations, the middle one of them broken; the rest of the file is about what still works.
func newUnreadable(t *testing.T, c unreadableCase, status installation.Status) (*fixture.Attack, map[string]*installation.Installation) {
	t.Helper()
	ctx := t.Context()
	h := fixture.NewAttack(t)
	good := make(map[string]*installation.Installation)
	for i, id := range []string{"EXI-1", "EXI-2", "EXI-3"} {
		h.Advance(time.Second)
		if id == "EXI-2" && (status == installation.StatusInvited || status == installation.StatusExpired) {
			parts := fixture.SecretParts("ACC-2", "s3cr3t")
			if _, err := h.Host().Invite(ctx, installation.InviteRequest{ID: id, Parts: parts}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		h.Install(id, fmt.Sprintf("ACC-%d", i+1))
	}
	var err error
	switch status {
	case installation.StatusUninstalled:
		_, err = h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"})
	case installation.StatusExpired:
		_, err = h.Host().Expire(ctx, installation.ExpireRequest{ID: "EXI-2"})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"EXI-1", "EXI-2", "EXI-3"} {
		if good[id], err = h.Host().Get(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	r := h.Store.Last(fixture.KeyAt("EXI-2"))
	c.breakIt(t, h, r)
	h.Store.Forge(r.Key, r)
	return h, good
}

// wantPlainPart fails unless a row of a closed record says what is stored in plain, and no more.
func wantPlainPart(t *testing.T, how string, got, was *installation.Installation, want error) {
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
	if d := fixture.Diff(&plain, got); d != "" {
		t.Errorf("%s: the row of a closed record (-want +got):\n%.500s", how, d)
	}
}
