package tampering

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A record that cannot be opened lists as such and stops nothing.
func TestInvariant14OneBadRecordStopsNothing(t *testing.T) {
	for _, c := range unreadableCases() {
		t.Run(c.name, func(t *testing.T) {
			for _, status := range []installation.Status{
				installation.StatusInstalled, installation.StatusInvited, installation.StatusExpired, installation.StatusUninstalled,
			} {
				t.Run(string(status), func(t *testing.T) {
					t.Run("reads", func(t *testing.T) { checkReads(t, c, status) })
					t.Run("refusals", func(t *testing.T) { checkWrites(t, c, status) })
					t.Run("ends", func(t *testing.T) { checkEndings(t, c, status) })
				})
			}
		})
	}
}

func checkReads(t *testing.T, c unreadableCase, status installation.Status) {
	ctx := t.Context()
	h, good := newUnreadable(t, c, status)
	before := len(h.Store.Changes())
	for _, a := range []installation.Actor{fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor} {
		list, err := h.As(a).List(ctx, installation.ListRequest{})
		if err != nil || len(list.Installations) != 3 {
			t.Fatalf("%s: List: got %v, %v, want 3 rows", a.Kind, list, err)
		}
		for _, i := range list.Installations {
			if i.ID == "EXI-2" {
				wantPlainPart(t, "List for "+string(a.Kind), i, good["EXI-2"], c.want)
				continue
			}
			whole, err := h.As(a).Get(ctx, i.ID)
			if err != nil || fixture.Diff(whole, i) != "" || i.Err != nil {
				t.Errorf("%s: %s is not as it was, error %v, %v", a.Kind, i.ID, err, i.Err)
			}
		}
		one, err := h.As(a).Get(ctx, "EXI-2")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: Get: got error %v, want %v", a.Kind, err, c.want)
		}
		wantPlainPart(t, "Get for "+string(a.Kind), one, good["EXI-2"], c.want)
		n := 0
		for _, err := range h.As(a).All(ctx, installation.ListRequest{Limit: 1}) {
			if n++; err != nil {
				t.Errorf("%s: All: %v", a.Kind, err)
			}
		}
		if count, err := h.As(a).Count(ctx, installation.ListRequest{}); n != 3 || count != 3 || err != nil {
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
		list, err := h.Host().List(ctx, req)
		found := false
		for _, i := range list.Installations {
			found = found || i.ID == "EXI-2"
		}
		if err != nil || !found {
			t.Errorf("the list by %s has no EXI-2, error %v", name, err)
		}
	}
	// Its own customer sees the row; strangers do not learn that there is one.
	if i, err := h.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"}).Get(ctx, "EXI-2"); i == nil || !errors.Is(err, c.want) {
		t.Errorf("its customer: got %v, %v, want the row and %v", i, err, c.want)
	}
	for _, a := range []installation.Actor{
		fixture.StrangerActor, {Kind: installation.Vendor, ID: "VEN-9"}, {Kind: installation.ExtensionActor, ID: "EXT-9"}, {Kind: installation.Customer},
	} {
		if i, err := h.As(a).Get(ctx, "EXI-2"); i != nil || !errors.Is(err, installation.ErrNotFound) || errors.Is(err, c.want) {
			t.Errorf("%s %s: got %v, %v, want ErrNotFound", a.Kind, a.ID, i, err)
		}
		if list, err := h.As(a).List(ctx, installation.ListRequest{}); err != nil || len(list.Installations) != 0 {
			t.Errorf("%s %s: List: got %v, %v, want nothing", a.Kind, a.ID, list, err)
		}
	}
	if len(h.Store.Changes()) != before {
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

// checkWrites: what needs the content is refused with the reason, for everybody, and nothing is written.
func checkWrites(t *testing.T, c unreadableCase, status installation.Status) {
	h, _ := newUnreadable(t, c, status)
	before := len(h.Store.Changes())
	for _, a := range []installation.Actor{fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor, {Kind: installation.Customer, ID: "ACC-2"}} {
		for _, m := range fixture.Methods("EXI-2") {
			host := a.Kind == installation.Host || a.Kind == installation.Platform
			switch m.Name {
			case "Uninstall", "Delete", "Expire":
				if host {
					continue // see checkEndings
				}
			case "Accept":
				continue // it is no one's right to know why a code is not good
			case "Invite":
				if status == installation.StatusInstalled || status == installation.StatusInvited {
					continue // refused because of the status already
				}
			}
			err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), h.As(a)) })
			switch {
			case errors.Is(err, installation.ErrForbidden) && a.Kind == installation.Platform:
			case !errors.Is(err, c.want):
				t.Errorf("%s by %s: got error %v, want %v", m.Name, a.Kind, err, c.want)
			}
		}
		for _, m := range fixture.Methods("EXI-2") {
			if m.Name == "Accept" || m.Name == "Invite" {
				if err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), h.As(a)) }); err == nil {
					t.Errorf("%s by %s: got no error", m.Name, a.Kind)
				}
			}
		}
	}
	if len(h.Store.Changes()) != before {
		t.Errorf("a refused write was committed: %+v", h.Store.Changes()[before:])
	}
	for _, m := range fixture.Methods("EXI-2") {
		if m.Name == "Accept" {
			continue
		}
		err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), h.As(fixture.StrangerActor)) })
		if !errors.Is(err, installation.ErrNotFound) && !errors.Is(err, installation.ErrForbidden) || errors.Is(err, c.want) {
			t.Errorf("%s by a stranger: got error %v, want ErrNotFound", m.Name, err)
		}
	}
}

