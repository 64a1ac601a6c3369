package requests

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// An event is bounded in bytes, whatever the request and the actor are. It says how many names it
// leaves out, and its other texts are whole characters.
func TestInvariant18EventsAreBounded(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	id, long := strings.Repeat("i", validate.MaxID), strings.Repeat("é", validate.MaxName)
	actor := fixture.HostActor
	actor.ID = strings.Repeat("a", validate.MaxID)
	actor.User = installation.Reference{
		ID: strings.Repeat("u", validate.MaxID), Name: long,
		Icon: "https://icons.example/" + strings.Repeat("p", validate.MaxURL-22),
	}
	reason := strings.Repeat("日", validate.MaxMessage)
	s := h.As(actor)
	var members []string
	var refs []installation.Ref
	for i := range 200 {
		name := fmt.Sprintf("%s%03d", strings.Repeat("p", 900), i)
		members = append(members, fmt.Sprintf(`"%s":{"password":"s3cr3t"}`, name))
		refs = append(refs, installation.Ref("config/"+name+"/password"))
	}
	parts := fixture.SecretParts(strings.Repeat("c", validate.MaxID), "s3cr3t")
	parts.Configuration = installation.Value(installation.Configuration{
		Document: installation.JSON("{" + strings.Join(members, ",") + "}"),
	})
	if _, err := s.Upsert(ctx, installation.UpsertRequest{ID: id, Parts: parts}); err != nil {
		t.Fatal(err)
	}
	for _, by := range []*installation.Service{s, h.Host()} {
		if _, err := by.Reveal(ctx, installation.RevealRequest{
			ID: id, Refs: refs, Reason: reason,
		}); err != nil {
			t.Fatal(err)
		}
	}
	var omitted []int64
	for _, c := range h.Store.Changes() {
		for _, e := range c.Events {
			b, _ := e.MarshalBinary()
			if len(b) > installation.MaxEvent {
				t.Errorf("the event %s has %d bytes", e.Type, len(b))
			}
			if !utf8.ValidString(e.Reason) || !utf8.ValidString(e.Actor.User.Name) ||
				!strings.HasPrefix(reason, e.Reason) {
				t.Errorf("event %s: reason %q by %q", e.Type, e.Reason, e.Actor.User.Name)
			}
			if e.Omitted > 0 {
				omitted = append(omitted, e.Omitted+int64(len(e.Changed)))
			}
		}
	}
	if len(omitted) < 2 || omitted[0] < 200 || omitted[1] != 200 {
		t.Errorf("events with names left out have %d names, want 200 and more", omitted)
	}
}

// An event at the border of MaxEvent stays within it, type included, whatever the length of its
// reason.
func TestInvariant18EventsAreBoundedToTheByte(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	refs := []installation.Ref{"config/adobe_secret"}
	for n := installation.MaxEvent - 200; n < installation.MaxEvent; n++ {
		reason := strings.Repeat("r", n)
		if _, err := h.Host().Reveal(ctx, installation.RevealRequest{
			ID: "EXI-1", Refs: refs, Reason: reason,
		}); err != nil {
			t.Fatal(err)
		}
	}
	checkEventSizes(t, h)
}

// The names in an event count with their length in the encoding, which takes two bytes from 128
// bytes on.
func TestInvariant18EventsWithLongNamesAreBounded(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	for n := range 20 {
		var members []string
		for i := range 100 {
			name := fmt.Sprintf("%s%02d", strings.Repeat("p", 120+n), i)
			members = append(members, fmt.Sprintf(`"%s":1`, name))
		}
		parts := fixture.SecretParts("ACC-1", "s3cr3t")
		parts.Configuration = installation.Value(installation.Configuration{
			Document: installation.JSON("{" + strings.Join(members, ",") + "}"),
		})
		if _, err := h.Host().Upsert(ctx, installation.UpsertRequest{
			ID: "EXI-1", Parts: parts,
		}); err != nil {
			t.Fatal(err)
		}
	}
	checkEventSizes(t, h)
}

// A policy of the host may know kinds of actors with long names.
func TestInvariant18EventsOfLongKindsAreBounded(t *testing.T) {
	h := fixture.NewAttack(t, func(o *installation.Options) {
		o.Policy = func(installation.Actor, installation.Action, *installation.Installation) bool {
			return true
		}
	})
	id := strings.Repeat("i", validate.MaxID)
	s := h.As(installation.Actor{
		Kind: installation.ActorKind(strings.Repeat("日", validate.MaxName)), ID: id,
		User: installation.Reference{ID: id, Name: id},
	})
	if _, err := s.Upsert(t.Context(), installation.UpsertRequest{
		ID: id, Parts: fixture.SecretParts(id, "s3cr3t"),
	}); err != nil {
		t.Fatal(err)
	}
	checkEventSizes(t, h)
}

func checkEventSizes(t *testing.T, h *fixture.Attack) {
	t.Helper()
	changes := h.Store.Changes()
	if len(changes) == 0 {
		t.Fatal("no changes")
	}
	for _, c := range changes {
		for _, e := range c.Events {
			if b, _ := e.MarshalBinary(); len(b) > installation.MaxEvent {
				t.Errorf("the event %s has %d bytes", e.Type, len(b))
			}
		}
	}
}
