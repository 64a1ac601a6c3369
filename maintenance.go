package installation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/keycheck"
)

// AcceptRestore makes a store usable again after its data went back to an older state: someone
// restored a backup, or a failover lost more than a few seconds. Until then, processes that noticed
// it get [ErrRestored]. First make sure that the data is the data you want to keep: AcceptRestore
// cannot be undone. It can be repeated, and called by several processes at once.
//
// All that was written between the backup and the restore is lost; below, this is the lost time.
// After AcceptRestore, a revision, generation or ETag of the lost time matches no record. A request
// with an idempotency key that was first used in the lost time runs again, as a new request. A
// guard with a revision from before the backup still works. Invitations and cursors from before the
// backup do not: all open invitations are void, and [Service.VoidInvitations] lists them for
// [Service.Resend]. [Service.Events] answers [ErrTrimmed] to every older cursor. What was written
// between the restore and AcceptRestore is kept, even if a guard of the lost time matched there by
// chance.
//
// AcceptRestore is for the host. The result names the namespace and its new epoch. Errors:
// [ErrForbidden], [ErrUnsupported] if the store has no epochs, and those of the store. After an
// error of the store, repeat the call.
func (s *Service) AcceptRestore(ctx context.Context) (in Namespace, err error) {
	defer inMethod("accept restore", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return Namespace{}, err
	}
	return s.store.AcceptRestore(ctx, s.now())
}

// Report is what [Service.Check] found.
type Report struct {
	Findings []health.Finding // about the store and the keys
	Keys     []KeyCount       // of the available keys, by ID
	Records  int64            // installations of all tenants
}

// KeyCount says how many records have their data key wrapped under a key-encryption key.
type KeyCount struct {
	ID      string
	Primary bool
	Records int64
}

// OK reports whether no finding is an error.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f health.Finding) bool {
		return f.Level == health.Error
	})
}

// Check reports whether the store can be reached and is safe, how many records each key protects,
// and whether the keys are the right ones. To test the keys, it wraps and unwraps a new data key,
// and unwraps some stored data keys under each key, without a cache. So a wrong, missing or changed
// key is found before the first request needs it. Findings name a key by its ID alone.
//
// Call it at start-up and for a health endpoint. It is for the host and writes nothing.
//
// Findings about keys: "wrong-key", "key-does-not-open" and "key-missing" are errors.
// "some-records-do-not-open" warns that a key opens only some of the oldest and newest records
// under its ID: the others are damaged, or two keys had one ID. "key-unavailable" means that a key
// service did not answer. "records-without-key" means that some records are under keys that are not
// available, and that the first ten thousand records do not name these keys. "unvouched-ends" names
// uninstalled installations that wait for a key before [Service.Sweep] purges them. Check looks for
// them among the first ten thousand records that are due.
//
// Errors: [ErrForbidden], those of the context, and [ErrUnavailable] if the store does not answer.
func (s *Service) Check(ctx context.Context) (report *Report, err error) {
	defer inMethod("check", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return nil, err
	}
	report = &Report{}
	if report.Findings, err = s.storeHealth(ctx); err != nil {
		return nil, err
	}
	sum, found, err := s.keyCheck().Findings(ctx)
	if err != nil {
		return nil, err
	}
	report.Keys, report.Records = keyCounts(sum.Keys), sum.Records
	report.Findings = append(report.Findings, found...)
	if err := s.checkEnds(ctx, report); err != nil {
		return nil, err
	}
	return report, nil
}

// storeHealth returns what the store reports of itself. If the store has no reports, one read shows
// whether it answers.
func (s *Service) storeHealth(ctx context.Context) ([]health.Finding, error) {
	found, err := s.store.Health(ctx)
	if !errors.Is(err, ErrUnsupported) {
		return found, err
	}
	if _, err = s.store.Get(ctx, Key{ID: "check"}); errors.Is(err, ErrNotFound) {
		err = nil // a healthy store said so
	}
	return nil, err
}

// maxDue is how many due records checkEnds reads at most.
const maxDue = 10_000

