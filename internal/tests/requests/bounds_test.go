package requests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// Only IDs that begin with "@" are reserved.
func TestIDWithAtSign(t *testing.T) {
	w := fixture.NewWorld(t)
	for _, id := range []string{"a@b", "-@", "a@"} {
		w.Add(t, w.Host, id)
		fixture.WantReadable(t, w.Host, id)
	}
}

// Bad input gets a typed error that names the place, and changes nothing.
func TestInvariant18Bounded(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	h.Invite("EXI-2")
	for _, c := range inputCases() {
		t.Run(c.name, func(t *testing.T) {
			before := len(h.Store.Changes())
			err := fixture.Call(t, c.name, func() error { return c.call(t.Context(), h.Host()) })
			fixture.WantViolation(t, err, c.path, c.rule)
			if n := len(h.Store.Changes()) - before; n != 0 {
				t.Errorf("%d changes were handed to the store", n)
			}
			if text := fmt.Sprint(err); len(text) > 1<<20 {
				t.Errorf("the error has %d bytes", len(text))
			}
		})
	}
	if i, err := h.Host().Get(t.Context(), "EXI-1"); err != nil || i.Revision != 1 {
		t.Errorf("got %+v, %v, want revision 1 after all cases", i, err)
	}
}

// An error lists all violations at once, up to a limit.
func TestInvariant18ErrorsAreBounded(t *testing.T) {
	h := fixture.NewAttack(t)
	_, err := h.Host().Upsert(t.Context(), installation.UpsertRequest{
		ID: "a\nb", Guard: installation.Guard{Revision: -1},
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{}),
			Consent: installation.Value(installation.Consent{
				Scopes: slices.Repeat([]string{"\n"}, 50_000),
			}),
		},
	})
	fixture.WantViolation(t, err, "id", validate.RuleControl)
	fixture.WantViolation(t, err, "revision", validate.RuleRange)
	fixture.WantViolation(t, err, "extension.id", validate.RuleRequired)
	fixture.WantViolation(t, err, "consent.scopes", validate.RuleTooMany)
	var e *validate.Error
	if errors.As(err, &e) && (len(e.Violations) != validate.MaxViolations || e.Omitted == 0) {
		t.Errorf("got %d violations and %d more, want %d",
			len(e.Violations), e.Omitted, validate.MaxViolations)
	}
}

// An accepted record can be read back from its bytes. The write rejects a record that no
// store could return.
func TestInvariant18WhatIsStoredCanBeRead(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	wide := strings.Repeat("\U0001F511", 255)
	icon := "https://" + strings.Repeat("\U0001F511", 2000)
	refs := inputMany(1000, func(i int) installation.Reference {
		return installation.Reference{ID: fmt.Sprint("r", i), Name: wide, Icon: icon}
	})
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	parts.Consent = installation.Value(installation.Consent{Modules: refs})
	_, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if err != nil {
		var e *validate.Error
		if !errors.As(err, &e) {
			t.Errorf("got error %v, want a *validate.Error", err)
		}
		if len(h.Store.Changes()) != 0 {
			t.Error("the request was rejected and committed")
		}
		return
	}
	if _, err := h.Host().Get(ctx, "EXI-1"); err != nil {
		t.Errorf("an accepted write cannot be read: %v (%d bytes)",
			err, len(h.Store.Last(fixture.KeyAt("EXI-1")).Body.Bytes()))
	}
}

// The largest document with the most secrets can be stored, read, and sent back.
func TestInvariant18TheLargestFits(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	prefix := strings.Repeat("p", 900)
	tokens := strings.Repeat(`"`+strings.Repeat("t", 200)+`",`, 1000)
	tokens = strings.TrimSuffix(tokens, ",")
	largest := installation.JSON(`{"` + prefix + `":{"token":[` + tokens + `]}}`)
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	parts.Configuration = installation.Value(installation.Configuration{Document: largest})
	parts.Connection = installation.Value(installation.Connection{
		Metadata: largest, APIKey: crypto.NewSecret(strings.Repeat("k", 64<<10)),
	})
	parts.Extra = installation.Value(largest)
	if _, err := h.Host().Upsert(ctx, installation.UpsertRequest{
		ID: "EXI-1", Parts: parts,
	}); err != nil {
		// The service may reject all three at once, and says why.
		fixture.WantViolation(t, err, "", validate.RuleTooLarge)
		return
	}
	i, err := h.Host().Get(ctx, "EXI-1")
	if err != nil || len(i.Sealed) != 3001 {
		t.Fatalf("got %v", err)
	}
	page, err := h.Host().Events(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		b, _ := e.MarshalBinary()
		var back installation.Event
		if err := back.UnmarshalBinary(b); err != nil {
			t.Errorf("the event %s of %d bytes cannot be read back: %v", e.Type, len(b), err)
		}
	}
	res, err := h.Host().Upsert(ctx, installation.UpsertRequest{
		ID:    "EXI-1",
		Parts: installation.Parts{Configuration: installation.Value(*i.Configuration)},
	})
	if err != nil || res.Changed {
		t.Errorf("sent back: got %v, %v, want no change", res, err)
	}
}

