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

// VerifyOptions configure [Store.Verify]. The zero value only reports.
type VerifyOptions struct {
	// Repair corrects the index to match the records.
	Repair bool
}

// VerifyReport is the result of [Store.Verify]. Repair corrects Missing and Stale and removes
// members that cannot be read. It does not change Taken, keys that cannot be read, and their
// index members.
type VerifyReport struct {
	Records    int64 // records and tombstones that were checked
	Members    int64 // index members that were checked
	Missing    int64 // index members that a record should have and does not
	Stale      int64 // index members that no record has
	Taken      int64 // claims of a record that the index also, or only, assigns to another one
	Unreadable int64 // keys and index members that are damaged or written by something else
}

// Clean reports whether records and index agree.
func (r VerifyReport) Clean() bool {
	return r.Missing == 0 && r.Stale == 0 && r.Taken == 0 && r.Unreadable == 0
}

// Verify compares all records with the index, in both directions. Commits keep the two
// consistent, so Verify finds something only after a partial restore, an eviction or a manual
// change. A script checks each problem again before it counts, so commits may run meanwhile. On
// a cluster no slot should be moving. A key that the server returns twice may be counted twice.
//
// Verify reads every record and every index member. Nil options are the zero value. Besides an
// error, which is the context's or matches [installation.ErrUnavailable], the report covers
// what was checked before.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	v := &verification{store: s, repair: o != nil && o.Repair}
	if err := ctx.Err(); err != nil {
		return v.report, err
	}
	err := v.indexes(ctx) // first, so that stale claims are free for the records that have them
	if err == nil {
		err = s.client.eachPrimary(ctx, v.records)
	}
	if err != nil {
		err = fmt.Errorf("verify: %w", wrapError(ctx, installation.ErrUnavailable, err))
	}
	return v.report, err
}

// verifyBatch is the number of keys or members in one round trip.
const verifyBatch = 100

// verification is one run of Verify.
type verification struct {
	store  *Store
	repair bool

	mu     sync.Mutex // the servers of a cluster are walked concurrently
	report VerifyReport
}

// inspected is the state of a record key.
type inspected struct {
	key     installation.Key
	exists  bool
	damaged bool
	members string // packed; "" for a tombstone or if nothing exists
}

