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
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
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

// checkEnds adds a finding if ends of installations wait for a key. It looks at the first thousand
// due records. Sweep leaves only those that wait, so usually there are no others.
func (s *Service) checkEnds(ctx context.Context, report *Report) error {
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: sweepPage}
	var waiting []string
	left := MaxPage
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if left--; left < 0 {
			break
		}
		snap := s.open(ctx, r.Key, r)
		if snap.lifecycle.status == StatusUninstalled && (snap.err != nil || snap.unvouched) {
			waiting = append(waiting, fmt.Sprintf("%q of tenant %q", r.Key.ID, r.Key.Tenant))
		}
		snap.wipe()
	}
	if n := len(waiting); n > 0 {
		report.add(health.Warning, "unvouched-ends", "Sweep does not purge %d or more uninstalled "+
			"installations yet, because no seal vouches for their end or they do not open: %s",
			n, strings.Join(waiting[:min(n, 10)], ", "))
	}
	return ctx.Err()
}

var errNothingDue = errors.New("installation: the record has a deadline and nothing can be due")

// admitMaintenance is admit for methods that act across installations. Only the host may call
// them, and only outside of its transactions.
func (s *Service) admitMaintenance(checks ...func(*validate.List)) error {
	if err := s.admit(checks...); err != nil {
		return err
	}
	if !s.can(ActionMaintain, nil) {
		return ErrForbidden
	}
	return s.outsideTransaction()
}

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

// Row is what a store keeps under a key. It is either a record or tombstone with the changes that
// it remembers, or an outcome. A stored row has exactly one of Record and Outcome. The zero Row
// means that nothing is stored.
//
// A store can keep rows in the encoding of MarshalBinary, and call Replay, Check and Apply in this
// order in Commit. These methods do no I/O.
type Row struct {
	Record  *Record
	Ops     []Op     // last changes of Record, oldest first: 1 to [RememberedOps]
	Outcome *Outcome // of an idempotency key of Tenant
	Tenant  string   // of Outcome; a record has its tenant in Key
}

// Op is a change that a record remembers.
type Op struct {
	Token      [16]byte // Change.Op
	Revision   int64    // of the record after the change
	WithRecord bool     // Change.Record was not nil
}

// Validate returns an error that matches [ErrInvalid] if r breaks a rule of its fields.
func (r Row) Validate() error {
	switch {
	case (r.Record == nil) == (r.Outcome == nil):
		return fmt.Errorf("%w: a row has a record or an outcome", ErrInvalid)
	case r.Outcome != nil && len(r.Ops) > 0:
		return fmt.Errorf("%w: an outcome remembers no changes", ErrInvalid)
	case r.Outcome != nil:
		return nil
	case len(r.Ops) < 1 || len(r.Ops) > RememberedOps:
		return fmt.Errorf("%w: the row remembers %d changes, want 1 to %d",
			ErrInvalid, len(r.Ops), RememberedOps)
	case r.Record.Revision < 1 || r.Record.Generation < 0:
		return fmt.Errorf("%w: revision %d of generation %d",
			ErrInvalid, r.Record.Revision, r.Record.Generation)
	case r.Ops[len(r.Ops)-1].Revision != r.Record.Revision:
		return fmt.Errorf("%w: the last change led to revision %d, and the record has %d",
			ErrInvalid, r.Ops[len(r.Ops)-1].Revision, r.Record.Revision)
	}
	return nil
}

// Replay returns the receipt of c and true if r remembers c: case 1 of Commit.
func (r Row) Replay(c Change) (Receipt, bool) {
	for _, op := range r.Ops {
		if op.Token == c.Op {
			return Receipt{Revision: op.Revision, Replayed: true}, true
		}
	}
	return Receipt{}, false
}

// Check compares the revision of r with c.If. It returns a [*ConflictError] if they differ (case 4
// of Commit), and an error that matches [ErrInvalid] if the revision of c.Record is not above c.If.
// Call it after Replay returned false.
func (r Row) Check(c Change) error {
	var revision int64
	if r.Record != nil {
		revision = r.Record.Revision
	}
	switch {
	case revision != c.If || r.Record == nil && c.Record == nil:
		return &ConflictError{Key: c.Key, Revision: revision, NotApplied: r.neverApplied(c)}
	case c.Record != nil && c.Record.Revision <= c.If:
		return fmt.Errorf("%w: revision %d does not follow %d", ErrInvalid, c.Record.Revision, c.If)
	}
	return nil
}

// neverApplied reports whether r proves that no try of c was applied, and none will be. r must not
// remember c. If r remembers fewer than RememberedOps changes, it has forgotten none. Otherwise the
// oldest one decides: if it came before c could be applied, r would still remember an applied c.
func (r Row) neverApplied(c Change) bool {
	switch {
	case r.Record == nil || r.Record.Revision <= c.If:
		return false
	case len(r.Ops) < RememberedOps:
		return true
	case c.Record != nil:
		return r.Ops[0].Revision <= c.If
	default:
		return r.Ops[0].Revision < c.If || r.Ops[0].Revision == c.If && r.Ops[0].WithRecord
	}
}

// Apply returns the row after c. It has the record of c, or that of r if c.Record is nil, and
// remembers c as its last change. The result shares its record with c or r. Call it after Check
// returned nil: it panics if neither r nor c has a record.
func (r Row) Apply(c Change) Row {
	next := Row{Record: c.Record}
	if c.Record == nil {
		next.Record = r.Record
	}
	kept := r.Ops[max(0, len(r.Ops)-RememberedOps+1):]
	next.Ops = append(slices.Clip(kept), Op{c.Op, next.Record.Revision, c.Record != nil})
	return next
}

// UnmarshalRow reads the record of what Row.MarshalBinary wrote, in this release or an earlier one.
// It does not read the remembered changes, nor check them, so it takes less time than
// Row.UnmarshalBinary. It copies b. The error matches [ErrSealed], also if b has no record.
func (r *Record) UnmarshalRow(b []byte) error {
	return record.DecodeInto(r, b, "row", codeRecordOfRow)
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
