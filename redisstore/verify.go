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
	// Repair corrects the problems of the kinds from [ProblemMissingMember] to
	// [ProblemExpiringKey]. It never removes records, outcomes, events or keys, and never changes
	// the content of a record.
	Repair bool
}

// ProblemKind says what is wrong.
type ProblemKind string

// Kinds of problems that Repair corrects. Records and outcomes prove what the index should contain.
const (
	// ProblemMissingMember is an index member of a record or outcome that the index lacks.
	ProblemMissingMember ProblemKind = "missing-member"
	// ProblemStaleMember is an index member that belongs to no record and no outcome, or no longer.
	ProblemStaleMember ProblemKind = "stale-member"
	// ProblemMisplacedMember is an index member with a score other than 0, which disturbs the
	// order.
	ProblemMisplacedMember ProblemKind = "misplaced-member"
	// ProblemUnreadableMember is an index member that this package did not write. Repair removes
	// it.
	ProblemUnreadableMember ProblemKind = "unreadable-member"
	// ProblemMissingKey is a missing fixed key of a bucket; the package documentation lists the
	// fixed keys. A hash without the field that keeps it alive counts too. Repair creates the key.
	// In a hash it names the last events that the log proves. Whatever else the key contained is
	// lost.
	ProblemMissingKey ProblemKind = "missing-key"
	// ProblemExpiringKey is a record, or a fixed key of a bucket, that is set to expire. Repair
	// makes the key persistent.
	ProblemExpiringKey ProblemKind = "expiring-key"
)

// Kinds of problems that Repair leaves alone.
const (
	// ProblemClaimConflict is a claim of a record for which the index has a member of another
	// record. If both records have the claim, the report lists both.
	ProblemClaimConflict ProblemKind = "claim-conflict"
	// ProblemForeignMeta is the meta of another namespace in a bucket that also has its own. Open
	// rejects such a bucket.
	ProblemForeignMeta ProblemKind = "foreign-meta"
	// ProblemDamagedRecord is a record that cannot be read. Verify keeps its index members.
	ProblemDamagedRecord ProblemKind = "damaged-record"
	// ProblemDamagedOutcome is an outcome that cannot be read.
	ProblemDamagedOutcome ProblemKind = "damaged-outcome"
	// ProblemDamagedEvent is an event that cannot be read, or that is stored for another tenant
	// than its own.
	ProblemDamagedEvent ProblemKind = "damaged-event"
	// ProblemDamagedKey is a fixed key with a value of another type. Verify does not check the
	// outcomes and events of its bucket.
	ProblemDamagedKey ProblemKind = "damaged-key"
	// ProblemBrokenChain is an event that does not name the previous event of its tenant, or that
	// names a lost one: the previous event is missing although an older event of the bucket is
	// still there.
	ProblemBrokenChain ProblemKind = "broken-chain"
	// ProblemWrongTail is a field that should name the last event of a tenant, or the first or the
	// last event of a bucket. The field is missing, or it names another event or a lost one.
	ProblemWrongTail ProblemKind = "wrong-tail"
	// ProblemWrongBucket is a record, an outcome or an event in another bucket than that of its
	// tenant.
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

// maxProblemText limits the texts of a [Problem], in bytes: keys that others have written can be
// long.
const maxProblemText = 1024

// Problem is something that [Store.Verify] has found. It contains no body, no outcome and no claim.
// Texts are cut after 1 KiB.
type Problem struct {
	Kind     ProblemKind
	Bucket   int              // -1 for a key that is in no bucket
	Key      installation.Key // of the record; only Tenant if there is no record; zero if unknown
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
// manual change. Verify does not notice that a record was lost together with its index members, or
// that the oldest events were lost: it takes them for trimmed.
//
// Commits can run meanwhile: Verify checks each suspected problem again before it counts the
// problem. If a failover loses data meanwhile, Verify may report problems that a second run does
// not find. While the slot of a bucket is being moved, Verify may miss something, or return an
// error that names the slot. A key that the server returns twice may be counted twice. If the
// answer to a repair is lost, the problem may be missing from the report.
//
// Verify reads everything, in small batches. It needs memory for one event ID for each tenant of a
// bucket. Nil options are the zero value. The error is that of the context or matches
// [installation.ErrUnavailable], for instance if a bucket lacks its meta. The report then covers
// what was checked before the error.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	v := &verification{store: s, repair: o != nil && o.Repair}
	if err := ctx.Err(); err != nil {
		return v.report, err
	}
	// The index comes before the records, so that a repair removes stale claims first. The records
	// that have these claims can then get their members.
	for _, b := range s.keys.all() {
		m, err := s.finalMeta(ctx, b)
		if err != nil {
			m = s.meta() // the check of the fixed keys finds what is wrong
		}
		v.metas = append(v.metas, m)
	}
	err := v.buckets(ctx)
	if err == nil {
		err = s.client.eachPrimary(ctx, v.keysOf)
	}
	if err != nil {
		err = fmt.Errorf("verify: %w", wrapError(ctx, installation.ErrUnavailable, err))
	}
	return v.report, err
}

// verification is one run of Verify.
type verification struct {
	store  *Store
	repair bool
	metas  []meta // by number of the bucket

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
		var tails map[string]entryID
		if err == nil && readable {
			tails, err = v.events(ctx, b)
		}
		if err == nil && readable {
			err = v.fields(ctx, b, tails)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// problemAt is a problem that a script has found.
type problemAt struct {
	kind ProblemKind
	name string // an index member or a key
}

// check runs a script that checks something atomically, and repairs it with [VerifyOptions.Repair].
// The result changed is true if the record has changed since it was inspected; the script has then
// checked nothing.
func (v *verification) check(
	ctx context.Context, b bucket, sc script, keys []string, args ...string,
) (found []problemAt, changed bool, err error) {
	repair := ""
	if v.repair {
		repair = "1"
	}
	args = append([]string{v.meta(b).member(), repair}, args...)
	reply, err := v.store.runScript(ctx, sc, keys, args)
	switch {
	case err != nil:
		return nil, false, err
	case slices.Equal(reply, []string{"foreign"}):
		if v.follow(ctx, b) {
			return v.check(ctx, b, sc, keys, args[2:]...)
		}
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

// follow reports whether a bucket has another meta of this namespace than before: a restore was
// accepted meanwhile. Verify goes on with that one.
func (v *verification) follow(ctx context.Context, b bucket) bool {
	m, err := v.store.finalMeta(ctx, b)
	if err != nil || m == v.meta(b) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.metas[b.number] = m
	return true
}

func (v *verification) meta(b bucket) meta {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.metas[b.number]
}

// pipeline sends commands in one round trip, and retries it if it fails.
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
