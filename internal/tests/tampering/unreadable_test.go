package tampering

import (
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A record that does not open is listed with its error, and does not stop any other call.
func TestInvariant14OneBadRecordStopsNothing(t *testing.T) {
	for _, c := range unreadableCases {
		t.Run(c.name, func(t *testing.T) {
			for _, status := range []installation.Status{
				installation.StatusInstalled, installation.StatusInvited,
				installation.StatusExpired, installation.StatusUninstalled,
			} {
				t.Run(string(status), func(t *testing.T) {
					t.Run("reads", func(t *testing.T) { checkReads(t, c, status) })
					t.Run("rejections", func(t *testing.T) { checkWrites(t, c, status) })
					t.Run("ends", func(t *testing.T) { checkEndings(t, c, status) })
				})
			}
		})
	}
}

// secondCustomer is the customer of the broken record.
var secondCustomer = installation.Actor{Kind: installation.Customer, ID: "ACC-2"}

func checkReads(t *testing.T, c unreadableCase, status installation.Status) {
	h, good := newUnreadable(t, c, status)
	before := len(h.Store.Changes())
	for _, a := range []installation.Actor{
		fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor,
	} {
		listsAllRows(t, c, h.As(a), string(a.Kind), good)
	}
	for name, req := range map[string]installation.ListRequest{
		"extension":  {Extension: "EXT-1"},
		"account":    {Account: "ACC-2"},
		"owner":      {Owner: "VEN-1"},
		"connection": {Connection: "CON-1"},
		"phase":      {Status: phaseOf(status)},
	} {
		list, err := h.Host().List(t.Context(), req)
		found := false
		for _, i := range list.Installations {
			found = found || i.ID == "EXI-2"
		}
		if err != nil || !found {
			t.Errorf("the list by %s has no EXI-2, error %v", name, err)
		}
	}
	// The customer of the record sees the row; others do not learn that it exists.
	i, err := h.As(secondCustomer).Get(t.Context(), "EXI-2")
	if i == nil || !errors.Is(err, c.want) {
		t.Errorf("its customer: got %v, %v, want the row and %v", i, err, c.want)
	}
	for _, a := range []installation.Actor{
		fixture.StrangerActor,
		{Kind: installation.Vendor, ID: "VEN-9"},
		{Kind: installation.ExtensionActor, ID: "EXT-9"},
		{Kind: installation.Customer},
	} {
		i, err := h.As(a).Get(t.Context(), "EXI-2")
		if i != nil || !errors.Is(err, installation.ErrNotFound) || errors.Is(err, c.want) {
			t.Errorf("%s %s: got %v, %v, want ErrNotFound", a.Kind, a.ID, i, err)
		}
		list, err := h.As(a).List(t.Context(), installation.ListRequest{})
		if err != nil || len(list.Installations) != 0 {
			t.Errorf("%s %s: List: got %v, %v, want nothing", a.Kind, a.ID, list, err)
		}
	}
	if len(h.Store.Changes()) != before {
		t.Error("a read wrote")
	}
}

// listsAllRows checks List, Get, All and Count of an actor who may see all three rows.
func listsAllRows(
	t *testing.T, c unreadableCase, svc *installation.Service, actor string,
	good map[string]*installation.Installation,
) {
	t.Helper()
	ctx := t.Context()
	list, err := svc.List(ctx, installation.ListRequest{})
	if err != nil || len(list.Installations) != 3 {
		t.Fatalf("%s: List: got %v, %v, want 3 rows", actor, list, err)
	}
	for _, i := range list.Installations {
		if i.ID == "EXI-2" {
			wantPlainPart(t, "List for "+actor, i, good["EXI-2"], c.want)
			continue
		}
		whole, err := svc.Get(ctx, i.ID)
		if err != nil || fixture.Diff(whole, i) != "" || i.Err != nil {
			t.Errorf("%s: %s is not as it was, error %v, %v", actor, i.ID, err, i.Err)
		}
	}
	one, err := svc.Get(ctx, "EXI-2")
	if !errors.Is(err, c.want) {
		t.Errorf("%s: Get: got error %v, want %v", actor, err, c.want)
	}
	wantPlainPart(t, "Get for "+actor, one, good["EXI-2"], c.want)
	n := 0
	for _, err := range svc.All(ctx, installation.ListRequest{Limit: 1}) {
		if n++; err != nil {
			t.Errorf("%s: All: %v", actor, err)
		}
	}
	count, err := svc.Count(ctx, installation.ListRequest{})
	if n != 3 || count != 3 || err != nil {
		t.Errorf("%s: All has %d rows, Count %d, error %v, want 3", actor, n, count, err)
	}
}

// phaseOf returns the statuses that are listed together with a status.
func phaseOf(status installation.Status) []installation.Status {
	if isInvitation(status) {
		return []installation.Status{installation.StatusInvited, installation.StatusExpired}
	}
	return []installation.Status{status}
}

// checkWrites checks that a write that needs the content fails with the reason, for every actor,
// and that nothing is written.
func checkWrites(t *testing.T, c unreadableCase, status installation.Status) {
	h, _ := newUnreadable(t, c, status)
	before := len(h.Store.Changes())
	for _, a := range []installation.Actor{
		fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor,
		secondCustomer,
	} {
		for _, m := range fixture.Methods("EXI-2") {
			if endsWithoutKey(m.Name, a) {
				continue // see checkEndings
			}
			err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), h.As(a)) })
			forbidden := errors.Is(err, installation.ErrForbidden)
			switch {
			case forbidden && a.Kind == installation.Platform:
				// The platform may not make every call.
			case hidesReason(m.Name, status):
				if err == nil {
					t.Errorf("%s by %s: got no error", m.Name, a.Kind)
				}
			case !errors.Is(err, c.want):
				t.Errorf("%s by %s: got error %v, want %v", m.Name, a.Kind, err, c.want)
			}
		}
	}
	if len(h.Store.Changes()) != before {
		t.Errorf("a rejected write was committed: %+v", h.Store.Changes()[before:])
	}
	stranger := h.As(fixture.StrangerActor)
	for _, m := range fixture.Methods("EXI-2") {
		if m.Name == "Accept" {
			continue
		}
		err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), stranger) })
		hidden := isOne(err, []error{installation.ErrNotFound, installation.ErrForbidden})
		if !hidden || errors.Is(err, c.want) {
			t.Errorf("%s by a stranger: got error %v, want ErrNotFound", m.Name, err)
		}
	}
}

// endsWithoutKey reports whether the actor may make the call without the key of the record.
func endsWithoutKey(method string, a installation.Actor) bool {
	ends := method == "Uninstall" || method == "Delete" || method == "Expire"
	return ends && (a.Kind == installation.Host || a.Kind == installation.Platform)
}

// hidesReason reports whether a call fails with another error. Nobody may learn why a code is
// invalid, and an invitation can fail because of the status alone.
func hidesReason(method string, status installation.Status) bool {
	rejected := status == installation.StatusInstalled || status == installation.StatusInvited
	return method == "Accept" || method == "Invite" && rejected
}
