package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// logCheck checks the log of a bucket. Events are only added at the end of the log and trimmed at
// its start. So an event that a later event or a field names is in the log, or is older than all
// events in the log. Commits can change the log meanwhile. So fields are read after the walk, to
// check that they name no event that is too old. The event that a field names is read after the
// field, to check that it exists.
type logCheck struct {
	*verification
	bucket      bucket
	first, last entryID            // of the events that were read, zero before the first
	tails       map[string]entryID // by tenant, the last event that was read
}

// events walks the log of a bucket. It returns the last event of each tenant that it has read.
func (v *verification) events(ctx context.Context, b bucket) (map[string]entryID, error) {
	c := &logCheck{verification: v, bucket: b, tails: make(map[string]entryID)}
	for start := "-"; ; {
		messages, err := v.store.entries(ctx, b, start, "+", eventBatch)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			start = "(" + m.ID
			if err := c.event(ctx, m); err != nil {
				return nil, err
			}
		}
		v.checked(&v.report.Events, len(messages))
		if len(messages) < eventBatch {
			break
		}
	}
	return c.tails, c.ends(ctx)
}

// event checks one event.
func (c *logCheck) event(ctx context.Context, m redis.XMessage) error {
	c.last, _ = parseID(m.ID)
	if c.first == (entryID{}) {
		c.first = c.last
	}
	tenant, ok := m.Values[entryTenant].(string)
	e, err := decodeEvent(c.bucket, m)
	p := Problem{
		Kind: ProblemDamagedEvent, Bucket: c.bucket.number, Name: eventID(c.bucket, m.ID),
		Key: installation.Key{Tenant: tenant},
	}
	switch {
	case !ok:
		c.add(p)
		return nil
	case err != nil:
		c.add(p)
	default:
		p.Key = e.Key
	}
	if c.store.keys.of(tenant) != c.bucket {
		p.Kind = ProblemWrongBucket
		c.add(p)
	}
	previous, _ := m.Values[entryPrevious].(string)
	broken, err := c.isBroken(ctx, previous, c.tails[tenant])
	if broken {
		p.Kind = ProblemBrokenChain
		c.add(p)
	}
	c.tails[tenant] = c.last
	return err
}

// isBroken reports whether an event should not name previous as the previous event of its tenant.
// The parameter before is the last event of the tenant that was read, or zero before the first.
func (c *logCheck) isBroken(ctx context.Context, previous string, before entryID) (bool, error) {
	none := before == entryID{}
	id, ok := parseID(previous)
	switch {
	case previous == "":
		return !none, nil
	case !ok || !none && id.less(before):
		return true, nil
	case id == before || none && id.less(c.first):
		return false, nil
	}
	return c.isLost(ctx, c.bucket, previous) // it may have been trimmed meanwhile
}

// isLost reports whether an event that is missing was lost and not trimmed. It was trimmed if it is
// older than all events in the log, or if the log is empty.
func (v *verification) isLost(ctx context.Context, b bucket, id string) (bool, error) {
	messages, err := v.store.entries(ctx, b, "-", "+", 1)
	if err != nil || len(messages) == 0 {
		return false, err
	}
	oldest, _ := parseID(messages[0].ID)
	missing, ok := parseID(id)
	return !ok || !missing.less(oldest), nil
}

// ends checks the fields that name the first and the last event of the bucket.
func (c *logCheck) ends(ctx context.Context) error {
	b := c.bucket
	values, err := readValue(ctx, c.store, func(ctx context.Context) ([]any, error) {
		return c.store.client.HMGet(ctx, b.fields(), fieldFirst, fieldLast).Result()
	})
	if err != nil {
		return err
	}
	firstText, _ := values[0].(string)
	lastText, _ := values[1].(string)
	first, hasFirst := parseID(firstText)
	last, hasLast := parseID(lastText)
	wrongFirst := firstText != "" && !hasFirst || hasLast && (!hasFirst || last.less(first)) ||
		c.first != entryID{} && (!hasFirst || c.first.less(first))
	wrongLast := lastText != "" && !hasLast || hasFirst && !hasLast || last.less(c.last)
	if !wrongLast && hasLast && last != c.last {
		wrongLast, err = c.isMissing(ctx, lastText)
	}
	if wrongFirst {
		c.add(Problem{Kind: ProblemWrongTail, Bucket: b.number, Name: "first event"})
	}
	if wrongLast {
		c.add(Problem{Kind: ProblemWrongTail, Bucket: b.number, Name: "last event"})
	}
	return err
}

// isMissing reports whether an event is not in the log and was not trimmed.
func (c *logCheck) isMissing(ctx context.Context, id string) (bool, error) {
	messages, err := c.store.entries(ctx, c.bucket, id, id, 1)
	if err != nil || len(messages) > 0 {
		return false, err
	}
	return c.isLost(ctx, c.bucket, id)
}