// checkEnds adds a finding if ends of installations wait for a key. It opens at most a thousand
// records. It does not open those that are due to be refreshed or revoked: there can be many.
func (s *Service) checkEnds(ctx context.Context, report *Report) error {
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: MaxPage}
	var waiting []string
	due, ends := 0, 0
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if due++; due > maxDue || ends == MaxPage {
			break
		}
		if !sweeps(r, q.DueBefore) {
			continue
		}
		ends++
		snap := s.open(ctx, r.Key, r)
		if snap.lifecycle.status == StatusUninstalled && (snap.err != nil || snap.unvouched) {
			waiting = append(waiting, fmt.Sprintf("%q of tenant %q", r.Key.ID, r.Key.Tenant))
		}
		snap.wipe()
	}
	if n := len(waiting); n > 0 {
		report.Findings = append(report.Findings, health.Finding{
			Level: health.Warning, Rule: "unvouched-ends",
			Detail: fmt.Sprintf("Sweep does not purge %d or more uninstalled installations yet, "+
				"because no seal vouches for their end or they do not open: %s",
				n, strings.Join(waiting[:min(n, 10)], ", ")),
		})
	}
	return ctx.Err()
}

// CanRetire returns nil if no record needs a key. The key can then be removed from every process:
// the fourth step of a rotation. CanRetire reads every record that the store lists across tenants.
// So a record that lost its place under the key still counts, and an unreadable body is an error.
// It cannot see a record that the store lists nowhere. Promote the new key everywhere first: a
// process that still has the old key as its primary can put a record under it at any time.
//
// It looks only at the store. Backups that need the key cannot be opened once the key is gone.
//
// It is for the host. Errors: [ErrForbidden]; [ErrKeyInUse] for the primary key and for a key that
// a record needs; [ErrUnknownKey] for a key that is not available; an error of the primary key if
// that key does not open what is stored under its ID, since other processes then cannot open what
// this process rewrapped; and any error of the store or of a record that prevents counting.
func (s *Service) CanRetire(ctx context.Context, keyID string) (err error) {
	defer inMethod("can retire", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return err
	}
	switch ids := s.keys.KeyIDs(); {
	case !slices.Contains(ids, keyID):
		// Do not repeat the argument: by mistake it could be the key itself.
		return fmt.Errorf("%w: there are %s", ErrUnknownKey, strings.Join(ids, ", "))
	case keyID == s.keys.Primary():
		return &KeyInUseError{KeyID: keyID, Primary: true}
	}
	check := s.keyCheck()
	if err := check.TryPrimary(ctx); err != nil {
		return err
	}
	n, err := check.Needing(ctx, keyID)
	if err == nil && n > 0 {
		err = &KeyInUseError{KeyID: keyID, Records: n}
	}
	return err
}

// keyCounts returns counts as the type that callers know.
func keyCounts(counts []keycheck.Count) (out []KeyCount) {
	for _, c := range counts {
		out = append(out, KeyCount(c))
	}
	return out
}

// SweepRequest is the request of [Service.Sweep]. The zero value does all that is due.
type SweepRequest struct {
	Limit int // maximum number of changes; 0 = all that are due
	// TrustClock sweeps even if the clock is far ahead of every stored time. Check the clock before
	// you set it: nothing brings back what a sweep has expired or purged.
	TrustClock bool
}

// SweepReport counts what [Service.Sweep] did.
type SweepReport struct {
	Expired  int // invitations past their expiry
	Vouched  int // uninstalled without a key, and sealed now: their grace period begins
	Purged   int // uninstalled installations past their grace period
	Shredded int // how many of Purged could not be sealed again: only plain fields are left
	Waiting  int // uninstalled, and their record does not open; see [Service.Check]
	Skipped  int // records that someone else changed meanwhile
	Failed   int // records that could not be changed; see the error
}

// sweepPage is how many due records Sweep reads at once.
const sweepPage = 100

