package tampering

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// unreadableEnd is an unreadable record "EXI-2" in a status, which the host ends.
type unreadableEnd struct {
	unreadableCase
	status installation.Status
	h      *fixture.Attack
	before int // changes before the call
}

// checkEndings checks that the host can end a record without a key.
func checkEndings(t *testing.T, c unreadableCase, status installation.Status) {
	for name, check := range map[string]func(t *testing.T, e *unreadableEnd){
		"Uninstall":        checkUninstall,
		"Uninstall, final": checkFinalUninstall,
		"Delete":           checkDelete,
		"Expire":           checkExpire,
		"Sweep":            checkSweep,
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := newUnreadable(t, c, status)
			check(t, &unreadableEnd{c, status, h, len(h.Store.Changes())})
		})
	}
}

// commits returns the number of changes since the record became unreadable.
func (e *unreadableEnd) commits() int { return len(e.h.Store.Changes()) - e.before }

// wantClosed fails the test unless the record has a status and still does not open.
func (e *unreadableEnd) wantClosed(t *testing.T, want installation.Status) {
	t.Helper()
	i, err := e.h.Host().Get(t.Context(), "EXI-2")
	if i == nil || i.Status != want || !errors.Is(err, e.want) {
		t.Errorf("then Get: got %+v, %v, want %s and %v", i, err, want, e.want)
	}
	list, err := e.h.Host().List(t.Context(), installation.ListRequest{})
	if err != nil || len(list.Installations) != 3 {
		t.Errorf("then List: got %v, %v, want 3 rows", list, err)
	}
}

// wantShredded fails the test unless the record is destroyed and its id can be used again.
func (e *unreadableEnd) wantShredded(t *testing.T) {
	t.Helper()
	i, err := e.h.Host().Get(t.Context(), "EXI-2")
	if !errors.Is(err, installation.ErrShredded) || i == nil ||
		i.Status != installation.StatusUninstalled || !i.Purged ||
		i.Extension.ID != "EXT-1" || i.Generation != 1 {
		t.Errorf("then Get: got %+v, %v, want uninstalled, purged and ErrShredded", i, err)
	}
	if n := len(e.h.Store.Last(fixture.KeyAt("EXI-2")).Body.Bytes()); n > 256 {
		t.Errorf("a shredded body has %d bytes", n)
	}
	parts := fixture.SecretParts("ACC-2", "fresh")
	req := installation.UpsertRequest{ID: "EXI-2", Parts: parts}
	res, err := e.h.Host().Upsert(t.Context(), req)
	if err != nil || !res.Created || res.Generation != 2 {
		t.Errorf("then Upsert: got %v, %v, want generation 2", res, err)
	}
}

// wantRejectedOrDone checks a call on a body of which nothing can be read. Another process may
// still be able to read it, so the call may fail and change nothing.
func (e *unreadableEnd) wantRejectedOrDone(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!errors.Is(err, e.want) || e.commits() != 0) {
		t.Errorf("got error %v and %d commits, want %v and none, or success",
			err, e.commits(), e.want)
	}
}

func checkUninstall(t *testing.T, e *unreadableEnd) {
	var res *installation.Result
	err := fixture.Call(t, "Uninstall", func() (err error) {
		req := installation.UninstallRequest{ID: "EXI-2"}
		res, err = e.h.Host().Uninstall(t.Context(), req)
		return err
	})
	again := e.status == installation.StatusUninstalled
	switch {
	case e.unread:
		e.wantRejectedOrDone(t, err)
	case e.status == installation.StatusExpired:
		if !errors.Is(err, installation.ErrConflict) {
			t.Errorf("got error %v, want ErrConflict", err)
		}
	case err != nil || res.Status != installation.StatusUninstalled || res.Changed == again:
		t.Errorf("got %+v, %v", res, err)
	default:
		e.wantClosed(t, installation.StatusUninstalled)
	}
}

func checkFinalUninstall(t *testing.T, e *unreadableEnd) {
	if e.status == installation.StatusExpired {
		t.Skip("an expired invitation cannot be uninstalled")
	}
	err := fixture.Call(t, "Uninstall", func() error {
		guard := installation.Guard{IdempotencyKey: "u"}
		req := installation.UninstallRequest{ID: "EXI-2", Guard: guard, Final: true}
		_, err := e.h.Host().Uninstall(t.Context(), req)
		return err
	})
	if e.unread && errors.Is(err, e.want) {
		if e.commits() != 0 {
			t.Errorf("rejected with %v, and committed", err)
		}
		return // the host can still delete it
	}
	if err != nil {
		t.Fatalf("got error %v", err)
	}
	e.wantShredded(t)
}

func checkDelete(t *testing.T, e *unreadableEnd) {
	err := fixture.Call(t, "Delete", func() error {
		_, err := e.h.Host().Delete(t.Context(), installation.DeleteRequest{ID: "EXI-2"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.h.Host().Get(t.Context(), "EXI-2"); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("then Get: got error %v, want ErrNotFound", err)
	}
}

func checkExpire(t *testing.T, e *unreadableEnd) {
	err := fixture.Call(t, "Expire", func() error {
		_, err := e.h.Host().Expire(t.Context(), installation.ExpireRequest{ID: "EXI-2"})
		return err
	})
	switch {
	case e.unread:
		e.wantRejectedOrDone(t, err)
	case e.status == installation.StatusInvited:
		if err != nil {
			t.Errorf("got error %v", err)
		}
		e.wantClosed(t, installation.StatusExpired)
	case e.status == installation.StatusExpired:
		if err != nil || e.commits() != 0 {
			t.Errorf("got error %v and %d commits, want none", err, e.commits())
		}
	case !errors.Is(err, installation.ErrConflict):
		t.Errorf("got error %v, want ErrConflict", err)
	}
}

func checkSweep(t *testing.T, e *unreadableEnd) {
	for _, id := range []string{"EXI-1", "EXI-3"} {
		req := installation.UninstallRequest{ID: id}
		if _, err := e.h.Host().Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	e.h.Advance(30 * 24 * time.Hour)
	var report installation.SweepReport
	err := fixture.Call(t, "Sweep", func() (err error) {
		report, err = e.h.Host().Sweep(t.Context(), installation.SweepRequest{})
		return err
	})
	due, waiting := 0, 0
	switch e.status {
	case installation.StatusInvited:
		due = 1
	case installation.StatusUninstalled:
		waiting = 1
	}
	if e.unread && due+waiting == 1 {
		// A body that cannot be read is reported. It must not hide or undo the rest.
		if report.Purged+report.Expired+report.Failed != 3 || report.Failed == 1 != (err != nil) {
			t.Errorf("got %+v, %v, want all three counted", report, err)
		}
	} else if err != nil || report.Purged+report.Expired != 2+due ||
		report.Waiting != waiting || report.Failed != 0 {
		t.Errorf("got %+v, %v, want %d done and %d waiting", report, err, 2+due, waiting)
	}
	for _, id := range []string{"EXI-1", "EXI-3"} {
		if i, err := e.h.Host().Get(t.Context(), id); err != nil || !i.Purged {
			t.Errorf("%s: got %+v, %v, want purged", id, i, err)
		}
	}
	if e.status == installation.StatusUninstalled && report.Failed == 0 {
		e.wantClosed(t, installation.StatusUninstalled)
		checkFinalUninstall(t, e)
	}
}
