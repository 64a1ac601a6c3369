package installation

import (
	"unicode/utf8"

	"github.com/go-installation/installation/validate"
)

// eventsOf returns the events of a draft. Only the first event names what changed.
func (s *Service) eventsOf(d *draft, next *Record) []Event {
	if len(d.events) == 0 {
		return nil
	}
	inst := d.inst
	if inst == nil {
		inst = d.partial(d.now)
	}
	e := Event{
		Key: d.key, Revision: d.stored.Revision, Generation: d.stored.Generation, Time: d.now,
		Extension: inst.Extension.ID, Account: inst.Account.ID,
		Actor: s.actor, Reason: d.reason, Changed: d.changed,
	}
	if next != nil {
		e.Revision, e.Generation = next.Revision, next.Generation
	}
	events := make([]Event, len(d.events))
	for i, t := range d.events {
		e.Type = t
		events[i] = e
		events[i].fit()
		e.Changed = nil
	}
	return events
}

// Lengths in bytes to which fit cuts texts. The other strings are the type and six IDs of at most
// [validate.MaxID] bytes. All of them fit into [MaxEvent] together.
const (
	cutKind   = 32
	cutName   = 128
	cutReason = 256
)

// fit shortens e to [MaxEvent] bytes. It takes each step only if e is still too long.
func (e *Event) fit() {
	long := func() bool {
		b, _ := e.MarshalBinary() // never fails
		return len(b) > MaxEvent
	}
	if !long() {
		return
	}
	e.Actor.User.Icon = ""
	if long() {
		e.Actor.User.Name = cut(e.Actor.User.Name, cutName)
	}
	names := e.Changed
	e.Changed, e.Omitted = nil, int64(len(names))
	if long() {
		e.Reason = cut(e.Reason, cutReason)
	}
	if long() {
		e.Actor.Kind = cut(e.Actor.Kind, cutKind)
		// If the record does not open, these come from the store, which can hold longer ones.
		e.Extension = cut(e.Extension, validate.MaxID)
		e.Account = cut(e.Account, validate.MaxID)
	}
	for n := range names {
		fits := *e
		e.Changed, e.Omitted = names[:n+1], int64(len(names)-n-1)
		if long() {
			*e = fits
			return
		}
	}
}

// cut returns the beginning of s, at most n bytes of whole characters.
func cut[T ~string](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
