package installation

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/go-installation/installation/validate"
)

// AcceptRestore makes a store usable again after its data went back to an older state: someone
// restored a backup, or a failover lost more than a few seconds. Until then, processes that noticed
// it get [ErrRestored]. First make sure that the data is the data you want to keep: AcceptRestore
// cannot be undone. It can be repeated, also on several nodes at once.
//
// From then on nothing from after the backup counts. A revision, generation or ETag of that time
// matches no record. Open invitations are void: [Service.VoidInvitations] lists them for
// [Service.Resend]. Cursors of [Service.Events] are [ErrTrimmed]. A guard with a revision from
// before the backup still works. A request with an idempotency key that was first used after the
// backup runs again, as a new request. What was written between the restore and AcceptRestore is
// kept; a guard of the lost time may have matched there.
//
// It is for the host. The result names the namespace and its new epoch. Errors: [ErrForbidden],
// [ErrUnsupported] if the store has no epochs, and those of the store: repeat the call then.
func (s *Service) AcceptRestore(ctx context.Context) (in Namespace, err error) {
	defer inMethod("accept restore", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return Namespace{}, err
	}
	n, ok := s.store.(Namespacer)
	if !ok {
		return Namespace{}, ErrUnsupported
	}
	return n.AcceptRestore(ctx, s.now())
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
// It is for the host. Errors: [ErrForbidden], [ErrInvalid] for a cursor of another list, and those
// of the store.
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
// purges uninstalled installations past their grace period. It makes at most limit changes; 0 means
// all that are due.
//
// Call it from a timer, on any number of nodes: each change is a compare-and-swap, and the loser of
// a race skips the record. A sweep can be stopped at any time and started again. It goes on after a
// record that cannot be opened. A purge whose key is unavailable drops the whole content, so do not
// sweep while a key service is down or a keyring is incomplete; see SweepReport.Shredded. If only
// the deadline was too near to wait for the key, the record is not purged and counts as Failed.
//
// The report is valid even with an error. Errors: [ErrForbidden] for anyone except the host, those
// of the context and the store, and, joined, one for each failed record.
func (s *Service) Sweep(ctx context.Context, limit int) (SweepReport, error) {
	var report SweepReport
	if err := s.admitMaintenance(checkLimit("limit", limit, math.MaxInt)); err != nil {
		return report, fmt.Errorf("sweep: %w", err)
	}
	var failed []error
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: sweepPage}
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return report, errors.Join(append(failed, err)...)
		}
		if limit > 0 && report.Expired+report.Purged >= limit {
			break
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
