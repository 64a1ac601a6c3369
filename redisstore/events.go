package redisstore

import (
	"cmp"
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Each bucket has one log for all its tenants. An entry names the previous entry of its tenant and
// of the bucket, and the hash of the bucket names the last entry of each tenant. So a reader can
// tell three cases apart: nothing is new for the tenant; all new entries are there; entries were
// trimmed, or lost in a failover after they were read.

// Fields of an entry.
const (
	entryTenant   = "t"
	entryPrevious = "p" // id of the previous entry of the tenant, "" for none
	entryBefore   = "b" // id of the previous entry of the bucket, "" if it is entryPrevious
	entryEvent    = "e" // installation.Event.MarshalBinary
)

// entryBeforeOf returns the id of the entry that the log had before m. It returns "" if m was the
// first or does not tell.
func entryBeforeOf(m redis.XMessage) string {
	before, ok := m.Values[entryBefore].(string)
	previous, _ := m.Values[entryPrevious].(string)
	if !ok {
		return ""
	}
	return cmp.Or(before, previous)
}

// eventBatch is the number of entries in one round trip when reading the events of one tenant.
const eventBatch = 500

// Events implements [installation.EventReader]. With q.AllTenants, events are in the order of the
// buckets, and within a bucket in the order of the commits. The cursor then has a position in each
// bucket. A reader leaves a bucket at the end that the bucket had when the reader reached it, so a
// busy bucket does not starve the others. If the entry of a cursor was lost in a failover, the
// error is also [installation.ErrTrimmed].
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	if err := s.ready(ctx); err != nil {
		return installation.EventPage{}, err
	}
	read := s.eventsOf
	if q.AllTenants {
		read = s.allEvents
	}
	page, err := installation.EventPage{}, q.Validate()
	if err == nil {
		page, err = read(ctx, q)
	}
	if err = s.unlessRestored(ctx, err); err != nil {
		return installation.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

// eventsOf reads the events of one tenant.
func (s *Store) eventsOf(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	page := installation.EventPage{Next: q.After}
	b := s.keys.of(q.Tenant)
	after, err := eventPosition(b, q.After)
	if err != nil {
		return page, err
	}
	tail, err := s.tail(ctx, b, tailField(q.Tenant))
	switch {
	case err != nil || tail == after: // both are "" without events and a cursor
		return page, err
	case tail == "":
		return s.gap(ctx, b, page) // all entries of the tenant were lost
	}
	start, last := "-", after
	if after != "" {
		start = "(" + after
	}
	for {
		messages, err := s.entries(ctx, b, start, tail, eventBatch)
		if err != nil {
			return page, err
		}
		for _, m := range messages {
			start = "(" + m.ID
			if m.Values[entryTenant] != q.Tenant {
				continue
			}
			if last != "" && m.Values[entryPrevious] != last {
				return s.gap(ctx, b, page)
			}
			e, err := decodeEvent(b, m)
			if err != nil {
				return page, err
			}
			page.Events, page.Next, last = append(page.Events, e), e.ID, m.ID
			if len(page.Events) == q.Limit || m.ID == tail {
				return page, nil
			}
		}
		if len(messages) < eventBatch {
			break
		}
	}
	if last != "" {
		return s.gap(ctx, b, page) // the last entry is missing, or is before the cursor
	}
	return page, nil
}

// gap ends a page where entries are missing. If the page has events, the next page reports the gap.
// An empty page reports it at once, with [installation.ErrTrimmed].
func (s *Store) gap(
	ctx context.Context, b bucket, page installation.EventPage,
) (installation.EventPage, error) {
	if len(page.Events) == 0 {
		return page, s.bucketErrorOr(ctx, b, installation.ErrTrimmed)
	}
	return page, nil
}

// allEvents reads the events of all tenants, bucket by bucket. The first page gives the cursor a
// position in every bucket, even in those of which it returns no event. So a later page notices if
// entries were trimmed meanwhile.
func (s *Store) allEvents(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	page := installation.EventPage{Next: q.After}
	buckets := s.keys.all()
	c, err := parseLogCursor(len(buckets), q.After)
	if err != nil {
		return page, err
	}
	start, end := c.bucket, c.end
	for n := range buckets {
		i := (start + n) % len(buckets)
		want := q.Limit - len(page.Events)
		if want == 0 && q.After != "" {
			break
		}
		messages, last, err := s.entriesAt(ctx, buckets[i], &c.positions[i], end, want)
		if err != nil {
			return page, err
		}
		end = "" // only the first bucket has an end from the cursor
		for _, m := range messages {
			e, err := decodeEvent(buckets[i], m)
			if err != nil {
				return page, err
			}
			page.Events, c.positions[i] = append(page.Events, e), logPosition{id: m.ID}
			c.bucket, c.end = i, last
			if m.ID == last {
				c.bucket, c.end = (i+1)%len(buckets), ""
			}
		}
	}
	if len(page.Events) > 0 {
		page.Next = c.String()
	}
	return page, nil
}

// entriesAt returns at most want entries of a bucket, from the position p up to the id end, and
// that id. If end is "", the end is the last entry. If p is not set yet, entriesAt sets it. If an
// entry that is still to be read was trimmed, the error is [installation.ErrTrimmed].
func (s *Store) entriesAt(
	ctx context.Context, b bucket, p *logPosition, end string, want int,
) ([]redis.XMessage, string, error) {
	last, err := s.tail(ctx, b, fieldLast)
	if end == "" {
		end = last
	}
	switch {
	case err != nil:
		return nil, "", err
	case last == "" && (p.id == "" || p.id == emptyLog):
		*p = logPosition{id: emptyLog}
		return nil, "", nil
	case last == "": // the log was lost
		return nil, "", s.bucketErrorOr(ctx, b, installation.ErrTrimmed)
	case last == p.id && !p.inclusive:
		return nil, "", nil
	}
	// The first entry that is read has to have the id first, unless first is "".
	start, first, inclusive := p.id, p.id, p.inclusive
	switch p.id {
	case "":
		start, inclusive = "-", true
	case emptyLog:
		start, inclusive = "-", true
		if first, err = s.tail(ctx, b, fieldFirst); err != nil {
			return nil, "", err
		}
	}
	messages, err := s.entries(ctx, b, start, end, want+1)
	switch {
	case err != nil:
		return nil, "", err
	case first != "" && !inclusive && len(messages) > 0 && entryBeforeOf(messages[0]) == first:
		return messages[:min(want, len(messages))], end, nil // only entries up to p were trimmed
	case first != "" && (len(messages) == 0 || messages[0].ID != first):
		return nil, "", s.bucketErrorOr(ctx, b, installation.ErrTrimmed)
	case len(messages) == 0: // someone deleted entries
		return nil, "", nil
	case inclusive:
		*p = logPosition{id: messages[0].ID, inclusive: true}
		return messages[:min(want, len(messages))], end, nil
	default:
		return messages[1:], end, nil
	}
}

// tail returns the id of the event that a field names, "" if the hash lacks the field.
func (s *Store) tail(ctx context.Context, b bucket, field string) (id string, err error) {
	id, err = s.readText(ctx, func(ctx context.Context) *redis.StringCmd {
		return s.client.HGet(ctx, b.fields(), field)
	})
	if err == nil && id == "" {
		err = s.checkBucket(ctx, b)
	}
	return id, err
}

func (s *Store) entries(
	ctx context.Context, b bucket, start, stop string, limit int,
) ([]redis.XMessage, error) {
	messages, err := readValue(ctx, s, func(ctx context.Context) ([]redis.XMessage, error) {
		return s.client.XRangeN(ctx, b.events(), start, stop, int64(limit)).Result()
	})
	if len(messages) > 0 {
		s.watch.saw(b, messages[len(messages)-1].ID)
	}
	return messages, err
}

func decodeEvent(b bucket, m redis.XMessage) (installation.Event, error) {
	var e installation.Event
	encoded, ok := m.Values[entryEvent].(string)
	if !ok {
		return e, errDamaged
	}
	err := e.UnmarshalBinary([]byte(encoded))
	if err == nil && e.Key.Tenant != m.Values[entryTenant] {
		err = errDamaged // never show an event to another tenant
	}
	e.ID = eventID(b, m.ID)
	return e, err
}
