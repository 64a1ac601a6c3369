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
