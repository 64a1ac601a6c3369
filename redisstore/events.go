package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Each bucket has one log for all its tenants. An entry names the one before it of the same tenant, and a hash knows the
// last one of each, so a reader can tell three things apart: that nothing is new, whatever the others have written; that
// what is new is all there; and that something was discarded, or lost in a failover after it was read.

// Fields of an entry.
const (
	fieldTenant   = "t"
	fieldPrevious = "p" // id of the entry before it of the same tenant, "" for none
	fieldEvent    = "e" // installation.Event.MarshalBinary
)

// Fields of the hash that know the first and the last event of the bucket. No tenant is called like them.
const (
	fieldFirst = nul + "first"
	fieldLast  = nul + "last"
)

// eventBatch is how many entries are read at once in search of those of one tenant.
const eventBatch = 500

// Events implements [installation.EventReader]. Across tenants the order is that of the buckets, and within each the order
// of the commits; the cursor holds a place in each of them. A bucket is read up to what was its end when it was come to, so
// that none waits for another to fall silent. [installation.ErrTrimmed] is also the answer to a cursor from
// which a failover has taken away the log.
func (s *Store) Events(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	if err := ctx.Err(); err != nil {
		return installation.EventPage{}, err
	}
	read := s.eventsOf
	if q.AllTenants {
		read = s.allEvents
	}
	page, err := installation.EventPage{}, error(nil)
	if q.Limit < 1 || q.Limit > installation.MaxPage {
		err = fmt.Errorf("%w: limit out of range", installation.ErrInvalid)
	} else {
		page, err = read(ctx, q)
	}
	if err != nil {
		return installation.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

// eventsOf reads the events of one tenant.
func (s *Store) eventsOf(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	page := installation.EventPage{Next: q.After}
	b := s.keys.of(q.Tenant)
	after, err := eventPosition(b, q.After)
	if err != nil {
		return page, err
	}
	tail, err := s.tail(ctx, b, q.Tenant)
	switch {
	case err != nil || tail == after: // the same also where there is no event and no cursor
		return page, err
	case tail == "":
		return s.gap(ctx, b, page) // what the cursor names was lost, and all else of the tenant
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
			if m.Values[fieldTenant] != q.Tenant {
				continue
			}
			if last != "" && m.Values[fieldPrevious] != last {
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
		return s.gap(ctx, b, page) // the tail was not reached, or lies before the cursor
	}
	return page, nil
}

// gap ends a page before entries that are gone. Only a page that has nothing else to say reports it.
func (s *Store) gap(ctx context.Context, b bucket, page installation.EventPage) (installation.EventPage, error) {
	if len(page.Events) == 0 {
		return page, s.trimmed(ctx, b)
	}
	return page, nil
}

// trimmed returns the error for entries that are gone: [installation.ErrTrimmed] if the bucket is there.
func (s *Store) trimmed(ctx context.Context, b bucket) error {
	if err := s.present(ctx, b); err != nil {
		return err
	}
	return installation.ErrTrimmed
}

// allEvents reads the events of all tenants, bucket by bucket. The places that the first page leaves behind say of each
// bucket where to go on, also of those that it has not come to: what is discarded after that is missed, and not overlooked.
func (s *Store) allEvents(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	page := installation.EventPage{Next: q.After}
	buckets := s.keys.all()
	at, err := parsePlaces(len(buckets), q.After)
	if err != nil {
		return page, err
	}
	from, end := at.from, at.end
	for n := range buckets {
		i := (from + n) % len(buckets)
		want := q.Limit - len(page.Events)
		if want == 0 && q.After != "" {
			break
		}
		messages, last, err := s.entriesAt(ctx, buckets[i], &at.places[i], end, want)
		if err != nil {
			return page, err
		}
		end = "" // it was that of the bucket which the last page had come to
		for _, m := range messages {
			e, err := decodeEvent(buckets[i], m)
			if err != nil {
				return page, err
			}
			page.Events, at.places[i], at.from, at.end = append(page.Events, e), place{id: m.ID}, i, last
			if m.ID == last {
				at.from, at.end = (i+1)%len(buckets), ""
			}
		}
	}
	if len(page.Events) > 0 {
		page.Next = at.String()
	}
	return page, nil
}

// entriesAt returns entries of a bucket from a place on, up to an end or, if that is "", to the last one there is, and the
// end. It moves a place where nobody has looked yet. If the place is no longer there the error is [installation.ErrTrimmed].
func (s *Store) entriesAt(ctx context.Context, b bucket, p *place, end string, want int) ([]redis.XMessage, string, error) {
	last, err := s.tail(ctx, b, fieldLast)
	if end == "" {
		end = last
	}
	switch {
	case err != nil:
		return nil, "", err
	case last == "" && (p.id == "" || p.id == emptyLog):
		*p = place{id: emptyLog}
		return nil, "", nil
	case last == p.id && !p.unread:
		return nil, "", nil
	}
	start, proof, unread := p.id, p.id, p.unread
	switch p.id {
	case "":
		start, unread = "-", true
	case emptyLog:
		start, unread = "-", true
		if proof, err = s.tail(ctx, b, fieldFirst); err != nil {
			return nil, "", err
		}
	}
	messages, err := s.entries(ctx, b, start, end, want+1) // with the one at the place, as a proof that it is still there
	switch {
	case err != nil:
		return nil, "", err
	case proof != "" && (len(messages) == 0 || messages[0].ID != proof):
		return nil, "", s.trimmed(ctx, b)
	case len(messages) == 0: // by hand
		return nil, "", nil
	case unread:
		*p = place{id: messages[0].ID, unread: true}
		return messages[:min(want, len(messages))], end, nil
	default:
		return messages[1:], end, nil
	}
}

// tail returns the id of the last event of a tenant, "" if it had none; or what else a field of that hash holds.
func (s *Store) tail(ctx context.Context, b bucket, tenant string) (id string, err error) {
	err = s.read(ctx, func(ctx context.Context) (err error) {
		id, err = s.client.HGet(ctx, b.tails(), tenant).Result()
		if errors.Is(err, redis.Nil) {
			id, err = "", nil
		}
		return err
	})
	if err == nil && id == "" {
		err = s.present(ctx, b)
	}
	return id, err
}

func (s *Store) entries(ctx context.Context, b bucket, start, stop string, limit int) (m []redis.XMessage, err error) {
	err = s.read(ctx, func(ctx context.Context) (err error) {
		m, err = s.client.XRangeN(ctx, b.events(), start, stop, int64(limit)).Result()
		return err
	})
	return m, err
}

func decodeEvent(b bucket, m redis.XMessage) (installation.Event, error) {
	var e installation.Event
	d := decoder{}
	encoded := d.text(m.Values[fieldEvent])
	if err := d.error(); err != nil {
		return e, err
	}
	err := e.UnmarshalBinary([]byte(encoded))
	if err == nil && e.Key.Tenant != m.Values[fieldTenant] {
		err = errDamaged // it was put there by hand, for others to read
	}
	e.ID = eventID(b, m.ID)
	return e, err
}

// eventID is what an event is called outside: its id in the stream behind the number of the bucket.
func eventID(b bucket, id string) string { return strconv.Itoa(b.number) + "-" + id }

var errCursor = fmt.Errorf("%w: not a cursor of this log", installation.ErrInvalid)

// eventPosition returns the id in the stream of b that a cursor, which is the id of an event, names.
func eventPosition(b bucket, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	number, id, _ := strings.Cut(cursor, "-")
	if number != strconv.Itoa(b.number) || !validID(id) {
		return "", errCursor
	}
	return id, nil
}

// places is a cursor across tenants: the bucket to go on with, the end up to which to read it, "" if it was not come to, and a
// place in each. Its text is "3/1767225600000-9/0-0,1767225600000-0,+1767225600000-0".
type places struct {
	from   int
	end    string
	places []place
}

// place is one in the log of a bucket: the last entry that was read, or the first one that was not.
type place struct {
	id     string // "" where nobody has looked yet
	unread bool
}

// emptyLog is the place in a log that was empty. No entry has this id.
const emptyLog = "0-0"

func (p places) String() string {
	list := make([]string, len(p.places))
	for i, each := range p.places {
		if list[i] = each.id; each.unread {
			list[i] = "+" + each.id
		}
	}
	return strconv.Itoa(p.from) + "/" + p.end + "/" + strings.Join(list, ",")
}

func parsePlaces(buckets int, cursor string) (places, error) {
	p := places{places: make([]place, buckets)}
	if cursor == "" {
		return p, nil
	}
	from, rest, _ := strings.Cut(cursor, "/")
	end, list, _ := strings.Cut(rest, "/")
	ids := strings.Split(list, ",")
	var err error
	if p.from, err = strconv.Atoi(from); err != nil || p.from < 0 || p.from >= buckets || len(ids) != buckets {
		return places{}, errCursor
	}
	if p.end = end; end != "" && !validID(end) {
		return places{}, errCursor
	}
	for i, id := range ids {
		id, unread := strings.CutPrefix(id, "+")
		if !validID(id) {
			return places{}, errCursor
		}
		p.places[i] = place{id, unread}
	}
	return p, nil
}

// validID reports whether id is that of an entry, in the one form that a server gives: "1767225600000-0".
func validID(id string) bool {
	first, second, _ := strings.Cut(id, "-")
	milliseconds, err1 := strconv.ParseUint(first, 10, 64)
	sequence, err2 := strconv.ParseUint(second, 10, 64)
	return err1 == nil && err2 == nil && id == fmt.Sprintf("%d-%d", milliseconds, sequence)
}
