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

// eventBatch is how many entries are read at once in search of those of one tenant.
const eventBatch = 500

// Events implements [installation.EventReader]. Across tenants the order is that of the buckets, and within each the order
// of the commits; the cursor holds a place in each of them. [installation.ErrTrimmed] is also the answer to a cursor from
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
	if err != nil || tail == after { // the same also where there is no event and no cursor
		return page, err
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
				return gap(page)
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
		return gap(page) // the tail was not reached, or lies before the cursor
	}
	return page, nil
}

// gap ends a page before entries that are gone. Only a page that has nothing else to say reports it.
func gap(page installation.EventPage) (installation.EventPage, error) {
	if len(page.Events) == 0 {
		return page, installation.ErrTrimmed
	}
	return page, nil
}

// allEvents reads the events of all tenants, bucket by bucket.
func (s *Store) allEvents(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	page := installation.EventPage{Next: q.After}
	buckets := s.keys.all()
	places, err := eventPlaces(buckets, q.After)
	if err != nil {
		return page, err
	}
	for i, b := range buckets {
		want, start := q.Limit-len(page.Events), "-"
		if want == 0 {
			break
		}
		if places[i] != "" {
			want, start = want+1, places[i] // the entry at the cursor comes again, as a proof that it is still there
		}
		messages, err := s.entries(ctx, b, start, "+", want)
		switch {
		case err != nil:
			return page, err
		case len(messages) == 0:
			if err := s.present(ctx, b); err != nil {
				return page, err
			}
		}
		if places[i] != "" {
			if len(messages) == 0 || messages[0].ID != places[i] {
				return page, installation.ErrTrimmed
			}
			messages = messages[1:]
		}
		for _, m := range messages {
			e, err := decodeEvent(b, m)
			if err != nil {
				return page, err
			}
			page.Events, places[i] = append(page.Events, e), m.ID
		}
	}
	if len(page.Events) > 0 {
		page.Next = strings.Join(places, ",")
	}
	return page, nil
}

// tail returns the id of the last event of a tenant, "" if it had none.
func (s *Store) tail(ctx context.Context, b bucket, tenant string) (id string, err error) {
	err = s.read(ctx, func() (err error) {
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
	err = s.read(ctx, func() (err error) {
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

// eventPlaces returns the id in the stream of each bucket, "" for the beginning, that a cursor across tenants names.
func eventPlaces(buckets []bucket, cursor string) ([]string, error) {
	if cursor == "" {
		return make([]string, len(buckets)), nil
	}
	places := strings.Split(cursor, ",")
	if len(places) != len(buckets) {
		return nil, errCursor
	}
	for _, id := range places {
		if id != "" && !validID(id) {
			return nil, errCursor
		}
	}
	return places, nil
}

// validID reports whether id is that of an entry, in the one form that a server gives: "1767225600000-0".
func validID(id string) bool {
	first, second, _ := strings.Cut(id, "-")
	milliseconds, err1 := strconv.ParseUint(first, 10, 64)
	sequence, err2 := strconv.ParseUint(second, 10, 64)
	return err1 == nil && err2 == nil && id == fmt.Sprintf("%d-%d", milliseconds, sequence)
}
