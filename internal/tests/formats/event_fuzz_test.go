package formats

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

var (
	eventSeeds = []installation.Event{
		{
			Type: event.Created, Key: fixture.KeyAt("EXI-1"),
			Revision: 1, Generation: 1, Time: everyTime,
		},
		{
			Type: "from the future", Key: installation.Key{ID: "ü\x01"}, Revision: -1,
			Actor: installation.Actor{
				Kind: installation.Host, User: everyReference, ReadOnly: true,
			},
		},
		{
			Type: event.Revealed, Key: fixture.KeyAt("\xff"),
			Extension: "EXT-1", Account: "ACC-1", Reason: "why\nnot",
			Changed: []string{"config/a", "credential/api_key"},
			Actor:   installation.Actor{Kind: installation.Vendor, ID: "ACC-1"},
		},
	}
	damagedEvents = []string{
		"", "\x02", "\x01\xa0", "\x02\x0a", "\x02\x0a\x00", "\x02\x20\x80\x00",
		"\x02\x0a\x01\xff",
	}
)

// FuzzEvent proves that any input is an event with one encoding, or ErrSealed.
func FuzzEvent(f *testing.F) {
	for _, e := range eventSeeds {
		b, err := e.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		var back installation.Event
		if err := back.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(e, back) {
			f.Fatalf("got %+v, %v, want %+v", back, err, e)
		}
	}
	for _, raw := range damagedEvents {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		was := installation.Event{ID: "kept", Type: "kept"}
		e := was
		if err := e.UnmarshalBinary(raw); err != nil {
			if !errors.Is(err, installation.ErrSealed) {
				t.Fatalf("got error %v, want ErrSealed", err)
			}
			if e.ID != was.ID || e.Type != was.Type {
				t.Fatal("rejected bytes changed the event")
			}
			return
		}
		once, _ := e.MarshalBinary()
		if !bytes.Equal(once, raw) {
			t.Fatalf("accepted %x, which is written as %x", raw, once)
		}
		var again installation.Event
		if err := again.UnmarshalBinary(once); err != nil {
			t.Fatalf("a written event does not decode: %v", err)
		}
		if twice, _ := again.MarshalBinary(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%x\n%x", once, twice)
		}
		if e.ID != "" || !e.Time.Equal(again.Time) || !slices.Equal(e.Changed, again.Changed) ||
			e.Key != again.Key || e.Actor != again.Actor {
			t.Fatalf("%+v came back as %+v", e, again)
		}
	})
}
