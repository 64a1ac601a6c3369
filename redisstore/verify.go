package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// VerifyOptions are the choices of [Store.Verify]. The zero value looks and changes nothing.
type VerifyOptions struct {
	// Repair puts the index right: records are believed, the index follows from them.
	Repair bool
}

// VerifyReport is what [Store.Verify] has found. With Repair, Missing and Stale are mended; Taken and Unreadable never are.
type VerifyReport struct {
	Records    int64 // records and tombstones looked at
	Members    int64 // members of indexes looked at
	Missing    int64 // members that a record should have in the index and has not
	Stale      int64 // members of the index that follow from no record
	Taken      int64 // claims of a record that the index gives to another one
	Unreadable int64 // keys and members in the place of ours that this package did not write
}

// Clean reports whether records and index agree.
func (r VerifyReport) Clean() bool {
	return r.Missing == 0 && r.Stale == 0 && r.Taken == 0 && r.Unreadable == 0
}

// Verify compares all records with the index, both ways. Commits keep the two together, so there is something to find only
// after somebody else wrote or deleted keys: a restore from a backup, an eviction, a hand. What looks wrong is looked at
// again by a script before it counts, so commits may go on meanwhile. On a cluster no slot should be moving.
//
// It reads every record's index data once, and every member of the index. Nil options are the zero ones. The report is
// good, as far as it goes, beside an error: that of the context, or one that matches [installation.ErrUnavailable].
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	v := &verification{store: s, repair: o != nil && o.Repair}
	if err := ctx.Err(); err != nil {
		return v.report, err
	}
	var err error
	for _, b := range s.keys.all() { // first, so that a claim which nobody holds is free for the record that has it
		if err == nil {
			err = v.index(ctx, b)
		}
	}
	if err == nil {
		err = s.client.eachPrimary(ctx, v.records)
	}
	if err != nil {
		err = fmt.Errorf("verify: %w", fail(ctx, installation.ErrUnavailable, err))
	}
	return v.report, err
}

// verifyBatch is how many keys or members are looked at in one round trip.
const verifyBatch = 500

// verification is one run of Verify.
type verification struct {
	store  *Store
	repair bool

	mu     sync.Mutex // servers of a cluster are walked at once
	report VerifyReport
}

// records walks the records on one server and looks for their members in the index.
func (v *verification) records(ctx context.Context, node redis.UniversalClient) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var found []string
		next := cursor
		err := v.store.read(ctx, func(ctx context.Context) (err error) {
			found, next, err = node.Scan(ctx, cursor, v.store.keys.recordPattern(), verifyBatch).Result()
			return err
		})
		if err != nil {
			return err
		}
		if err := v.checkRecords(ctx, found); err != nil {
			return err
		}
		cursor = next
	}
	return nil
}

func (v *verification) checkRecords(ctx context.Context, found []string) error {
	var keys []installation.Key
	for _, f := range found {
		if _, k, ok := v.store.keys.recordKey(f); ok {
			keys = append(keys, k)
		} else {
			v.add(VerifyReport{Unreadable: 1})
		}
	}
	v.add(VerifyReport{Records: int64(len(keys))})
	packed, err := v.packed(ctx, keys)
	if err != nil {
		return err
	}
	scores := make([]*redis.Cmd, len(keys))
	err = v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for i, k := range keys {
			list, _ := unpack(packed[i])
			words := []any{"zmscore", v.store.keys.of(k.Tenant).index()}
			for _, member := range list {
				words = append(words, member)
			}
			if len(list) > 0 {
				scores[i] = pipe.Do(ctx, words...) // the typed command gives 0 for what is not there
			}
		}
	})
	if err != nil {
		return err
	}
	for i, k := range keys {
		if scores[i] == nil {
			continue
		}
		there, err := scores[i].Slice()
		if err == nil && slices.ContainsFunc(there, outOfPlace) {
			err = v.settle(ctx, k, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outOfPlace reports whether a score is not that of a member in its place: nil, or any but 0, with which the order is lost.
func outOfPlace(score any) bool {
	switch s := score.(type) {
	case float64: // RESP3
		return s != 0
	case string:
		return s != "0"
	default:
		return true
	}
}

// index walks the index of a bucket and looks for the records that its members follow from.
func (v *verification) index(ctx context.Context, b bucket) error {
	all := span{lo: "-", hi: "+"}
	for {
		names, err := v.store.names(ctx, b, all, 0, verifyBatch)
		if err != nil || len(names) == 0 {
			return err
		}
		all.lo = "(" + names[len(names)-1]
		if err := v.checkMembers(ctx, b, names); err != nil {
			return err
		}
	}
}

func (v *verification) checkMembers(ctx context.Context, b bucket, names []string) error {
	v.add(VerifyReport{Members: int64(len(names))})
	keys := make([]installation.Key, 0, len(names))
	ours := make([]string, 0, len(names))
	for _, name := range names {
		if e, ok := parseMember(name); ok && v.store.keys.of(e.key.Tenant) == b {
			keys, ours = append(keys, e.key), append(ours, name)
		} else {
			v.add(VerifyReport{Unreadable: 1})
		}
	}
	packed, err := v.packed(ctx, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		if !packs(packed[i], ours[i]) {
			if err := v.settle(ctx, k, ours[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// packed returns the members of records, "" for tombstones and for what is not there.
func (v *verification) packed(ctx context.Context, keys []installation.Key) ([]string, error) {
	commands := make([]*redis.StringCmd, len(keys))
	err := v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for i, k := range keys {
			commands[i] = pipe.HGet(ctx, v.store.keys.of(k.Tenant).record(k), fieldMembers)
		}
	})
	if err != nil {
		return nil, err
	}
	packed := make([]string, len(keys))
	for i, cmd := range commands {
		packed[i] = cmd.Val()
	}
	return packed, nil
}

// pipeline sends commands, none of which need find anything.
func (v *verification) pipeline(ctx context.Context, queue func(redis.Pipeliner)) error {
	return v.store.read(ctx, func(ctx context.Context) error {
		pipe := v.store.client.Pipeline()
		queue(pipe)
		commands, err := pipe.Exec(ctx)
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		for _, cmd := range commands {
			if cmd.Err() != nil && !errors.Is(cmd.Err(), redis.Nil) {
				return cmd.Err()
			}
		}
		return err
	})
}

// settle has a script look at a record and, if one is given, at a member that names it. The script may run twice.
func (v *verification) settle(ctx context.Context, k installation.Key, member string) error {
	s := v.store
	b := s.keys.of(k.Tenant)
	repair := ""
	if v.repair {
		repair = "1"
	}
	var reply []string
	err := s.read(ctx, func(ctx context.Context) (err error) {
		reply, err = s.repair.run(ctx, s.client, []string{b.meta(), b.record(k), b.index()}, []string{s.meta, k.ID, member, repair})
		return err
	})
	switch {
	case err != nil:
		return err
	case len(reply) == 1 && reply[0] == "foreign":
		return errForeign(b)
	case len(reply) != 4:
		return errReply
	}
	d := decoder{}
	found := VerifyReport{Stale: d.number(reply[2])}
	if member == "" {
		found.Missing, found.Taken = d.number(reply[1]), d.number(reply[3])
	}
	v.add(found)
	return d.error()
}

func (v *verification) add(r VerifyReport) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Records += r.Records
	v.report.Members += r.Members
	v.report.Missing += r.Missing
	v.report.Stale += r.Stale
	v.report.Taken += r.Taken
	v.report.Unreadable += r.Unreadable
}
