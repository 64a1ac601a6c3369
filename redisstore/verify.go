package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// inspect reads what stands under the keys of records.
func (v *verification) inspect(ctx context.Context, keys ...installation.Key) ([]stored, error) {
	return v.store.readRecords(ctx, keys)
}

// membersOf returns the index members that a record should have.
func membersOf(is stored) []string {
	if is.record == nil || is.record.Deleted {
		return nil
	}
	return members(is.record)
}

// records walks the records on one server and checks their index members.
func (v *verification) records(ctx context.Context, node redis.UniversalClient) error {
	pattern := v.store.keys.recordPattern()
	return v.store.scan(ctx, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return node.Scan(ctx, cursor, pattern, verifyBatch).Result()
	}, v.checkRecords)
}

// scan calls check for each batch of a SCAN command.
func (s *Store) scan(
	ctx context.Context,
	next func(_ context.Context, cursor uint64) ([]string, uint64, error),
	check func(context.Context, []string) error,
) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var found []string
		at := cursor
		err := s.read(ctx, func(ctx context.Context) (err error) {
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
		case is.record != nil:
			v.add(VerifyReport{Records: 1})
		}
	}
	all = slices.DeleteFunc(all, func(is stored) bool { return len(membersOf(is)) == 0 })
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
func (v *verification) disagree(ctx context.Context, all []stored) ([]bool, error) {
	wrong := make([]bool, len(all))
	if len(all) == 0 {
		return wrong, nil
	}
	scores := make([]*redis.Cmd, len(all))
	holders := make([][]*redis.IntCmd, len(all))
	err := v.store.read(ctx, func(ctx context.Context) error {
		pipe := v.store.client.Pipeline()
		for i, is := range all {
			index := v.store.keys.of(is.key.Tenant).index()
			words := []any{"zmscore", index}
			holders[i] = nil
			for _, member := range membersOf(is) {
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

// isWrongScore reports whether a score is missing or not 0, so that the order of the index is
// lost.
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
		next := func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
			return v.store.client.ZScan(ctx, b.index(), cursor, "", verifyBatch).Result()
		}
		check := func(ctx context.Context, found []string) error {
			return v.checkMembers(ctx, b, found)
		}
		if err := v.store.scan(ctx, next, check); err != nil {
			return err
		}
	}
	return nil
}

// checkMembers checks members of an index; found has each with its score.
func (v *verification) checkMembers(ctx context.Context, b bucket, found []string) error {
	const pair = 2
	for batch := range slices.Chunk(found, pair*verifyBatch) { // a small index comes all at once
		names := make([]string, 0, verifyBatch)
		for scored := range slices.Chunk(batch, pair) {
			names = append(names, scored[0])
		}
		if err := v.checkBatch(ctx, b, names); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) checkBatch(ctx context.Context, b bucket, names []string) error {
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, scopeMeta) || strings.HasPrefix(name, scopeOutcome)
	})
	own, keys := v.store.ownMembers(b, names)
	v.add(VerifyReport{
		Members: int64(len(names)), Unreadable: int64(len(names) - len(own)),
	})
	if v.repair && len(own) < len(names) {
		err := v.store.read(ctx, func(ctx context.Context) error {
			for _, name := range names {
				if !slices.Contains(own, name) {
					if err := v.store.client.ZRem(ctx, b.index(), name).Err(); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	all, err := v.inspect(ctx, keys...)
	if err != nil {
		return err
	}
	for i, is := range all {
		if is.record != nil && hasMember(is.record, own[i]) {
			continue
		}
		if err := v.recheck(ctx, keys[i], own[i]); err != nil {
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
		if is.damaged || member != "" && is.record != nil && hasMember(is.record, member) ||
			member == "" && len(membersOf(is)) == 0 {
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
	ctx context.Context, b bucket, record string, is stored, member string,
) (found VerifyReport, changed bool, err error) {
	s := v.store
	repair := ""
	if v.repair {
		repair = "1"
	}
	keys := []string{record, b.index()}
	args := append([]string{s.meta, is.head, is.key.ID, member, repair}, membersOf(is)...)
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
	for i, to := range []*int64{&found.Missing, &found.Stale, &found.Taken} {
		if *to, err = strconv.ParseInt(reply[i+1], 10, 64); err != nil {
			return found, false, errReply
		}
	}
	return found, false, nil
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
