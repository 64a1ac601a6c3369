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

var unreadableCases = []unreadableCase{
	{name: "unknown key", want: installation.ErrUnknownKey, breakIt: underUnknownKey},
	{name: "wrong key of the same name", want: installation.ErrSealed,
		breakIt: breakBody(func(body *fixture.Body) { body.Key.Bytes = flip(10)(body.Key.Bytes) })},
	{name: "damaged manifest", want: installation.ErrSealed,
		breakIt: breakBody(func(body *fixture.Body) { body.Manifest = flip(-1)(body.Manifest) })},
	{name: "lost secret", want: installation.ErrSealed,
		breakIt: breakBody(func(body *fixture.Body) { body.Values = body.Values[1:] })},
	{name: "newer body version", want: crypto.ErrVersion, unread: true,
		breakIt: breakBytes(set(0, 3))},
	{name: "newer manifest version", want: installation.ErrSealed,
		breakIt: breakBody(func(body *fixture.Body) { body.Manifest = set(0, 9)(body.Manifest) })},
	{name: "cut body", want: installation.ErrSealed, unread: true, breakIt: breakBytes(cut)},
	{name: "zeroed body", want: installation.ErrSealed, unread: true,
		breakIt: breakBytes(func(b []byte) []byte { return make([]byte, len(b)) })},
	{name: "empty body", want: installation.ErrSealed, unread: true,
		breakIt: breakBytes(func([]byte) []byte { return nil })},
}

// breakBody breaks a record by an edit of its decoded body.
func breakBody(
	edit func(body *fixture.Body),
) func(*testing.T, *fixture.Attack, *installation.Record) {
	return func(t *testing.T, _ *fixture.Attack, r *installation.Record) {
		body := fixture.DecodeBody(t, r.Body)
		edit(body)
		r.Body = fixture.EncodeBody(body)
	}
}

// breakBytes breaks a record by an edit of its encoded body.
func breakBytes(
	edit func(b []byte) []byte,
) func(*testing.T, *fixture.Attack, *installation.Record) {
	return func(_ *testing.T, _ *fixture.Attack, r *installation.Record) { rawBody(edit)(r) }
}

// underUnknownKey gives a record the wrapped key of another node, whose key is missing here.
func underUnknownKey(t *testing.T, h *fixture.Attack, r *installation.Record) {
	keys := fixture.RingWith(t, "k2", fixture.OtherKEK)
	other := h.ServiceWith(keys).In(r.Key.Tenant).As(fixture.HostActor)
	id := r.Key.ID + "-k2"
	parts := fixture.SecretParts("ACC-2", "s3cr3t")
	parts.Account = installation.Value(installation.Account{ID: "ACC-k2"})
	req := installation.UpsertRequest{ID: id, Parts: parts}
	if _, err := other.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	k2 := fixture.DecodeBody(t, h.Store.Last(fixture.KeyAt(id)).Body)
	if _, err := other.Delete(t.Context(), installation.DeleteRequest{ID: id}); err != nil {
		t.Fatal(err)
	}
	body := fixture.DecodeBody(t, r.Body)
	body.Key.KeyID, body.Key.Bytes = k2.Key.KeyID, k2.Key.Bytes
	r.Body = fixture.EncodeBody(body)
}

// newUnreadable makes three installations and breaks the second one, "EXI-2", in a status. It
// returns them as they were.
func newUnreadable(
	t *testing.T, c unreadableCase, status installation.Status,
) (*fixture.Attack, map[string]*installation.Installation) {
	t.Helper()
	ctx := t.Context()
	h := fixture.NewAttack(t)
	good := make(map[string]*installation.Installation)
	for i, id := range []string{"EXI-1", "EXI-2", "EXI-3"} {
		h.Advance(time.Second)
		if id == "EXI-2" && isInvitation(status) {
			req := installation.InviteRequest{ID: id, Parts: fixture.SecretParts("ACC-2", "s3cr3t")}
			if _, err := h.Host().Invite(ctx, req); err != nil {
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

// isInvitation reports whether the status is that of an invitation.
func isInvitation(status installation.Status) bool {
	return status == installation.StatusInvited || status == installation.StatusExpired
}

// withoutNames returns an entry as it is shown if no seal vouches for it.
func withoutNames(e *installation.AuditEntry) *installation.AuditEntry {
	if e == nil {
		return nil
	}
	return &installation.AuditEntry{At: e.At, Unvouched: true}
}

// wantPlainPart fails the test unless a row of a closed record has the plain fields and no more.
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
		ID: was.ID, Tenant: was.Tenant, Status: was.Status,
		Generation: was.Generation, Revision: was.Revision,
		Extension: installation.Extension{ID: was.Extension.ID, Owner: was.Extension.Owner},
		Account:   installation.Account{ID: was.Account.ID},
		Err:       got.Err,
	}
	if got.Status == installation.StatusInvited && was.Status == installation.StatusExpired &&
		got.Audit.Expired == nil {
		// The index has one phase for both, and nothing else can be read.
		plain.Status = got.Status
	}
	if got.Audit.Uninstalled != nil || got.Audit.Expired != nil {
		plain.Audit.Uninstalled = withoutNames(was.Audit.Uninstalled)
		plain.Audit.Expired = withoutNames(was.Audit.Expired)
	}
	if d := fixture.Diff(&plain, got); d != "" {
		t.Errorf("%s: the row of a closed record (-want +got):\n%.500s", how, d)
	}
}
