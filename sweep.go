package installation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// sweepPage is how many due records are read at once.
const sweepPage = 100

// Sweep writes down what time has done, across all tenants: invitations that ran out expire, uninstalled ones whose grace is over lose
// their secrets. Call it from a timer, on as many nodes as you like: each change is a compare-and-swap, and the loser of a race skips. It
// can be stopped anywhere and started again. A record that cannot be opened stops nothing; but a purge without its key takes the whole
// content, not the secrets alone. So do not sweep while a key service is down or a keyring is incomplete; see SweepReport.Shredded. What was
// only not waited for, since the time to the deadline ran short, is not purged but counted as Failed.
//
// The report is good beside an error too. Errors: [ErrForbidden] for anyone but the host, that of the context, those of the store; and,
// joined, one for each record that failed.
func (s *Service) Sweep(ctx context.Context, req SweepRequest) (SweepReport, error) {
	var report SweepReport
	if err := s.maintains(upTo("limit", req.Limit, math.MaxInt)); err != nil {
		return report, fmt.Errorf("sweep: %w", err)
	}
	var failed []error
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: sweepPage}
	for {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return report, errors.Join(append(failed, err)...)
		}
		for _, r := range page.Records {
			if req.Limit > 0 && report.Expired+report.Purged >= req.Limit {
				return report, errors.Join(failed...)
			}
			event, shredded, err := s.sweepOne(ctx, r)
			switch {
			case err == nil && event == EventExpired:
				report.Expired++
			case err == nil && event == EventPurged:
				report.Purged++
				if shredded {
					report.Shredded++
				}
			case err == nil, errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
				report.Skipped++
			case ctx.Err() != nil:
				return report, errors.Join(append(failed, ctx.Err())...)
			default:
				report.Failed++
				failed = append(failed, err)
			}
		}
		if page.Next == "" {
			return report, errors.Join(failed...)
		}
		q.After = page.Next
	}
}

// sweepOne makes the move that is due for a listed record, and says which it was, none if it was made meanwhile, and whether it was made
// without the key.
func (s *Service) sweepOne(ctx context.Context, r *Record) (event EventType, plain bool, err error) {
	s = s.In(r.Key.Tenant).inHaste(false)
	m := mutation{
		method: "sweep", id: r.Key.ID, guard: Guard{Present: true, Revision: r.Revision},
		actions: []Action{ActionMaintain}, reach: reachKeyless,
	}
	m.apply = func(ctx context.Context, st *state, now time.Time) (*step, error) {
		var done *step
		var err error
		switch {
		case now.Before(st.record.Deadline):
			return nil, nil
		case st.life.status == StatusInvited:
			done = s.expire(st, now)
		case st.life.status == StatusUninstalled && !st.life.purged:
			done = &step{events: []EventType{EventPurged}, effect: st.sealable()}
			err = s.purge(ctx, st, done)
		default:
			return nil, errNothingDue
		}
		event, plain = done.events[0], done.effect == effectPlain
		return done, err
	}
	_, err = s.mutate(ctx, m)
	return event, plain, err
}

var errNothingDue = errors.New("installation: a deadline where nothing can be due")