// checkEndings: the host can end a record without a key.
func checkEndings(t *testing.T, c unreadableCase, status installation.Status) {
	ctx := t.Context()
	closed := func(t *testing.T, h *fixture.Attack, want installation.Status) {
		t.Helper()
		i, err := h.Host().Get(ctx, "EXI-2")
		if i == nil || i.Status != want || !errors.Is(err, c.want) {
			t.Errorf("then Get: got %+v, %v, want %s and %v", i, err, want, c.want)
		}
		if list, err := h.Host().List(ctx, installation.ListRequest{}); err != nil || len(list.Installations) != 3 {
			t.Errorf("then List: got %v, %v, want 3 rows", list, err)
		}
	}
	shredded := func(t *testing.T, h *fixture.Attack) {
		t.Helper()
		i, err := h.Host().Get(ctx, "EXI-2")
		if !errors.Is(err, installation.ErrShredded) || i == nil || i.Status != installation.StatusUninstalled || !i.Purged || i.Extension.ID != "EXT-1" || i.Generation != 1 {
			t.Errorf("then Get: got %+v, %v, want uninstalled, purged and ErrShredded", i, err)
		}
		if r := h.Store.Last(fixture.KeyAt("EXI-2")); len(r.Body.Bytes()) > 256 {
			t.Errorf("a shredded body has %d bytes", len(r.Body.Bytes()))
		}
		// What is destroyed hides nothing: it can be installed anew.
		res, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-2", Parts: fixture.SecretParts("ACC-2", "fresh")})
		if err != nil || !res.Created || res.Generation != 2 {
			t.Errorf("then Upsert: got %v, %v, want generation 2", res, err)
		}
	}

	t.Run("Uninstall", func(t *testing.T) {
		h, _ := newUnreadable(t, c, status)
		before := len(h.Store.Changes())
		var res *installation.Result
		err := fixture.Call(t, "Uninstall", func() (err error) {
			res, err = h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"})
			return err
		})
		switch {
		case c.unread:
			// There is a body that someone else may yet be able to read, and no way to write beside it.
			if err != nil && (!errors.Is(err, c.want) || len(h.Store.Changes()) != before) {
				t.Errorf("got error %v and %d commits, want %v and none, or success", err, len(h.Store.Changes())-before, c.want)
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
		h, _ := newUnreadable(t, c, status)
		before := len(h.Store.Changes())
		err := fixture.Call(t, "Uninstall", func() error {
			_, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2", Guard: installation.Guard{IdempotencyKey: "u"}, Final: true})
			return err
		})
		if c.unread && errors.Is(err, c.want) {
			if len(h.Store.Changes()) != before {
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
		h, _ := newUnreadable(t, c, status)
		err := fixture.Call(t, "Delete", func() error {
			_, err := h.Host().Delete(ctx, installation.DeleteRequest{ID: "EXI-2"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Host().Get(ctx, "EXI-2"); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("then Get: got error %v, want ErrNotFound", err)
		}
	})
	t.Run("Expire", func(t *testing.T) {
		h, _ := newUnreadable(t, c, status)
		before := len(h.Store.Changes())
		err := fixture.Call(t, "Expire", func() error {
			_, err := h.Host().Expire(ctx, installation.ExpireRequest{ID: "EXI-2"})
			return err
		})
		switch {
		case c.unread:
			if err != nil && (!errors.Is(err, c.want) || len(h.Store.Changes()) != before) {
				t.Errorf("got error %v and %d commits, want %v and none, or success", err, len(h.Store.Changes())-before, c.want)
			}
		case status == installation.StatusInvited:
			if err != nil {
				t.Errorf("got error %v", err)
			}
			closed(t, h, installation.StatusExpired)
		case status == installation.StatusExpired:
			if err != nil || len(h.Store.Changes()) != before {
				t.Errorf("got error %v and %d commits, want none", err, len(h.Store.Changes())-before)
			}
		case !errors.Is(err, installation.ErrConflict):
			t.Errorf("got error %v, want ErrConflict", err)
		}
	})
	t.Run("Sweep", func(t *testing.T) {
		h, _ := newUnreadable(t, c, status)
		if _, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-3"}); err != nil {
			t.Fatal(err)
		}
		h.Advance(30 * 24 * time.Hour)
		var report installation.SweepReport
		err := fixture.Call(t, "Sweep", func() (err error) {
			report, err = h.Host().Sweep(ctx, 0)
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
			if i, err := h.Host().Get(ctx, id); err != nil || !i.Purged {
				t.Errorf("%s: got %+v, %v, want purged", id, i, err)
			}
		}
		if status == installation.StatusUninstalled && report.Failed == 0 {
			shredded(t, h)
		}
	})
}
