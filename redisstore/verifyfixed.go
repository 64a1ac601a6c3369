package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// fixedKeys checks that the fixed keys of a bucket exist and do not expire. It reports whether all
// have the right type.
func (v *verification) fixedKeys(ctx context.Context, b bucket) (readable bool, err error) {
	var lost []string
	if v.repair {
		lost, err = v.lostFields(ctx, b)
	}
	if err == nil {
		lost, err = v.restoreFields(ctx, b, lost)
	}
	if err != nil {
		return false, err
	}
	found, _, err := v.check(ctx, b, v.store.fixedKeys, b.fixed(), append([]string{""}, lost...)...)
	readable = true
	for _, f := range found {
		v.add(Problem{Kind: f.kind, Bucket: b.number, Name: f.name})
		readable = readable && f.kind != ProblemDamagedKey
	}
	return readable, err
}

// lostFields returns the fields about events that a lost hash had, each followed by its value, as
// far as the log proves them. It returns nothing if the hash was not lost.
//
// Nobody can commit before the hash has its field "". So the log does not change while lostFields
// reads it, or another Verify has repaired the hash, and the script then restores nothing.
func (v *verification) lostFields(ctx context.Context, b bucket) ([]string, error) {
	_, err := readValue(ctx, v.store, func(ctx context.Context) (string, error) {
		return v.store.client.HGet(ctx, b.fields(), "").Result()
	})
	if !errors.Is(err, redis.Nil) {
		return nil, unlessWrongType(err)
	}
	var first, last string
	tails := make(map[string]string)
	for start := "-"; ; start = "(" + last {
		messages, err := v.store.entries(ctx, b, start, "+", eventBatch)
		if err != nil {
			return nil, unlessWrongType(err)
		}
		for _, m := range messages {
			last = m.ID
			previous, _ := m.Values[entryPrevious].(string)
			// A first event that was trimmed is older than this one. The one before is as good: it
			// also tells readers of the empty log that they missed something.
			first = cmp.Or(first, entryBeforeOf(m), previous, last)
			if tenant, ok := m.Values[entryTenant].(string); ok {
				tails[tailField(tenant)] = last
			}
		}
		if len(messages) < eventBatch {
			break
		}
	}
	if last == "" {
		return nil, nil
	}
	lost := []string{fieldFirst, first, fieldLast, last}
	for field, id := range tails {
		lost = append(lost, field, id)
	}
	return lost, nil
}

// restoreFields restores fields in batches, and returns the last batch, which it leaves to a script
// that also makes the hash whole.
func (v *verification) restoreFields(
	ctx context.Context, b bucket, fields []string,
) (rest []string, err error) {
	const batch = 2 * 10 * scanBatch
	for ; err == nil && len(fields) > batch; fields = fields[batch:] {
		args := append([]string{"1"}, fields[:batch]...)
		_, _, err = v.check(ctx, b, v.store.fixedKeys, b.fixed(), args...)
	}
	return slices.Clip(fields), err
}

// unlessWrongType returns err, or nil if a key has another type: the script reports such keys.
func unlessWrongType(err error) error {
	if strings.HasPrefix(innerText(serverText(err)), "WRONGTYPE") {
		return nil
	}
	return err
}