// inspect reads all fields at the keys of records.
func (v *verification) inspect(ctx context.Context, keys ...installation.Key) ([]inspected, error) {
	stored, err := v.store.readFields(ctx, keys, slices.Concat(recordFields, []string{fieldOps}))
	if err != nil {
		return nil, err
	}
	list := make([]inspected, len(keys))
	for i, k := range keys {
		if list[i], err = v.inspectFields(ctx, k, stored[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (v *verification) inspectFields(
	ctx context.Context, k installation.Key, values []any,
) (inspected, error) {
	is := inspected{key: k, exists: true}
	r, err := decodeRecord(k, values)
	switch {
	case err != nil:
		is.damaged = true
		return is, nil
	case r == nil:
		_, err := v.store.confirmAbsent(ctx, v.store.keys.of(k.Tenant), k)
		is.exists = !errors.Is(err, installation.ErrNotFound)
		is.damaged = errors.Is(err, errDamaged)
		if !is.exists || is.damaged {
			err = nil
		}
		return is, err // without an error, a commit has just created the record with its members
	}
	ops, _ := values[len(values)-1].(string)
	is.damaged = len(ops) == 0 || len(ops)%opEntryBytes != 0
	if !r.Deleted {
		is.members = values[4].(string)
		is.damaged = is.damaged || is.members != pack(members(r))
	}
	return is, nil
}

// records walks the records on one server and checks their index members.
func (v *verification) records(ctx context.Context, node redis.UniversalClient) error {
	pattern := v.store.keys.recordPattern()
	return v.scan(ctx, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return node.Scan(ctx, cursor, pattern, verifyBatch).Result()
	}, v.checkRecords)
}

// scan calls check for each batch of a SCAN command.
func (v *verification) scan(
	ctx context.Context,
	next func(_ context.Context, cursor uint64) ([]string, uint64, error),
	check func(context.Context, []string) error,
) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var found []string
		at := cursor
		err := v.store.read(ctx, func(ctx context.Context) (err error) {
			found, cursor, err = next(ctx, at)
			return err
		})
		if err == nil {
			err = check(ctx, found)
		}
		if err != nil {
			return err
		}
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
	all, err := v.inspect(ctx, keys...)
	if err != nil {
		return err
	}
	for _, is := range all {
		switch {
		case is.damaged:
			v.add(VerifyReport{Unreadable: 1})
		case is.exists:
			v.add(VerifyReport{Records: 1})
		}
	}
	all = slices.DeleteFunc(all, func(is inspected) bool {
		return is.members == "" || is.damaged
	})
	wrong, err := v.disagree(ctx, all)
	if err != nil {
		return err
	}
	for i, is := range all {
		if wrong[i] {
			if err := v.recheck(ctx, is.key, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// disagree reports for each record whether the index lacks one of its members, has it with a
// score, or assigns one of its claims to several records.
func (v *verification) disagree(ctx context.Context, all []inspected) ([]bool, error) {
	wrong := make([]bool, len(all))
	if len(all) == 0 {
		return wrong, nil
	}
	scores := make([]*redis.Cmd, len(all))
	holders := make([][]*redis.IntCmd, len(all))
	err := v.store.read(ctx, func(ctx context.Context) error {
		pipe := v.store.client.Pipeline()
		for i, is := range all {
			list, _ := unpack(is.members)
			index := v.store.keys.of(is.key.Tenant).index()
			words := []any{"zmscore", index}
			holders[i] = nil
			for _, member := range list {
				words = append(words, member)
				if e, _ := parseMember(member); e.scope == scopeClaim {
					sp := prefixSpan(claimPrefix(e.key.Tenant, e.name))
					n := pipe.ZLexCount(ctx, index, sp.first, sp.last)
					holders[i] = append(holders[i], n)
				}
			}
			scores[i] = pipe.Do(ctx, words...) // ZMScore has 0 for a missing member
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		list, err := scores[i].Slice()
		if err != nil {
			return nil, err
		}
		several := func(cmd *redis.IntCmd) bool { return cmd.Val() != 1 }
		wrong[i] = slices.ContainsFunc(list, isWrongScore) ||
			slices.ContainsFunc(holders[i], several)
	}
	return wrong, nil
}

// isWrongScore reports whether a score is missing or not 0, so that the order of the index is lost.
func isWrongScore(score any) bool {
	switch s := score.(type) {
	case float64: // RESP3
		return s != 0
	case string:
		return s != "0"
	default:
		return true
	}
}

// indexes walks the index of each bucket and checks the records of its members. It uses ZSCAN
// because the order of an index may be lost.
func (v *verification) indexes(ctx context.Context) error {
	for _, b := range v.store.keys.all() {
		err := v.scan(ctx, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
			return v.store.client.ZScan(ctx, b.index(), cursor, "", verifyBatch).Result()
		}, func(ctx context.Context, found []string) error { return v.checkMembers(ctx, b, found) })
		if err != nil {
			return err
		}
	}
	return nil
}

// checkMembers checks members of an index; found has each with its score.
func (v *verification) checkMembers(ctx context.Context, b bucket, found []string) error {
	names := make([]string, 0, len(found)/2)
	for scored := range slices.Chunk(found, 2) {
		names = append(names, scored[0])
	}
	for batch := range slices.Chunk(names, verifyBatch) { // a small index comes all at once
		if err := v.checkBatch(ctx, b, batch); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) checkBatch(ctx context.Context, b bucket, names []string) error {
	own, keys := v.store.ownMembers(b, names)
	v.add(VerifyReport{Members: int64(len(names)), Unreadable: int64(len(names) - len(own))})
	if v.repair && len(own) < len(names) {
		for _, name := range names {
			if slices.Contains(own, name) {
				continue
			}
			// The probe key, which does not exist, stands in for the record.
			if _, _, err := v.runRepair(ctx, b, b.probe(), inspected{}, name); err != nil {
				return err
			}
		}
	}
	stored, err := v.store.readFields(ctx, keys, []string{fieldMembers})
	if err != nil {
		return err
	}
	for i, k := range keys {
		if len(stored[i]) == 1 {
			if packed, _ := stored[i][0].(string); packedContains(packed, own[i]) {
				continue
			}
		}
		if err := v.recheck(ctx, k, own[i]); err != nil {
			return err
		}
	}
	return nil
}

// maxRechecks limits how often a record may change while Verify checks it. Each of these
// commits also corrects the index.
const maxRechecks = 8

// recheck inspects a record again, together with a member that names it if one is given. A
// script then counts and repairs the problem, unless the record has changed since.
func (v *verification) recheck(ctx context.Context, k installation.Key, member string) error {
	b := v.store.keys.of(k.Tenant)
	for range maxRechecks {
		list, err := v.inspect(ctx, k)
		if err != nil {
			return err
		}
		is := list[0]
		if is.damaged || member != "" && packedContains(is.members, member) ||
			member == "" && is.members == "" {
			return nil
		}
		found, changed, err := v.runRepair(ctx, b, b.record(k), is, member)
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

// runRepair runs the repair script, which may run twice. It reports whether the record has
// changed since it was inspected.
func (v *verification) runRepair(
	ctx context.Context, b bucket, record string, is inspected, member string,
) (found VerifyReport, changed bool, err error) {
	s := v.store
	repair := ""
	if v.repair {
		repair = "1"
	}
	keys := []string{b.meta(), record, b.index()}
	args := []string{s.meta, is.key.ID, member, repair, is.members}
	reply, err := s.runScript(ctx, s.repair, keys, args)
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
	found.Missing, found.Stale = d.number(reply[1]), d.number(reply[2])
	found.Taken = d.number(reply[3])
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