// A store can write and read every event that was committed.
func TestEventsOfUnusualRequestsCanBeRead(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	for _, pointer := range []string{"/a\xff", "/\x00", "no slash", "/~9", "/\n"} {
		_, _ = h.Host().Reveal(ctx, installation.RevealRequest{
			ID: "EXI-1", Reason: "r",
			Refs: []installation.Ref{installation.Ref("config" + pointer)},
		})
	}
	for _, c := range h.Store.Changes() {
		for _, e := range c.Events {
			b, _ := e.MarshalBinary()
			var back installation.Event
			if err := back.UnmarshalBinary(b); err != nil {
				t.Errorf("an event %s with %q cannot be read back: %v", e.Type, e.Changed, err)
			} else if d := cmp.Diff(e, back); d != "" {
				t.Errorf("event (-written +read):\n%s", d)
			}
		}
	}
}

// Without an actor every call is forbidden, whatever the policy says. A call with an
// expired or cancelled context returns the error of the context.
func TestInvariant18NoActorNoContext(t *testing.T) {
	h := fixture.NewAttack(t, allowAll)
	h.Install("EXI-1", "ACC-1")
	h.Invite("EXI-2")
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	before := len(h.Store.Changes())
	for _, id := range []string{"EXI-1", "EXI-2", "EXI-none"} {
		for _, m := range append(fixture.Methods(id), fixture.WideMethods()...) {
			for name, s := range map[string]*installation.Service{
				"service":    h.Service,
				"tenant":     h.Service.In(fixture.Tenant),
				"zero actor": h.As(installation.Actor{}),
				"id only":    h.As(installation.Actor{ID: "ACC-1"}),
			} {
				err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), s) })
				if !errors.Is(err, installation.ErrForbidden) {
					t.Errorf("%s %s without an actor (%s): got error %v, want ErrForbidden",
						m.Name, id, name, err)
				}
			}
			for ctx, want := range map[context.Context]error{
				expired: context.DeadlineExceeded, cancelled: context.Canceled,
			} {
				err := fixture.Call(t, m.Name, func() error { return m.Call(ctx, h.Host()) })
				if !errors.Is(err, want) || errors.Is(err, installation.ErrNotFound) {
					t.Errorf("%s %s: got error %v, want %v", m.Name, id, err, want)
				}
			}
		}
	}
	if n := len(h.Store.Changes()) - before; n != 0 {
		t.Errorf("%d changes were handed to the store", n)
	}
}

// allowAll is a policy that allows everything.
func allowAll(o *installation.Options) {
	o.Policy = func(
		installation.Actor, installation.Action, *installation.Installation,
	) bool {
		return true
	}
}

// The record of an actor can be read again, whatever its kind. The policy of a host may
// have kinds of its own.
func TestUnusualActorsAreRejectedOrReadable(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t, allowAll)
	for i, kind := range []installation.ActorKind{
		"reseller", "a\xff", "a\x00", "a\n", installation.ActorKind(strings.Repeat("k", 1<<20)),
	} {
		id := fmt.Sprint("EXI-", i)
		h.Install(id, fmt.Sprint("ACC-", i))
		odd := h.As(installation.Actor{Kind: kind, ID: "X"})
		if _, err := odd.Patch(ctx, installation.PatchRequest{
			ID: id, Parts: installation.Parts{Name: installation.Value("x")},
		}); err != nil {
			var e *validate.Error
			if !errors.As(err, &e) || e.Violations[0].Path != "actor.kind" {
				t.Errorf("a %.10q: got error %v, want a violation at actor.kind or no error",
					kind, err)
			}
		}
		_, err := odd.Uninstall(ctx, installation.UninstallRequest{ID: id})
		if got, read := h.Host().Get(ctx, id); read != nil {
			t.Errorf("uninstalled by a %.10q (error %v): cannot be read: %v",
				kind, err, read)
		} else if len(fmt.Sprint(got.Audit.Uninstalled)) > 10_000 {
			t.Errorf("a kind of %d bytes was recorded", len(kind))
		}
	}
	for _, c := range h.Store.Changes() {
		for _, e := range c.Events {
			b, _ := e.MarshalBinary()
			var back installation.Event
			if err := back.UnmarshalBinary(b); err != nil {
				t.Errorf("an event %s by %.10q cannot be read back: %v",
					e.Type, e.Actor.Kind, err)
			}
		}
	}
}
