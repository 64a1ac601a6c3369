package installation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-installation/installation/validate"
)

// AcceptRestore makes a store usable again after its data went back to an older state: someone
// restored a backup, or a failover lost more than a few seconds. Until then, processes that noticed
// it get [ErrRestored]. First make sure that the data is the data you want to keep: AcceptRestore
// cannot be undone. It can be repeated, and called by several processes at once.
//
// The time between the backup and the restore is lost. After AcceptRestore, a revision, generation
// or ETag of the lost time matches no record. A request with an idempotency key that was first used
// in the lost time runs again, as a new request. A guard with a revision from before the backup
// still works. Invitations and cursors from before the backup do not: all open invitations are
// void, and [Service.VoidInvitations] lists them for [Service.Resend]. [Service.Events] answers
// [ErrTrimmed] to every older cursor. What was written between the restore and AcceptRestore is
// kept, even if a guard of the lost time matched there by chance.
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

// VoidPage is one page of invitations whose code does not work any more.
type VoidPage struct {
	Keys []Key
	Next string // for the next call; "" = this was the last page
}

// VoidInvitations lists open invitations of all tenants whose code was made before the last
// [Service.AcceptRestore]. [Service.Accept] refuses these codes; [Service.Resend] gives an
// invitation a new one, after which it is not listed any more. A page covers at most a thousand
// records and can be empty. Pass "" first and then Next of the page before. A record that cannot be
// opened is not listed.
//
// VoidInvitations is for the host. Errors: [ErrForbidden], [ErrInvalid] for a cursor of another
// list, and those of the store.
func (s *Service) VoidInvitations(ctx context.Context, after string) (page VoidPage, err error) {
	defer inMethod("void invitations", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return VoidPage{}, err
	}
	in, err := s.namespace(ctx)
	if err != nil {
		return VoidPage{}, err
	}
	q := everywhere
	q.After = after
	records, err := s.store.List(ctx, q)
	if err != nil {
		return VoidPage{}, invalidCursor(err)
	}
	for _, r := range records.Records {
		snap := s.open(ctx, r.Key, r)
		open := snap.err == nil && snap.statusAt(s.now()) == StatusInvited
		if open && snap.codeEra != in.Era {
			page.Keys = append(page.Keys, r.Key)
		}
		snap.wipe()
	}
	page.Next = records.Next
	return page, ctx.Err()
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
	Purged   int // uninstalled installations past their grace period
	Shredded int // how many of Purged could not be sealed again: only plain fields are left
	Skipped  int // records that someone else changed meanwhile
	Failed   int // records that could not be changed; see the error
}

// sweepPage is how many due records Sweep reads at once.
const sweepPage = 100

// Sweep does what is due in all tenants: it marks invitations past their expiry as expired, and
// purges uninstalled installations past their grace period.
//
// A clock that is years ahead would end every invitation for good. So if something is due, Sweep
// first looks for a stored time that is not more than 400 days before now. If there is none, Sweep
// changes nothing and returns [ErrClock]. It looks at the times when records were created,
// uninstalled or expired. Usually the first due record has a recent time. Otherwise Sweep reads
// records until one does, so ErrClock has the cost of reading all of them. If the clock is right
// and nobody used the store for so long, set TrustClock. Sweep does not notice a clock that is
// ahead by less than 400 days, or that was already ahead at an earlier write.
//
// Call it from a timer, in any number of processes: each change is a compare-and-swap, and the
// loser of a race skips the record. A sweep can be stopped at any time and started again. It goes
// on after a record that cannot be opened. A purge whose key is unavailable drops the whole
// content, so do not sweep while a key service is down or a keyring is incomplete; see
// SweepReport.Shredded. If only the deadline of the context was too near to wait for the key, the
// record is not purged and counts as Failed.
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
		if req.Limit > 0 && report.Expired+report.Purged >= req.Limit {
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
	return report, errors.Join(failed...)
}

// maxClockGap is how far the clock may be ahead of the newest stored time. It is a little more than
// the longest usual validity of an invitation, 1y. So a host that invited somebody for a year, and
// wrote nothing since, can still expire the invitation.
const maxClockGap = 400 * 24 * time.Hour

// checkClock returns ErrClock if now is far ahead of every time that is stored in plain. It looks
// at a due record first, because a host that sweeps regularly finds a recent time there. It then
// reads the other records from the newest. It cannot stop after the first page: a store that is
// split in parts can have its newest record on any page.
func (s *Service) checkClock(ctx context.Context, now time.Time, due *Record) error {
	newest := newestTime(due)
	if now.Sub(newest) <= maxClockGap {
		return nil
	}
	q := everywhere
	q.Reverse = true
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if t := newestTime(r); t.After(newest) {
			newest = t
		}
		if now.Sub(newest) <= maxClockGap {
			return nil
		}
	}
	return fmt.Errorf("%w: now is %s and the newest stored time is %s: "+
		"correct the clock, or set TrustClock in SweepRequest",
		ErrClock, now.Format(time.RFC3339), newest.Format(time.RFC3339))
}

// newestTime returns the newest time that a write stored in plain in r. A deadline does not count:
// it was in the future when it was stored.
func newestTime(r *Record) time.Time {
	newest := r.Created
	_, life, err := decodeBody(r.Body)
	if err != nil {
		return newest
	}
	for _, e := range []*AuditEntry{life.expired, life.uninstalled} {
		if e != nil && e.At.After(newest) {
			newest = e.At
		}
	}
	return newest
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
			case d.lifecycle.status == StatusUninstalled && !d.lifecycle.purged:
				return s.purge(ctx, d)
			default:
				return errNothingDue
			}
			return nil
		},
	})
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound),
		err == nil && done.effect == effectNone:
		report.Skipped++
	case err != nil:
		return err
	case done.lifecycle.status == StatusExpired:
		report.Expired++
	default:
		report.Purged++
		if done.effect == effectPlain {
			report.Shredded++
		}
	}
	return nil
}

var errNothingDue = errors.New("installation: the record has a deadline and nothing can be due")

// admitMaintenance is admit for methods that act across installations, which only the host may
// call.
func (s *Service) admitMaintenance(checks ...func(*validate.List)) error {
	if err := s.admit(checks...); err != nil {
		return err
	}
	if !s.can(ActionMaintain, nil) {
		return ErrForbidden
	}
	return nil
}
