package redisstore

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// index walks the index of a bucket. It uses ZSCAN, because a score other than 0 disturbs the order
// of an index. It checks the members of outcomes only if readable is true: the hash with the
// outcomes can then be read.
func (v *verification) index(ctx context.Context, b bucket, readable bool) error {
	next := func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return v.store.client.ZScan(ctx, b.index(), cursor, "", scanBatch).Result()
	}
	return v.store.scan(ctx, 2, next, func(ctx context.Context, found []string) error {
		return v.checkMembers(ctx, b, found, readable)
	})
}

// indexMember is a member of an index.
type indexMember struct {
	name      string
	misplaced bool             // its score is not 0
	key       installation.Key // of the record that it names
	field     string           // of the outcome that it names
}

// checkMembers checks members of an index. In found, each member is followed by its score.
func (v *verification) checkMembers(
	ctx context.Context, b bucket, found []string, readable bool,
) error {
	var ofRecords, ofOutcomes []indexMember
	var remove []string
	for i := 0; i+1 < len(found); i += 2 {
		name := found[i]
		score, err := strconv.ParseFloat(found[i+1], 64)
		m := indexMember{name: name, misplaced: err != nil || score != 0}
		v.checked(&v.report.Members, 1)
		if name != "" && name[:1] == scopeMeta {
			if err := v.checkMetaMember(ctx, b, m); err != nil {
				return err
			}
			continue
		}
		if field, ok := parseEnd(name); ok {
			m.field = field
			ofOutcomes = append(ofOutcomes, m)
			continue
		}
		e, ok := parseMember(name)
		p := Problem{Kind: ProblemUnreadableMember, Bucket: b.number, Name: "index"}
		switch m.key = e.key; {
		case !ok:
		case v.store.keys.of(e.key.Tenant) != b:
			p.Kind, p.Key, p.Name = ProblemStaleMember, e.key, listOf(name)
		default:
			ofRecords = append(ofRecords, m)
			continue
		}
		remove = append(remove, name)
		v.add(p)
	}
	err := v.removeMembers(ctx, b, remove)
	if err == nil {
		err = v.checkRecordMembers(ctx, ofRecords)
	}
	if err == nil && readable {
		err = v.checkEnds(ctx, b, ofOutcomes)
	}
	return err
}

// checkMetaMember checks a member with the scope of metas. Only the meta of this store belongs in
// the index.
func (v *verification) checkMetaMember(ctx context.Context, b bucket, m indexMember) error {
	p := Problem{Kind: ProblemForeignMeta, Bucket: b.number, Name: "meta"}
	switch {
	case m.name != v.meta(b).member():
		if v.follow(ctx, b) {
			return nil
		}
	case !m.misplaced:
		return nil
	default:
		p.Kind = ProblemMisplacedMember
	}
	v.add(p)
	if !v.repair || p.Kind == ProblemForeignMeta {
		return nil
	}
	return v.pipeline(ctx, func(pipe redis.Pipeliner) {
		pipe.ZAddXX(ctx, b.index(), redis.Z{Member: m.name})
	})
}

// removeMembers removes members that no commit writes, if [VerifyOptions.Repair] is set.
func (v *verification) removeMembers(ctx context.Context, b bucket, names []string) error {
	if !v.repair {
		return nil
	}
	return v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for _, name := range names {
			pipe.ZRem(ctx, b.index(), name)
		}
	})
}

// checkRecordMembers checks that records have the members that name them.
func (v *verification) checkRecordMembers(ctx context.Context, list []indexMember) error {
	keys := make([]installation.Key, len(list))
	for i, m := range list {
		keys[i] = m.key
	}
	all, err := v.store.readRecords(ctx, keys)
	if err != nil {
		return err
	}
	for i, m := range list {
		is := all[i]
		has := is.damaged || is.record != nil && hasMember(is.record, m.name)
		if has && !m.misplaced {
			continue
		}
		if err := v.recheck(ctx, m.key, m.name); err != nil {
			return err
		}
	}
	return nil
}

// checkEnds checks that each member names the end that its outcome has.
func (v *verification) checkEnds(ctx context.Context, b bucket, list []indexMember) error {
	if len(list) == 0 {
		return nil
	}
	fields := make([]string, len(list))
	for i, m := range list {
		fields[i] = m.field
	}
	values, err := readValue(ctx, v.store, func(ctx context.Context) ([]any, error) {
		return v.store.client.HMGet(ctx, b.fields(), fields...).Result()
	})
	if err != nil {
		return err
	}
	for i, m := range list {
		value, _ := values[i].(string)
		if !m.misplaced && len(value) >= digits && m.name == endMember(m.field, value) {
			continue
		}
		if err := v.recheckEnd(ctx, b, m.field, m.name); err != nil {
			return err
		}
	}
	return nil
}

// recheckEnd compares an outcome with an index member. If member is "", it takes the member that
// the outcome should have. A script finds and repairs the problem.
func (v *verification) recheckEnd(ctx context.Context, b bucket, field, member string) error {
	keys := []string{b.index(), b.fields()}
	found, _, err := v.check(ctx, b, v.store.ends, keys, field, member)
	for _, f := range found {
		v.add(outcomeProblem(f.kind, b, field))
	}
	return err
}
