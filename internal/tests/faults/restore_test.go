package faults

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// story is a namespace that is restored from one backup, twice.
type story struct {
	*walk
	server *server
	clock  *clock
	found  map[string]string // the first violation of each kind
}

// handedOut is what callers hold from one life of the namespace.
type handedOut struct {
	life     string
	revision int64 // of the installation, for a guard
	code     crypto.Secret
	cursor   string
	keyed    installation.PatchRequest
}

func newStory(t testing.TB, broke rules) *story {
	return &story{
		walk: newWalk(t, broke), server: newServer(broke), clock: &clock{fixture.Start},
		found: map[string]string{},
	}
}

// process returns the service of a new process.
func (s *story) process() *service { return as(s.newService(s.server.connect(), s.clock), "host") }

func (s *story) violation(kind, format string, args ...any) {
	if s.found[kind] == "" {
		s.found[kind] = fmt.Sprintf(format, args...)
	}
}

// begin makes an installation and an invitation.
func (s *story) begin(host *service) {
	install(s.t, host)
	must(s.t, func() (*result, error) {
		return host.Invite(s.t.Context(), installation.InviteRequest{
			ID: "old", Parts: installation.Parts{Extension: extension},
		})
	})
}

// work changes the installation, invites, and reads the log. It returns what callers hold then.
func (s *story) work(host *service, life string) handedOut {
	s.t.Helper()
	ctx := s.t.Context()
	req := installation.PatchRequest{
		Guard: installation.Guard{IdempotencyKey: "key of " + life}, ID: id, Parts: named(life),
	}
	res := must(s.t, func() (*result, error) { return host.Patch(ctx, req) })
	invited := must(s.t, func() (*result, error) {
		return host.Resend(ctx, installation.ResendRequest{ID: "old"})
	})
	page := must(s.t, func() (installation.EventPage, error) { return host.Events(ctx, "", 0) })
	return handedOut{life, res.Revision, invited.Code, page.Next, req}
}

// must returns the answer of a call that cannot fail in this story.
func must[T any](t testing.TB, call func() (T, error)) T {
	t.Helper()
	v, err := call()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// redeem tries a code for the invitation of the backup.
func (s *story) redeem(host *service, code crypto.Secret) error {
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"})
	_, err := customer.Accept(context.Background(), installation.AcceptRequest{
		ID: "old", Code: code, Account: installation.Account{ID: "ACC-2"},
	})
	return err
}

// wantLost checks that nothing from a lost life is honoured.
func (s *story) wantLost(host *service, h handedOut, guards bool) {
	ctx := s.t.Context()
	if guards {
		_, err := host.Patch(ctx, installation.PatchRequest{
			Guard: installation.Guard{Revision: h.revision}, ID: id, Parts: named("guarded"),
		})
		if !errors.Is(err, installation.ErrConflict) {
			s.violation("guard", "revision %d of %s: %v", h.revision, h.life, err)
		}
	}
	if err := s.redeem(host, h.code); !errors.Is(err, installation.ErrInvitation) {
		s.violation("code", "the code of %s: %v", h.life, err)
	}
	if _, err := host.Events(ctx, h.cursor, 0); !errors.Is(err, installation.ErrTrimmed) {
		s.violation("cursor", "the cursor of %s: %v", h.life, err)
	}
	if res, err := host.Patch(ctx, h.keyed); err != nil || res.Replayed {
		s.violation("key", "the idempotency key of %s: %+v, %v", h.life, res, err)
	}
}

// accept accepts the restore, and resends what VoidInvitations lists.
func (s *story) accept(host *service) {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := host.AcceptRestore(ctx); err != nil {
		s.t.Fatal(err)
	}
	page := must(s.t, func() (installation.VoidPage, error) {
		return host.VoidInvitations(ctx, "")
	})
	if len(page.Keys) != 1 || page.Keys[0] != fixture.KeyAt("old") {
		s.violation("void", "VoidInvitations lists %v", page.Keys)
	}
}

// tell tells the whole story. The clock goes back before the second accept if back is set.
func (s *story) tell(back bool) {
	host := s.process()
	s.begin(host)
	kept := must(s.t, func() (*result, error) {
		return host.Resend(s.t.Context(), installation.ResendRequest{ID: "old"})
	})
	backup := s.server.backup()
	lost := []handedOut{s.work(host, "the lost time")}

	s.server.restore(backup)
	at := *s.clock
	host = s.process()
	s.accept(host)
	if err := s.redeem(host, kept.Code); !errors.Is(err, installation.ErrInvitation) {
		s.violation("code", "the code of the backup: %v", err)
	}
	first := s.work(host, "the first life")
	for _, h := range lost {
		s.wantLost(host, h, true)
	}
	lost = append(lost, first)

	s.server.restore(backup)
	if back {
		*s.clock = at
	}
	host = s.process()
	s.accept(host)
	s.work(host, "the second life")
	for _, h := range lost {
		s.wantLost(host, h, !back)
	}
}

// Nothing from a lost time is honoured after its restore was accepted, also if one backup is
// restored twice.
func TestInvariant22RestoredTwice(t *testing.T) {
	for name, back := range map[string]bool{"clock": false, "clock goes back": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, rules{})
			s.tell(back)
			for kind, first := range s.found {
				t.Errorf("%s: %s", kind, first)
			}
		})
	}
}