// Sweep does what is due in all tenants: it marks invitations past their expiry as expired, and
// purges uninstalled installations past their grace period.
//
// A clock that is years ahead would end every invitation for good. So if something is due, Sweep
// first looks for a stored time that is not more than 400 days before now. If it finds no such
// time, it changes nothing and returns [ErrClock]. It looks at the times when records were created,
// uninstalled or expired. Usually the first due record has a recent time. Otherwise Sweep reads
// more records until it finds one, so it has read all records when it returns ErrClock. If the
// clock is right and all these times are older, set TrustClock. Sweep does not notice a clock that
// is ahead by less than 400 days, or that was already ahead at an earlier write.
//
// Call it from a timer, in any number of processes: each change is a compare-and-swap, and the
// loser of a race skips the record. A sweep can be stopped at any time and started again. It goes
// on after a record that cannot be opened. It purges only what a seal vouches for. An uninstall
// that was written without a key is sealed first, and its grace period begins with that. A record
// that does not open waits for its key, or for Uninstall with Final or Delete. If a record opens
// and no new key can be wrapped, the purge drops the whole content; see SweepReport.Shredded.
//
// At the end Sweep calls Trim of a store that is a [Trimmer], so that the store forgets what has
// expired. It does not check the clock for that, because every commit forgets in the same way.
//
// The report is valid even with an error. Errors: [ErrForbidden] for anyone except the host,
// [ErrInvalid] for a negative limit, [ErrClock], those of the context and the store, and, joined,
// one for each failed record.
func (s *Service) Sweep(ctx context.Context, req SweepRequest) (SweepReport, error) {
	var report SweepReport
	if err := s.admitMaintenance(checkLimit("limit", req.Limit, math.MaxInt)); err != nil {
		return report, fmt.Errorf("sweep: %w", err)
	}
	var failed []error
	trusted := req.TrustClock
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: sweepPage}
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return report, errors.Join(append(failed, err)...)
		}
		if !sweeps(r, q.DueBefore) {
			continue
		}
		if req.Limit > 0 && report.Expired+report.Vouched+report.Purged >= req.Limit {
			break
		}
		if !trusted {
			if err := s.checkClock(ctx, q.DueBefore, r); err != nil {
				return report, fmt.Errorf("sweep: %w", err)
			}
			trusted = true
		}
		if err := s.sweepOne(ctx, r, &report); err != nil {
			if ctx.Err() != nil {
				return report, errors.Join(append(failed, ctx.Err())...)
			}
			report.Failed++
			failed = append(failed, err)
		}
	}
	if err := s.store.Trim(ctx, q.DueBefore); err != nil && !errors.Is(err, ErrUnsupported) {
		failed = append(failed, fmt.Errorf("sweep: %w", err))
	}
	return report, errors.Join(failed...)
}

// sweeps reports whether a due record is one for Sweep. What else is due is for Run.
func sweeps(r *Record, now time.Time) bool {
	_, life, err := decodeBody(r.Body)
	return err != nil || life.status != StatusInstalled &&
		(life.status != StatusUninstalled || !now.Before(life.purgeAt))
}

// sweepOne makes the change that is due for a listed record, and counts it.
func (s *Service) sweepOne(ctx context.Context, r *Record, report *SweepReport) error {
	s = s.In(r.Key.Tenant).withKeyTimeout(false)
	var done *draft
	_, err := s.write(ctx, write{
		method: "sweep", id: r.Key.ID, guard: Guard{Present: true, Revision: r.Revision},
		actions: []Action{ActionMaintain}, access: accessKeyless,
		apply: func(ctx context.Context, d *draft) error {
			done = d
			switch {
			case d.now.Before(d.stored.Deadline):
			case d.lifecycle.status == StatusInvited:
				s.expire(d)
			case d.lifecycle.status != StatusUninstalled || d.lifecycle.purged:
				return errNothingDue
			case d.err != nil: // whether a seal vouches for the end is unknown
			case d.unvouched:
				d.sealEnd()
			case d.now.Before(d.lifecycle.purgeAt): // only a revocation is due
			default:
				return s.purge(ctx, d)
			}
			return nil
		},
	})
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
		report.Skipped++ // somebody else changed it, or it is gone
	case err != nil:
		return err
	case done.effect == effectNone && done.err != nil:
		report.Waiting++
	case done.effect == effectNone:
		report.Skipped++ // it is no longer due
	case done.lifecycle.status == StatusExpired:
		report.Expired++
	case !done.lifecycle.purged:
		report.Vouched++
	default:
		report.Purged++
		if done.effect == effectPlain {
			report.Shredded++
		}
	}
	return nil
}

