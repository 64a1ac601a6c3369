package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// VerifyOptions configure [Store.Verify]. The zero value only reports.
type VerifyOptions struct {
	// Repair corrects the problems whose [ProblemKind] says so. It never removes records,
	// outcomes, events or keys, and never changes what a record says.
	Repair bool
}

// ProblemKind says what is wrong.
type ProblemKind string

// Kinds of problems that Repair corrects. Records and outcomes prove what the index should contain.
const (
	// ProblemMissingMember is an index member that a record or outcome should have and does not.
	ProblemMissingMember ProblemKind = "missing-member"
	// ProblemStaleMember is an index member that no record or outcome has.
	ProblemStaleMember ProblemKind = "stale-member"
	// ProblemMisplacedMember is an index member with a score, which puts it in a wrong place.
	ProblemMisplacedMember ProblemKind = "misplaced-member"
	// ProblemUnreadableMember is an index member that this package did not write. Repair removes
	// it.
	ProblemUnreadableMember ProblemKind = "unreadable-member"
	// ProblemMissingKey is a fixed key of a bucket that is missing, or its hash without the field
	// that keeps it alive. Repair creates it empty; what it contained is lost.
	ProblemMissingKey ProblemKind = "missing-key"
	// ProblemExpiringKey is a record, or a fixed key of a bucket, that is set to expire. Repair
	// makes it persistent.
	ProblemExpiringKey ProblemKind = "expiring-key"
)

// Kinds of problems that Repair leaves alone.
const (
	// ProblemClaimConflict is a claim of a record that the index also, or only, assigns to another
	// one. Both records, if there are two, are listed.
	ProblemClaimConflict ProblemKind = "claim-conflict"
	// ProblemForeignMeta is a meta of another namespace beside that of this one. Nothing can be
	// written to such a bucket.
	ProblemForeignMeta ProblemKind = "foreign-meta"
	// ProblemDamagedRecord is a record that cannot be read. Its index members are left alone.
	ProblemDamagedRecord ProblemKind = "damaged-record"
	// ProblemDamagedOutcome is an outcome that cannot be read.
	ProblemDamagedOutcome ProblemKind = "damaged-outcome"
	// ProblemDamagedEvent is an event that cannot be read, or that is about another tenant.
	ProblemDamagedEvent ProblemKind = "damaged-event"
	// ProblemDamagedKey is a fixed key of another type. Outcomes and events of its bucket are not
	// checked.
	ProblemDamagedKey ProblemKind = "damaged-key"
	// ProblemBrokenChain is an event whose previous event of the tenant is missing, although an
	// older event is still there, or is not the one that it names.
	ProblemBrokenChain ProblemKind = "broken-chain"
	// ProblemWrongTail is a field that should name the last event of a tenant, or the first or the
	// last event of a bucket, and names another one or a missing one.
	ProblemWrongTail ProblemKind = "wrong-tail"
	// ProblemWrongBucket is data of a tenant that lives in another bucket.
	ProblemWrongBucket ProblemKind = "wrong-bucket"
	// ProblemUnknown is a key of the namespace, or a field of a hash, that this package does not
	// write.
	ProblemUnknown ProblemKind = "unknown"
)

// repairable reports whether Repair corrects problems of this kind.
func (k ProblemKind) repairable() bool {
	switch k {
	case ProblemMissingMember, ProblemStaleMember, ProblemMisplacedMember,
		ProblemUnreadableMember, ProblemMissingKey, ProblemExpiringKey:
		return true
	}
	return false
}

// MaxProblems limits [VerifyReport.Problems].
const MaxProblems = 1000

// maxProblemText limits the texts of a [Problem], in bytes. What others write has any length.
const maxProblemText = 1024

// Problem is something that [Store.Verify] has found. It contains no body, no outcome and no claim.
// Texts are cut after 1 KiB.
type Problem struct {
	Kind     ProblemKind
	Bucket   int              // -1 if it is in none
	Key      installation.Key // the record; without an ID only the tenant; zero if unknown
	Name     string           // what is affected: a list, a key, a field, an outcome or an event ID
	Repaired bool
}

// VerifyReport is the result of [Store.Verify].
type VerifyReport struct {
	Records  int64 // records and tombstones that were checked
	Members  int64 // index members that were checked
	Outcomes int64 // outcomes that were checked
	Events   int64 // events that were checked

	Problems []Problem             // the first [MaxProblems], in no order
	Found    map[ProblemKind]int64 // how many problems there are of each kind
}

// Clean reports whether there were no problems, not even repaired ones.
func (r VerifyReport) Clean() bool { return len(r.Found) == 0 }

