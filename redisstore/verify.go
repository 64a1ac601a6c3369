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

// VerifyReport is what [Store.Verify] has found. With Repair, Missing and Stale are mended, and members that cannot be read are
// removed. Taken and keys that cannot be read are left to a person, and so is what the index says of such a key.
type VerifyReport struct {
	Records    int64 // records and tombstones looked at
	Members    int64 // members of indexes looked at
	Missing    int64 // members that a record should have in the index and has not
	Stale      int64 // members of the index that follow from no record
	Taken      int64 // claims of a record that the index gives to another one, or to another one as well
	Unreadable int64 // keys and members in the place of ours that this package did not write, or that were damaged
}

// Clean reports whether records and index agree.
func (r VerifyReport) Clean() bool {
	return r.Missing == 0 && r.Stale == 0 && r.Taken == 0 && r.Unreadable == 0
}

// Verify compares all records with the index, both ways. Commits keep the two together, so there is something to find only
// after somebody else wrote or deleted keys: a restore from a backup, an eviction, a hand. What looks wrong is looked at
// again by a script before it counts, so commits may go on meanwhile. On a cluster no slot should be moving. What is looked at
// twice, because a server moves its keys about meanwhile, may be counted twice.
//
// It reads every record once, and every member of the index. Nil options are the zero ones. The report is good, as far as it
// goes, beside an error: that of the context, or one that matches [installation.ErrUnavailable].
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
const verifyBatch = 100

// verification is one run of Verify.
type verification struct {
	store  *Store
	repair bool

	mu     sync.Mutex // servers of a cluster are walked at once
	report VerifyReport
}

// allFields are those of a record and what only scripts need.
var allFields = append(recordFields[:len(recordFields):len(recordFields)], fieldMarks)

// seen is what Verify knows of the key of a record.
type seen struct {
	key        installation.Key
	there      bool
	unreadable bool
	members    string // packed; "" for a tombstone and for what is not there
}

