package boltstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// trimBatch is how many events a commit trims beyond those that it appends. There are more to trim
// only if the store was opened with a smaller MaxEvents than before.
const trimBatch = 100

// Events implements [installation.EventReader]. Across tenants, events are in the order of their
// commits. A cursor ahead of the log, such as one from before a restore, also returns
// [installation.ErrTrimmed].
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (page installation.EventPage, err error) {
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, fmt.Errorf("events: %w", err)
	}
	if !q.AllTenants && len(q.Tenant) > installation.MaxTenant {
		return installation.EventPage{Next: q.After}, nil // no commit of it was accepted
	}
	after := uint64(0)
	if q.After != "" {
		if after, err = strconv.ParseUint(q.After, 10, 64); err != nil {
			return page, fmt.Errorf("events: %w: not a cursor", installation.ErrInvalid)
		}
	}
	err = s.view(ctx, func(t *tx) (err error) {
		if q.After != "" {
			if err := t.checkCursor(q, after); err != nil {
				return err
			}
		}
		page, err = t.events(q, after)
		return err
	})
	if err != nil {
		return installation.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

// checkCursor rejects a cursor if events after it are gone, or if it is ahead of the log.
func (t *tx) checkCursor(q installation.EventQuery, after uint64) error {
	var gone uint64
	if q.AllTenants {
		oldest, err := t.edge(false)
		if err != nil {
			return err
		}
		gone = max(oldest, 1) - 1
	} else {
		trimmed, err := t.get(bucketLogs, storekey.TenantEvent(q.Tenant, 0))
		if err != nil {
			return err
		}
		if trimmed != nil {
			gone = number(trimmed)
		}
	}
	newest, err := t.edge(true)
	if err != nil {
		return err
	}
	if after < gone || after > newest {
		return installation.ErrTrimmed
	}
	return nil
}

// edge returns the number of the newest or oldest event, or 0 if the log is empty.
func (t *tx) edge(newest bool) (uint64, error) {
	sp := storekey.AllEvents()
	sp.Reverse = newest
	c, err := t.walk(bucketEvents, sp)
	if err != nil {
		return 0, err
	}
	k, _, err := c.next()
	if err != nil || k == nil {
		return 0, err
	}
	return number(k), nil
}

// events returns a page of the events after a number.
func (t *tx) events(
	q installation.EventQuery, after uint64,
) (page installation.EventPage, err error) {
	b, sp := bucketLogs, storekey.EventsOf(q.Tenant, after)
	if q.AllTenants {
		b, sp = bucketEvents, storekey.EventsAfter(after)
	}
	c, err := t.walk(b, sp)
	if err != nil {
		return page, err
	}
	page.Next = q.After
	for len(page.Events) < q.Limit {
		k, value, err := c.next()
		if err != nil || k == nil {
			return page, err
		}
		seq := number(k[len(k)-8:])
		if !q.AllTenants {
			if value, err = t.get(bucketEvents, storekey.Event(seq)); err != nil {
				return page, err
			}
		}
		var e installation.Event
		if err := e.UnmarshalBinary(value); err != nil {
			return page, damaged(t.file.path, "event %d cannot be read: %v", seq, err)
		}
		e.ID = strconv.FormatUint(seq, 10)
		page.Events, page.Next = append(page.Events, e), e.ID
	}
	return page, nil
}

// logEnds are the numbers of the oldest and the newest event. Both are 0 if the log is empty.
type logEnds struct{ oldest, newest uint64 }

// log returns the ends of the log, unless there are no events to append.
func (t *tx) log(events int) (ends logEnds, err error) {
	if events == 0 {
		return ends, nil
	}
	if ends.oldest, err = t.edge(false); err == nil {
		ends.newest, err = t.edge(true)
	}
	return ends, err
}

// appendEvents appends events and trims the oldest events beyond the limit.
func (t *tx) appendEvents(log logEnds, events []installation.Event, limit int) error {
	for _, e := range events {
		log.newest++
		e.ID, e.Time = "", utcMicros(e.Time)
		value, err := e.MarshalBinary()
		if err != nil {
			return err
		}
		if err := t.put(bucketEvents, storekey.Event(log.newest), value); err != nil {
			return err
		}
		if err := t.put(bucketLogs, storekey.TenantEvent(e.Key.Tenant, log.newest),
			nil); err != nil {
			return err
		}
	}
	first := max(log.oldest, 1)
	for n := 0; first+uint64(limit) <= log.newest && n < len(events)+trimBatch; n++ {
		if err := t.trim(first); err != nil {
			return err
		}
		first++
	}
	return nil
}

// trim removes an event.
func (t *tx) trim(seq uint64) error {
	value, err := t.get(bucketEvents, storekey.Event(seq))
	if err != nil {
		return err
	}
	var e installation.Event
	if err := e.UnmarshalBinary(value); err != nil {
		return t.damaged(bucketEvents, fmt.Errorf("event %d cannot be read: %w", seq, err))
	}
	if err = t.remove(bucketEvents, storekey.Event(seq)); err != nil {
		return err
	}
	if err = t.remove(bucketLogs, storekey.TenantEvent(e.Key.Tenant, seq)); err != nil {
		return err
	}
	// Position 0 of a tenant's log has the number of its newest trimmed event.
	return t.put(bucketLogs, storekey.TenantEvent(e.Key.Tenant, 0), storekey.Event(seq))
}

func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
