package storekey

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"time"

	"github.com/go-installation/installation"
)

// Span is a range of keys: those with Prefix between Low and High, both excluded. A query puts the
// prefix of its list before every cursor, so no cursor can point into a different list.
type Span struct {
	Prefix, Low, High Key
	Reverse           bool // from High to Low

	tenant Key // the start of the keys of all rows in the list; nil if it covers all tenants
}

// SpanOf returns the range of q in the keys of Lists. It returns an error that matches
// [installation.ErrInvalid] if q is not valid or the cursor is of no page.
func SpanOf(q installation.Query) (Span, error) {
	var sp Span
	if err := q.Validate(); err != nil {
		return sp, err
	}
	switch {
	case q.AllTenants && q.Term != "":
		sp = all(Key{scopeGlobal}.string(q.Term))
	case q.AllTenants:
		sp = until(Key{scopeAnyDue}, q.DueBefore)
	case q.Term != "":
		sp = all(Key{scopeTerm}.string(q.Tenant).string(q.Term))
	default:
		sp = until(Key{scopeDue}.string(q.Tenant), q.DueBefore)
	}
	if !q.AllTenants {
		sp.tenant = Tenant(q.Tenant)
	}
	sp.Reverse = q.Reverse && q.Term != ""
	if q.After == "" {
		return sp, nil
	}
	position, err := base64.RawURLEncoding.Strict().DecodeString(q.After)
	if err != nil {
		return Span{}, fmt.Errorf("%w: not a cursor", installation.ErrInvalid)
	}
	after := Key(bytes.Join([][]byte{sp.Prefix, position}, nil))
	if sp.Reverse {
		sp.High = after
	} else {
		sp.Low = after
	}
	return sp, nil
}

// Forgettable returns the range of the tombstones whose deadline is not after now, in the keys of
// Lists.
func Forgettable(now time.Time) Span { return until(Key{scopeForget}, now) }

// all returns the range of all keys with prefix. The last part of prefix must be a string.
func all(prefix Key) Span { return Span{Prefix: prefix, Low: prefix, High: prefix.end()} }

// until returns the range of keys with prefix and a time not after t.
func until(prefix Key, t time.Time) Span {
	return Span{Prefix: prefix, Low: prefix, High: prefix.endOfTime(t)}
}

// Cursor returns the cursor after a key of the span, for Query.After.
func (sp Span) Cursor(k Key) string {
	return base64.RawURLEncoding.EncodeToString(k[len(sp.Prefix):])
}

// Contains reports whether k is in the range.
func (sp Span) Contains(k Key) bool {
	return bytes.Compare(k, sp.Low) > 0 && bytes.Compare(k, sp.High) < 0
}

// Expired returns the range of the outcomes whose Until is not after now, in the keys of Until.
func Expired(now time.Time) Span {
	sp := until(nil, now)
	sp.Low = Key{0} // before the earliest time
	return sp
}

// Row returns the key of the row that is in a list at position k: the key of Record, or that of
// Outcome for the keys of Until. It shares memory with k if sp covers all tenants.
func (sp Span) Row(k Key) Key {
	const timeSize = 8
	rest := k[len(sp.Prefix)+timeSize:]
	if sp.tenant == nil {
		return rest
	}
	return append(sp.tenant, rest...)
}

// AllEvents returns the range of all events, in the keys of Event.
func AllEvents() Span { return EventsAfter(0) }

// EventsAfter returns the range of the events after a number, in the keys of Event.
func EventsAfter(seq uint64) Span { return Span{Low: Event(seq), High: Event(math.MaxUint64)} }

// EventsOf returns the range of the events of a tenant after a number, in the keys of TenantEvent.
func EventsOf(tenant string, seq uint64) Span {
	return Span{Prefix: Tenant(tenant), Low: TenantEvent(tenant, seq),
		High: TenantEvent(tenant, math.MaxUint64)}
}