// see reads what is at the keys of records, to the last field.
func (v *verification) see(ctx context.Context, keys ...installation.Key) ([]seen, error) {
	stored, err := v.store.fields(ctx, keys, allFields)
	if err != nil {
		return nil, err
	}
	list := make([]seen, len(keys))
	for i, k := range keys {
		if list[i], err = v.judge(ctx, k, stored[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (v *verification) judge(ctx context.Context, k installation.Key, values []any) (seen, error) {
	is := seen{key: k, there: true}
	r, err := decodeStored(k, values)
	switch {
	case err != nil:
		is.unreadable = true
		return is, nil
	case r == nil:
		_, err := v.store.lookAgain(ctx, v.store.keys.of(k.Tenant), k)
		is.there = !errors.Is(err, installation.ErrNotFound)
		is.unreadable = errors.Is(err, errDamaged)
		if !is.there || is.unreadable || err == nil { // made just now: the commit has seen to its members
			return is, nil
		}
		return is, err
	}
	marks, _ := values[len(values)-1].(string)
	is.unreadable = len(marks) == 0 || len(marks)%markBytes != 0
	if !r.Deleted {
		is.members = values[4].(string)
		is.unreadable = is.unreadable || is.members != pack(members(r))
	}
	return is, nil
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
	all, err := v.see(ctx, keys...)
	if err != nil {
		return err
	}
	for _, is := range all {
		switch {
		case is.unreadable:
			v.add(VerifyReport{Unreadable: 1})
		case is.there:
			v.add(VerifyReport{Records: 1})
		}
	}
	all = slices.DeleteFunc(all, func(is seen) bool { return is.members == "" || is.unreadable })
	scores := make([]*redis.Cmd, len(all))
	holders := make([][]*redis.IntCmd, len(all))
	err = v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for i, is := range all {
			list, _ := unpack(is.members)
			index := v.store.keys.of(is.key.Tenant).index()
			words := []any{"zmscore", index}
			holders[i] = holders[i][:0]
			for _, member := range list {
				words = append(words, member)
				if e, _ := parseMember(member); e.scope == scopeClaim {
					sp := listOf(claimPrefix(e.key.Tenant, e.name))
					holders[i] = append(holders[i], pipe.ZLexCount(ctx, index, sp.first, sp.last))
				}
			}
			scores[i] = pipe.Do(ctx, words...) // the typed command gives 0 for what is not there
		}
	})
	if err != nil {
		return err
	}
	for i, is := range all {
		there, err := scores[i].Slice()
		if err != nil {
			return err
		}
		several := func(cmd *redis.IntCmd) bool { return cmd.Val() != 1 }
		if slices.ContainsFunc(there, outOfPlace) || slices.ContainsFunc(holders[i], several) {
			if err := v.settle(ctx, is.key, ""); err != nil {
				return err
			}
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

// index walks the index of a bucket and looks for the records that its members follow from. It does not walk it in its order,
// which may be lost.
func (v *verification) index(ctx context.Context, b bucket) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var found []string // members, each with its score
		next := cursor
		err := v.store.read(ctx, func(ctx context.Context) (err error) {
			found, next, err = v.store.client.ZScan(ctx, b.index(), cursor, "", verifyBatch).Result()
			return err
		})
		if err != nil {
			return err
		}
		names := make([]string, 0, len(found)/2)
		for i := 0; i+1 < len(found); i += 2 {
			names = append(names, found[i])
		}
		for batch := range slices.Chunk(names, verifyBatch) { // a small index comes all at once
			if err := v.checkMembers(ctx, b, batch); err != nil {
				return err
			}
		}
		cursor = next
	}
	return nil
}

func (v *verification) checkMembers(ctx context.Context, b bucket, names []string) error {
	v.add(VerifyReport{Members: int64(len(names))})
	keys := make([]installation.Key, 0, len(names))
	ours := make([]string, 0, len(names))
	for _, name := range names {
		if e, ok := parseMember(name); ok && v.store.keys.of(e.key.Tenant) == b {
			keys, ours = append(keys, e.key), append(ours, name)
			continue
		}
		v.add(VerifyReport{Unreadable: 1})
		if v.repair {
			if _, _, err := v.run(ctx, b, b.probe(), seen{}, name); err != nil { // in the place of a record, a key that is not there
				return err
			}
		}
	}
	stored, err := v.store.fields(ctx, keys, []string{fieldMembers})
	if err != nil {
		return err
	}
	for i, k := range keys {
		if packed := ""; len(stored[i]) == 1 {
			packed, _ = stored[i][0].(string)
			if packs(packed, ours[i]) {
				continue
			}
		}
		if err := v.settle(ctx, k, ours[i]); err != nil {
			return err
		}
	}
	return nil
}

// pipeline sends commands, none of which need find anything.
func (v *verification) pipeline(ctx context.Context, queue func(redis.Pipeliner)) error {
	return v.store.read(ctx, func(ctx context.Context) error {
		pipe := v.store.client.Pipeline()
		queue(pipe)
		if pipe.Len() == 0 {
			return nil
		}
		commands, _ := pipe.Exec(ctx) // each has its own error
		for _, cmd := range commands {
			if cmd.Err() != nil && !errors.Is(cmd.Err(), redis.Nil) {
				return cmd.Err()
			}
		}
		return nil
	})
}

// settle looks once more at a record and, if one is given, at a member that names it, and has a script put right what it then
// finds: the script goes on only if the record is still as it was judged here.
func (v *verification) settle(ctx context.Context, k installation.Key, member string) error {
	b := v.store.keys.of(k.Tenant)
	for range settleTries {
		list, err := v.see(ctx, k)
		if err != nil {
			return err
		}
		is := list[0]
		if is.unreadable || member != "" && packs(is.members, member) || member == "" && is.members == "" {
			return nil
		}
		found, changed, err := v.run(ctx, b, b.record(k), is, member)
		if err != nil {
			return err
		}
		if !changed {
			v.add(found)
			return nil
		}
	}
	return nil
}

// settleTries is how often a record may change under the eyes of Verify before that goes on: a commit puts the index right, too.
const settleTries = 8

// run runs the script, which may run twice. It reports whether the record has changed since it was seen.
func (v *verification) run(ctx context.Context, b bucket, record string, is seen, member string) (found VerifyReport, changed bool, err error) {
	s := v.store
	repair := ""
	if v.repair {
		repair = "1"
	}
	var reply []string
	err = s.read(ctx, func(ctx context.Context) (err error) {
		keys, args := []string{b.meta(), record, b.index()}, []string{s.meta, is.key.ID, member, repair, is.members}
		reply, err = s.repair.run(ctx, s.client, keys, args)
		return err
	})
	switch {
	case err != nil:
		return found, false, err
	case len(reply) == 1 && reply[0] == "foreign":
		return found, false, errForeign(b)
	case len(reply) == 1 && reply[0] == "changed":
		return found, true, nil
	case len(reply) != 4:
		return found, false, errReply
	}
	d := decoder{}
	found = VerifyReport{Missing: d.number(reply[1]), Stale: d.number(reply[2]), Taken: d.number(reply[3])}
	return found, false, d.error()
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
