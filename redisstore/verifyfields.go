package redisstore

import (
	"context"
	"encoding/hex"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// fields walks the hash of a bucket: outcomes, and the last event of each tenant. It compares these
// with logged, the last event of each tenant in the log. It deletes the tenants in logged whose
// field it has found.
func (v *verification) fields(ctx context.Context, b bucket, logged map[string]entryID) error {
	next := func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return v.store.client.HScan(ctx, b.fields(), cursor, "", scanBatch).Result()
	}
	err := v.store.scan(ctx, 2, next, func(ctx context.Context, found []string) error {
		return v.checkFields(ctx, b, found, logged)
	})
	if err != nil {
		return err
	}
	for tenant, last := range logged {
		// The scan can miss a field while the slot moves. If the field is missing, id is "".
		id, err := v.store.readText(ctx, func(ctx context.Context) *redis.StringCmd {
			return v.store.client.HGet(ctx, b.fields(), tailField(tenant))
		})
		if err == nil {
			err = v.checkTails(ctx, b, []tail{{tenant, id, last}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkFields checks fields of a hash. In found, each field is followed by its value.
func (v *verification) checkFields(
	ctx context.Context, b bucket, found []string, logged map[string]entryID,
) error {
	var tails []tail
	var fields, ends []string
	for i := 0; i+1 < len(found); i += 2 {
		field, value := found[i], found[i+1]
		tenant, digest, isOutcome := parseOutcomeField(field)
		switch {
		case field == "" || field == fieldFirst || field == fieldLast:
			continue
		case isOutcome:
			v.checked(&v.report.Outcomes, 1)
			if _, err := decodeOutcome(digest, value); err != nil {
				v.add(outcomeProblem(ProblemDamagedOutcome, b, field))
			} else {
				fields, ends = append(fields, field), append(ends, endMember(field, value))
			}
			if v.store.keys.of(tenant) != b {
				v.add(outcomeProblem(ProblemWrongBucket, b, field))
			}
		case field[:1] == tailScope:
			tenant := field[1:]
			tails = append(tails, tail{tenant, value, logged[tenant]})
			delete(logged, tenant)
			if v.store.keys.of(tenant) != b {
				v.add(tailProblem(ProblemWrongBucket, b, tenant))
			}
		default:
			v.add(Problem{Kind: ProblemUnknown, Bucket: b.number, Name: "field " + field})
		}
	}
	if err := v.checkTails(ctx, b, tails); err != nil || len(ends) == 0 {
		return err
	}
	var scores *redis.Cmd
	err := v.pipeline(ctx, func(pipe redis.Pipeliner) {
		scores = queueScores(ctx, pipe, b, ends)
	})
	if err != nil {
		return err
	}
	list, err := scores.Slice()
	if err != nil {
		return err
	}
	for i, score := range list {
		if score != nil {
			continue
		}
		if err := v.recheckEnd(ctx, b, fields[i], ""); err != nil {
			return err
		}
	}
	return nil
}

// outcomeProblem returns a problem of the outcome in a field.
func outcomeProblem(kind ProblemKind, b bucket, field string) Problem {
	tenant, digest, _ := parseOutcomeField(field)
	return Problem{
		Kind: kind, Bucket: b.number, Key: installation.Key{Tenant: tenant},
		Name: "outcome " + hex.EncodeToString(digest[:]),
	}
}

// tail is a field that names the last event of a tenant.
type tail struct {
	tenant, id string
	logged     entryID // the tenant's last event in the log; zero = no event
}

func tailProblem(kind ProblemKind, b bucket, tenant string) Problem {
	return Problem{
		Kind: kind, Bucket: b.number, Key: installation.Key{Tenant: tenant}, Name: "last event",
	}
}

// checkTails checks that fields name no event before the tenant's last one in the log. It also
// checks that the events that they name are in the log, or older than all events there.
func (v *verification) checkTails(ctx context.Context, b bucket, tails []tail) error {
	found := make([]*redis.XMessageSliceCmd, len(tails))
	err := v.pipeline(ctx, func(pipe redis.Pipeliner) {
		for i, t := range tails {
			if id, _ := parseID(t.id); validID(t.id) && !id.less(t.logged) {
				found[i] = pipe.XRangeN(ctx, b.events(), t.id, t.id, 1)
			}
		}
	})
	if err != nil {
		return err
	}
	for i, t := range tails {
		wrong := found[i] == nil
		switch {
		case wrong:
		case len(found[i].Val()) == 0:
			wrong, err = v.isLost(ctx, b, t.id)
		default:
			wrong = found[i].Val()[0].Values[entryTenant] != t.tenant
		}
		if err != nil {
			return err
		}
		if wrong {
			v.add(tailProblem(ProblemWrongTail, b, t.tenant))
		}
	}
	return nil
}
