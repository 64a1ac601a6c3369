package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// keysOf walks the keys of the namespace on one server.
func (v *verification) keysOf(ctx context.Context, node redis.UniversalClient) error {
	pattern := v.store.keys.pattern()
	return v.store.scan(ctx, 1, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return node.Scan(ctx, cursor, pattern, scanBatch).Result()
	}, v.checkKeys)
}

// checkKeys reports unknown keys and records in a wrong bucket. It checks all other records.
func (v *verification) checkKeys(ctx context.Context, found []string) error {
	keys := v.store.keys
	var records []installation.Key
	for _, f := range found {
		b, _, known := keys.split(f)
		p := Problem{Kind: ProblemUnknown, Bucket: -1, Name: f}
		if known {
			p.Bucket = b.number
		}
		at, k, isRecord := keys.recordKey(f)
		switch {
		case known && slices.Contains(append(b.fixed(), b.accessLog()), f):
			continue
		case isRecord && keys.of(k.Tenant) == at:
			records = append(records, k)
			continue
		case isRecord:
			p.Kind, p.Key = ProblemWrongBucket, k
		}
		left, err := readValue(ctx, v.store, func(ctx context.Context) (time.Duration, error) {
			return v.store.client.PTTL(ctx, f).Result()
		})
		if err != nil {
			return err
		}
		if left != -2 { // the answer for a key that is gone; Verify has no right to EXISTS
			v.add(p)
		}
	}
	return v.checkRecords(ctx, records)
}

func (v *verification) checkRecords(ctx context.Context, keys []installation.Key) error {
	all, err := v.store.readRecords(ctx, keys)
	if err != nil {
		return err
	}
	live := all[:0]
	for _, is := range all {
		switch {
		case is.damaged:
			v.add(v.recordProblem(ProblemDamagedRecord, is.key))
			continue
		case is.record == nil: // gone, a placeholder, or an empty string without a time to live
			if err := v.checkLasting(ctx, is.key); err != nil {
				return err
			}
			continue
		case !is.record.Deleted:
			live = append(live, is)
		}
		v.checked(&v.report.Records, 1)
	}
	suspects, err := v.suspects(ctx, live)
	if err != nil {
		return err
	}
	for i, is := range live {
		if suspects[i].expires {
			err = v.checkLasting(ctx, is.key)
		}
		if err == nil && suspects[i].disagrees {
			err = v.recheck(ctx, is.key, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) recordProblem(kind ProblemKind, k installation.Key) Problem {
	return Problem{Kind: kind, Bucket: v.store.keys.of(k.Tenant).number, Key: k, Name: "record"}
}

// checkLasting reports a live record that is set to expire. It also reports an empty string that is
// not set to expire: it is no placeholder, so the record is damaged.
func (v *verification) checkLasting(ctx context.Context, k installation.Key) error {
	b := v.store.keys.of(k.Tenant)
	found, _, err := v.check(ctx, b, v.store.lasting, []string{b.record(k), b.index()})
	for _, f := range found {
		v.add(v.recordProblem(f.kind, k))
	}
	return err
}

// suspect is what seems to be wrong with a live record.
type suspect struct {
	expires   bool
	disagrees bool // the index lacks a member, or assigns a claim to another record
}

// suspects looks for problems of live records in one round trip.
func (v *verification) suspects(ctx context.Context, live []stored) ([]suspect, error) {
	times := make([]*redis.DurationCmd, len(live))
	scores := make([]*redis.Cmd, len(live))
	holders := make([][]*redis.IntCmd, len(live))
	err := v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for i, is := range live {
			b := v.store.keys.of(is.key.Tenant)
			names := members(is.record)
			times[i], scores[i], holders[i] = pipe.PTTL(ctx, b.record(is.key)), nil, nil
			if len(names) > 0 {
				scores[i] = queueScores(ctx, pipe, b, names)
			}
			for _, name := range names {
				if e, _ := parseMember(name); e.scope == scopeClaim {
					sp := prefixSpan(claimPrefix(e.key.Tenant, e.name))
					n := pipe.ZLexCount(ctx, b.index(), sp.first, sp.last)
					holders[i] = append(holders[i], n)
				}
			}
		}
	})
	list := make([]suspect, len(live))
	for i := range live {
		if err != nil {
			return nil, err
		}
		list[i].expires = times[i].Val() >= 0 // negative if it does not expire or exist
		missing := false
		if scores[i] != nil {
			missing, err = lacksOne(scores[i])
		}
		list[i].disagrees = missing || slices.ContainsFunc(holders[i],
			func(n *redis.IntCmd) bool { return n.Val() != 1 })
	}
	return list, err
}

// queueScores queues a command that reads the scores of members; see lacksOne. It does not use
// ZMScore, which returns 0 for a missing member.
func queueScores(
	ctx context.Context, pipe redis.Pipeliner, b bucket, names []string,
) *redis.Cmd {
	words := []any{"zmscore", b.index()}
	for _, name := range names {
		words = append(words, name)
	}
	return pipe.Do(ctx, words...)
}

// lacksOne reports whether one of the members whose scores were read is missing.
func lacksOne(scores *redis.Cmd) (bool, error) {
	list, err := scores.Slice()
	return slices.Contains(list, nil), err
}

// maxRechecks is how often recheck inspects a record that keeps changing. After that no check is
// needed: a commit that changes a record also corrects its index members.
const maxRechecks = 8

// recheck inspects a record again. If member is not "", it checks that index member, else all
// members that the record should have. A script then finds and repairs the problems, unless the
// record has changed since.
func (v *verification) recheck(ctx context.Context, k installation.Key, member string) error {
	b := v.store.keys.of(k.Tenant)
	for range maxRechecks {
		list, err := v.store.readRecords(ctx, []installation.Key{k})
		if err != nil {
			return err
		}
		is := list[0]
		args := []string{is.head, k.ID, member, ""}
		switch live := is.record != nil && !is.record.Deleted; {
		case member != "" && (is.damaged || live && hasMember(is.record, member)):
			args[3] = "1"
		case member == "" && live:
			args = append(args, members(is.record)...)
		}
		keys := []string{b.record(k), b.index()}
		found, changed, err := v.check(ctx, b, v.store.repair, keys, args...)
		if err != nil {
			return err
		}
		for _, f := range found {
			v.add(Problem{Kind: f.kind, Bucket: b.number, Key: k, Name: listOf(f.name)})
		}
		if !changed {
			return nil
		}
	}
	return nil
}

// listOf names the list that an index member belongs to.
func listOf(member string) string {
	switch e, _ := parseMember(member); e.scope {
	case scopeClaim:
		return "claims"
	case scopeDue, scopeAnyDue:
		return "deadlines"
	default:
		return "term " + e.name
	}
}
