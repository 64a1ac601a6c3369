// Package tampering checks that edits of the store are detected, and that a damaged record, or a
// store or key service that fails, harms nothing else.
package tampering

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// recordEdit changes a stored record, as someone with access to the store could.
type recordEdit = func(r *installation.Record)

// tamperTarget is an untouched record and everything that the host can read of it.
type tamperTarget struct {
	h      *fixture.Attack
	key    installation.Key
	record *installation.Record
	inst   *installation.Installation
	plain  map[installation.Ref]string
}

func newTamperTarget(t testing.TB, h *fixture.Attack, id string) *tamperTarget {
	t.Helper()
	key := fixture.KeyAt(id)
	h.Store.Forge(key, nil)
	x := &tamperTarget{
		h: h, key: key, record: h.Store.Last(key), plain: make(map[installation.Ref]string),
	}
	var err error
	if x.inst, err = h.Host().Get(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	for _, r := range x.reveal(t) {
		if r.Err != nil {
			t.Fatal(r.Ref, r.Err)
		}
		x.plain[r.Ref] = r.Value.RevealString()
	}
	return x
}

func (x *tamperTarget) reveal(t testing.TB) []installation.Revealed {
	t.Helper()
	if len(x.inst.Sealed) == 0 {
		return nil
	}
	// Reveal records an event but changes no record, so it counts as a read here.
	all, err := x.h.Host().Reveal(context.Background(), installation.RevealRequest{
		ID: x.key.ID, Reason: "test", Refs: x.inst.Sealed,
	})
	if err != nil {
		t.Errorf("Reveal: %v", err)
	}
	return all
}

// tamperHarmless lists the fields of an installation that an edit may change. judge compares all
// others. Each use gives the reason.
type tamperHarmless struct {
	revision    bool // Installation.Revision
	status      bool // Installation.Status
	uninstalled bool // Installation.Audit.Uninstalled
	expired     bool // Installation.Audit.Expired
}

func (may tamperHarmless) apply(from, to *installation.Installation) {
	if may.revision {
		to.Revision = from.Revision
	}
	if may.status {
		to.Status = from.Status
		if to.Invitation != nil && from.Invitation != nil {
			inv := *to.Invitation
			inv.Status = from.Invitation.Status
			to.Invitation = &inv
		}
	}
	if may.uninstalled {
		to.Audit.Uninstalled = from.Audit.Uninstalled
	}
	if may.expired {
		to.Audit.Expired = from.Audit.Expired
	}
}

// tamperOutcome is the outcome of an edit.
type tamperOutcome string

const (
	// tamperDetected: Get and List return ErrSealed or ErrUnknownKey.
	tamperDetected tamperOutcome = "detected"
	// tamperSame: reads return the same installation, except for the fields that may differ, and
	// every secret is the same or does not open.
	tamperSame tamperOutcome = "same"
)

// judge replaces the stored record and returns whether the edit is detected or harmless. It
// fails the test if it is neither.
func (x *tamperTarget) judge(
	t testing.TB, what string, r *installation.Record, may tamperHarmless,
) tamperOutcome {
	t.Helper()
	x.h.Store.Forge(x.key, r)
	defer x.h.Store.Forge(x.key, nil)
	var got *installation.Installation
	err := fixture.Call(t, what, func() (err error) {
		got, err = x.h.Host().Get(context.Background(), x.key.ID)
		return err
	})
	listed := x.list(t, what)
	switch {
	case errors.Is(err, installation.ErrSealed), errors.Is(err, installation.ErrUnknownKey):
		x.wantClosed(t, what, r, got, listed, err)
		return tamperDetected
	case err != nil:
		t.Errorf("%s: got error %v, want ErrSealed, ErrUnknownKey or none", what, err)
		return ""
	}
	x.wantSame(t, what, got, listed, may)
	return tamperSame
}

// wantClosed fails the test if Get and List disagree about a detected edit, or show content.
func (x *tamperTarget) wantClosed(
	t testing.TB, what string, r *installation.Record, got, listed *installation.Installation,
	err error,
) {
	t.Helper()
	agree := listed != nil &&
		errors.Is(listed.Err, installation.ErrSealed) == errors.Is(err, installation.ErrSealed)
	if r.Key == x.key && !agree {
		t.Errorf("%s: Get returns %v, List another error", what, err)
	}
	if got != nil && (got.Configuration != nil || got.Connection != nil ||
		!got.Extra.IsZero() || got.Err == nil) {
		t.Errorf("%s: a closed record shows content", what)
	}
}

// wantSame fails the test if reads return more than a harmless difference.
func (x *tamperTarget) wantSame(
	t testing.TB, what string, got, listed *installation.Installation, may tamperHarmless,
) {
	t.Helper()
	for how, read := range map[string]*installation.Installation{"Get": got, "List": listed} {
		if read == nil {
			t.Errorf("%s: %s has no row", what, how)
			continue
		}
		want := *x.inst
		may.apply(read, &want)
		if d := fixture.Diff(&want, read); d != "" {
			t.Errorf("%s: not detected, and %s differs (-original +edited):\n%.600s", what, how, d)
		}
	}
	for _, s := range x.reveal(t) {
		if s.Err != nil && !errors.Is(s.Err, installation.ErrSealed) ||
			s.Err == nil && s.Value.RevealString() != x.plain[s.Ref] {
			t.Errorf("%s: %v reveals another value, error %v", what, s.Ref, s.Err)
		}
	}
}

func (x *tamperTarget) list(t testing.TB, what string) (found *installation.Installation) {
	t.Helper()
	err := fixture.Call(t, what, func() error {
		list, err := x.h.Host().List(context.Background(), installation.ListRequest{})
		if err != nil {
			return err
		}
		for _, i := range list.Installations {
			if i.ID == x.key.ID {
				found = i
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: List: %v", what, err)
	}
	return found
}

// detected fails the test unless an edit of the record is detected.
func (x *tamperTarget) detected(t testing.TB, what string, edit recordEdit) {
	t.Helper()
	r := fixture.CopyRecord(x.record)
	edit(r)
	x.h.Store.Forge(x.key, r)
	_, err := x.h.Host().Get(t.Context(), x.key.ID)
	if err == nil {
		x.h.Store.Forge(x.key, nil)
		t.Errorf("%s: not detected", what)
		return
	}
	x.judge(t, what, r, tamperHarmless{})
}

// bodyDetected fails the test unless an edit of the decoded body is detected.
func (x *tamperTarget) bodyDetected(t testing.TB, what string, edit func(body *fixture.Body)) {
	t.Helper()
	x.detected(t, what, x.edited(t, edit))
}

// edited returns an edit of the decoded body.
func (x *tamperTarget) edited(t testing.TB, edit func(body *fixture.Body)) recordEdit {
	return func(r *installation.Record) {
		body := fixture.DecodeBody(t, r.Body)
		edit(body)
		r.Body = fixture.EncodeBody(body)
	}
}