// Verify checks everything that is stored: records, index, outcomes, events and keys. Commits keep
// all of it consistent, so Verify finds something only after a partial restore, an eviction or a
// manual change. It does not find what is lost without a trace: a record with its index members, or
// the oldest events, which look as if they were trimmed.
//
// Commits may run meanwhile: each suspected problem is checked again before it counts. A failover
// that loses data meanwhile may lead to problems that a second run does not find. While the slot of
// a bucket is being moved, Verify may miss something, or return an error that names the slot.
// A key that the server returns twice may be counted twice. If the answer to a repair is lost, the
// problem may be missing from the report.
//
// Verify reads everything, in small batches. It needs memory for one event ID for each tenant of a
// bucket. Nil options are the zero value. The error is the context's or matches
// [installation.ErrUnavailable], for instance for a bucket that lacks its meta. The report then
// covers what was checked before.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	v := &verification{store: s, repair: o != nil && o.Repair}
	if err := ctx.Err(); err != nil {
		return v.report, err
	}
	err := v.buckets(ctx) // first, so that stale claims are free for the records that have them
	if err == nil {
		err = s.client.eachPrimary(ctx, v.keysOf)
	}
	if err != nil {
		err = fmt.Errorf("verify: %w", wrapError(ctx, installation.ErrUnavailable, err))
	}
	return v.report, err
}

// verifyBatch is the number of keys, members or fields in one round trip.
const verifyBatch = 100

// verification is one run of Verify.
type verification struct {
	store  *Store
	repair bool

	mu     sync.Mutex // the servers of a cluster are walked concurrently
	report VerifyReport
}

// checked adds n to a count of the report.
func (v *verification) checked(count *int64, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*count += int64(n)
}

// add adds a problem to the report.
func (v *verification) add(p Problem) {
	p.Repaired = v.repair && p.Kind.repairable()
	for _, text := range []*string{&p.Name, &p.Key.Tenant, &p.Key.ID} {
		*text = strings.Clone((*text)[:min(len(*text), maxProblemText)])
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.report.Found == nil {
		v.report.Found = make(map[ProblemKind]int64)
	}
	v.report.Found[p.Kind]++
	if len(v.report.Problems) < MaxProblems {
		v.report.Problems = append(v.report.Problems, p)
	}
}

// buckets checks the fixed keys of each bucket and what is in them.
func (v *verification) buckets(ctx context.Context) error {
	for _, b := range v.store.keys.all() {
		readable, err := v.fixedKeys(ctx, b)
		if err == nil {
			err = v.index(ctx, b, readable)
		}
		if err == nil && readable {
			err = v.fields(ctx, b)
		}
		if err == nil && readable {
			err = v.events(ctx, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fixedKeys checks that the fixed keys of a bucket exist. It reports whether they have their types.
func (v *verification) fixedKeys(ctx context.Context, b bucket) (readable bool, err error) {
	found, _, err := v.check(ctx, b, v.store.fixedKeys, b.fixed())
	readable = true
	for _, f := range found {
		v.add(Problem{Kind: f.kind, Bucket: b.number, Name: f.name})
		readable = readable && f.kind != ProblemDamagedKey
	}
	return readable, err
}

// problemAt is a problem that a script has found.
type problemAt struct {
	kind ProblemKind
	name string // an index member or a key
}

// check runs a script that checks something atomically, and repairs it if it should. It reports
// whether the record has changed since it was inspected.
func (v *verification) check(
	ctx context.Context, b bucket, sc script, keys []string, args ...string,
) (found []problemAt, changed bool, err error) {
	repair := ""
	if v.repair {
		repair = "1"
	}
	reply, err := v.store.runScript(ctx, sc, keys, append([]string{v.store.meta, repair}, args...))
	switch {
	case err != nil:
		return nil, false, err
	case slices.Equal(reply, []string{"foreign"}):
		return nil, false, errForeign(b)
	case slices.Equal(reply, []string{"changed"}):
		return nil, true, nil
	case len(reply)%2 == 0 || reply[0] != "found":
		return nil, false, errReply
	}
	for pair := range slices.Chunk(reply[1:], 2) {
		found = append(found, problemAt{ProblemKind(pair[0]), pair[1]})
	}
	return found, false, nil
}

// pipeline sends commands in one round trip, to be repeated if it fails.
func (v *verification) pipeline(ctx context.Context, queue func(redis.Pipeliner)) error {
	return v.store.read(ctx, func(ctx context.Context) error {
		pipe := v.store.client.Pipeline()
		queue(pipe)
		if pipe.Len() == 0 {
			return nil
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}