var errNothingDue = errors.New("installation: the record has a deadline and nothing can be due")

// Namespace identifies the data of a store, and the last restore of it that was accepted.
type Namespace struct {
	ID string // random; data that was lost and begun again has another ID
	// Epoch is 0 until the first restore is accepted. From then on it is the time of the last
	// acceptance in microseconds since 1970, or a greater number.
	Epoch int64
	Era   string // random, new with each epoch: tells apart two epochs with the same number
}

// Namespacer is the ability of a store to refuse changes that were built before a restore. Without
// it the namespace has no ID, and its epoch is always 0.
//
// After a restore from a backup, a revision can be given out a second time, for other content. The
// epoch prevents that. When an operator accepts the restore, the epoch becomes the time of the
// acceptance. That is greater than every revision and generation before, unless the clock was put
// back. From then on the service chooses revisions and generations that are at least the epoch, and
// a store refuses a change of another epoch.
type Namespacer interface {
	// Namespace returns the namespace as the store saw it last. It need not read the namespace
	// again, because Commit compares the epoch. After AcceptRestore, it returns the new namespace.
	// After an error of Commit that matches [ErrEpoch], it returns the namespace that Commit saw.
	Namespace(ctx context.Context) (Namespace, error)

	// AcceptRestore gives the namespace a new era and a greater epoch: now in microseconds since
	// 1970, or the epoch before plus 1 if that is greater. The ID stays the same. So do records,
	// outcomes and events. If several calls run at the same time, the namespace keeps the greatest
	// epoch that one of them returned. If the store is split in parts with different epochs,
	// AcceptRestore makes them equal. After an error, a repeat completes the work.
	AcceptRestore(ctx context.Context, now time.Time) (Namespace, error)
}

// Trimmer is the ability to forget what has expired without a commit. [Service.Sweep] calls it.
// Without it, only commits forget.
type Trimmer interface {
	// Trim forgets outcomes whose Until is not after now, and tombstones whose Deadline is set and
	// not after now. It trims the change log to the size that the store keeps. It can be repeated,
	// and called by several processes at once.
	Trim(ctx context.Context, now time.Time) error
}

// Mover is the ability to read all rows of a store and to write rows into it as they are. It is for
// copies from one store to another.
type Mover interface {
	// Scan returns every row of all tenants: records and tombstones with the changes that they
	// remember, and outcomes. It may leave out expired outcomes and tombstones. The order is the
	// store's own. A row that exists during the whole scan is returned at least once, as it was at
	// some time meanwhile. A row that appears or vanishes meanwhile may be left out. The caller can
	// use the store during the scan, and can end the scan early. An error comes last, and without a
	// row. A scan without an error is complete.
	Scan(ctx context.Context) iter.Seq2[Row, error]

	// Put writes a row as it is, with its revision and the changes that it remembers, and reports
	// whether it did. It writes nothing if the store has a record with the same or a higher
	// revision at the key, or an outcome that is kept as long or longer. It ignores the epoch and
	// appends no events. If another record of the tenant holds one of the claims, it returns an
	// [*ExistsError]. If the row breaks a rule of its fields, the error matches [ErrInvalid]; see
	// [Row.Validate]. The time now is for what Change.Now is for. If the store cannot know whether
	// it has written the row, the error matches [ErrUnknownOutcome]. The call can be repeated.
	Put(ctx context.Context, now time.Time, row Row) (written bool, err error)
}