// The story finds a violation on a store without any one of the rules of "Restore".
func TestInvariant22EachRuleOfRestoreIsNeeded(t *testing.T) {
	for _, b := range []struct {
		broken
		back bool
	}{
		{broken{"no time in the epoch", rules{countedEpoch: true}, "guard"}, false},
		{broken{"no era", rules{noEra: true}, "cursor"}, true},
	} {
		t.Run(b.name, func(t *testing.T) {
			s := newStory(t, b.rules)
			s.tell(b.back)
			if s.found[b.found] == "" {
				t.Errorf("found %v, want %q", s.found, b.found)
			}
			t.Log(s.found)
		})
	}
}

// A guard from before the backup still works, and so does an idempotency key. That holds before
// the restore is accepted and after it.
func TestInvariant22WhatTheBackupHasIsHonoured(t *testing.T) {
	s := newStory(t, rules{})
	host := s.process()
	s.begin(host)
	h := s.work(host, "before the backup")
	backup := s.server.backup()
	s.work(host, "the lost time")
	s.server.restore(backup)
	host = s.process()
	s.accept(host)
	if res, err := host.Patch(t.Context(), h.keyed); err != nil || !res.Replayed {
		t.Errorf("an idempotency key of the backup: %+v, %v; want the first answer", res, err)
	}
	res, err := host.Patch(t.Context(), installation.PatchRequest{
		Guard: installation.Guard{Revision: h.revision}, ID: id, Parts: named("guarded"),
	})
	if err != nil || res.Revision < s.server.meta[0].Epoch {
		t.Errorf("a guard of the backup: %+v, %v; want a revision of the epoch", res, err)
	}
	if err := s.redeem(host, h.code); !errors.Is(err, installation.ErrInvitation) {
		t.Errorf("a code of the backup: %v, want ErrInvitation", err)
	}
	_, err = host.Events(t.Context(), h.cursor, 0)
	fixture.WantErr(t, "a cursor of the backup", err, installation.ErrTrimmed)
}

// A running process stops until an operator accepts. A new process does not notice, and a running
// process notices a second restore too.
func TestInvariant22RunningProcessNotices(t *testing.T) {
	s := newStory(t, rules{})
	running := s.process()
	s.begin(running)
	backup := s.server.backup()
	for range 2 {
		s.work(running, "the lost time")
		s.clock.at = s.clock.at.Add(time.Hour)
		s.server.restore(backup)
		for _, call := range []func() error{
			func() error { _, err := running.Get(t.Context(), id); return err },
			func() error { _, err := running.Events(t.Context(), "", 0); return err },
			func() error {
				_, err := running.Patch(t.Context(), installation.PatchRequest{
					ID: id, Parts: named("late"),
				})
				return err
			},
		} {
			err := call()
			fixture.WantErr(t, "a running process", err, installation.ErrRestored)
			fixture.WantErr(t, "a running process", err, installation.ErrUnavailable)
		}
		if _, err := s.process().Get(t.Context(), id); err != nil {
			t.Errorf("a new process: %v", err)
		}
		s.accept(s.process())
		if _, err := running.Get(t.Context(), id); err != nil {
			t.Errorf("a running process after the accept: %v", err)
		}
	}
}
