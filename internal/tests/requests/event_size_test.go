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
	checkEventSizes(t, h.Store)
}

// A name of 128 bytes needs one byte more for its length than a shorter one. The lengths of the
// reasons leave every possible rest for the last name.
func TestInvariant18EventsWithLongNamesAreBounded(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	var members []string
	var refs []installation.Ref
	for i := range 30 {
		name := fmt.Sprintf("%s%02d", strings.Repeat("p", 128-len("config/00/password")), i)
		members = append(members, fmt.Sprintf(`"%s":{"password":"s3cr3t"}`, name))
		refs = append(refs, installation.Ref("config/"+name+"/password"))
	}
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	parts.Configuration = installation.Value(installation.Configuration{
		Document: installation.JSON("{" + strings.Join(members, ",") + "}"),
	})
	s := h.Host()
	req := installation.UpsertRequest{ID: "EXI-1", Parts: parts}
	if _, err := s.Upsert(ctx, req); err != nil {
		t.Fatal(err)
	}
	for n := range 132 {
		reason := strings.Repeat("r", n+1)
		if _, err := s.Reveal(ctx, installation.RevealRequest{
			ID: "EXI-1", Refs: refs, Reason: reason,
		}); err != nil {
			t.Fatal(err)
		}
	}
	checkEventSizes(t, h.Store)
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
		Kind: installation.ActorKind(strings.Repeat("😀", validate.MaxName)), ID: id,
		User: installation.Reference{ID: id, Name: id},
	})
	parts := fixture.SecretParts(id, "s3cr3t")
	parts.Extension = installation.Value(installation.Extension{ID: "EXT-1"})
	if _, err := s.Upsert(t.Context(), installation.UpsertRequest{
		ID: id, Parts: parts,
	}); err != nil {
		t.Fatal(err)
	}
	checkEventSizes(t, h.Store)
}

// The IDs of a record that does not open come from its index terms, which anyone with access to the
// store can write.
func TestInvariant18EventsOfEditedRecordsAreBounded(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	w.EditRecord(t, "i", func(record *installation.Record) {
		long := strings.Repeat("x", installation.MaxEvent)
		record.Index = []string{"acc=" + long, "ext=" + long}
	})
	if _, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	checkEventSizes(t, w.Store)
}

func checkEventSizes(t *testing.T, store *fixture.Store) {
	t.Helper()
	changes := store.Changes()
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
