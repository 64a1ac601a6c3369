package installation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-installation/installation/internal/keytimeout"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
)

// Uninstall ends an installation, or revokes an invitation. The record stays; its secrets live until Options.Grace is over, when
// [Service.Sweep] purges them, or go at once with Final. Done again it succeeds and changes nothing; done again with Final it purges.
// The host and the platform need no key for it, and wait for a key service no longer than half of the time to their deadline. But a purge
// without the key takes the whole content, not the secrets alone, since the rest cannot be sealed anew; so it takes the word of the keys
// that they cannot be had, see [crypto.KMSOptions], and not the hurry of a caller. Where that is all there is, the installation ends,
// Reveal answers [ErrShredded], and the purge is left to Sweep or to Final done again: Purged says which it was.
//
// Give Generation or InstalledBefore for an event that may come late: [ErrStale] then keeps a re-install alive. Errors: [ErrNotFound],
// [ErrForbidden], [ErrConflict] for an expired invitation, [ErrKeyUnavailable] for Final done again in a hurry, those of guards and of the
// store.
func (s *Service) Uninstall(ctx context.Context, req UninstallRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(false)
	m := mutation{method: "uninstall", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionUninstall}, reach: reachKeyless}
	m.check = func(l *validate.List) { l.Text("reason", req.Reason, validate.MaxMessage) }
	m.apply = func(ctx context.Context, st *state, now time.Time) (*step, error) {
		done := &step{events: []EventType{EventUninstalled}, reason: req.Reason, effect: st.sealable()}
		switch st.status(now) {
		case StatusExpired:
			return nil, &ConflictError{Key: st.key, Revision: st.revision(), From: StatusExpired, To: StatusUninstalled}
		case StatusUninstalled:
			if !req.Final || st.life.purged {
				return nil, nil
			}
			done.events = []EventType{EventPurged}
			return done, s.purge(ctx, st, done)
		}
		st.life.status, st.life.uninstalled = StatusUninstalled, s.audit(st, now)
		st.life.purgeAt = moment(now.Add(s.opts.Grace))
		if !req.Final {
			return done, nil
		}
		switch err := s.purge(ctx, st, done); {
		case errors.Is(err, keytimeout.ErrSkipped):
			st.life.purgeAt = moment(now)
		case err != nil:
			return nil, err
		default:
			done.events = append(done.events, EventPurged)
		}
		return done, nil
	}
	return s.mutate(ctx, m)
}

// purge takes the secrets away for good: configuration, connection, invitation and unnamed fields go, and the rest is sealed under a new
// data key. Where there is no key to do that with, the rest goes too: secrets that are due to go do not wait for a key. With an error
// nothing has changed.
func (s *Service) purge(ctx context.Context, st *state, done *step) error {
	err := st.closed
	if err == nil {
		err = s.newDataKey(ctx, st)
	}
	switch {
	case err == nil:
		i := st.inst
		i.Configuration, i.Connection, i.Invitation, i.Extra = nil, nil, nil, Document{}
		st.values, st.codeHash, st.redeemer = map[Ref]secret{}, nil, ""
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, keytimeout.ErrSkipped):
		return err
	default:
		st.inst, st.body, st.closed = nil, &record.Body{}, ErrShredded // only what is plain is left
		done.effect = effectPlain
	}
	st.life.purged, st.life.purgeAt = true, time.Time{}
	return nil
}

// Expire ends an unredeemed invitation now, whatever its time. Done again it succeeds and changes nothing. Expiry by the clock needs no
// call: it holds from its moment on, at every read and at Accept.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrConflict] for one that is installed or uninstalled, those of guards and of the store.
func (s *Service) Expire(ctx context.Context, req ExpireRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(false)
	m := mutation{method: "expire", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionUninstall}, reach: reachKeyless}
	m.apply = func(_ context.Context, st *state, now time.Time) (*step, error) {
		switch st.life.status {
		case StatusInvited:
			return s.expire(st, now), nil
		case StatusExpired:
			return nil, nil
		default:
			return nil, &ConflictError{Key: st.key, Revision: st.revision(), From: st.life.status, To: StatusExpired}
		}
	}
	return s.mutate(ctx, m)
}

// expire writes down that an invitation ran out.
func (s *Service) expire(st *state, now time.Time) *step {
	st.life.status, st.life.expired = StatusExpired, s.audit(st, now)
	return &step{events: []EventType{EventExpired}, effect: st.sealable()}
}

// Delete removes an installation, in whatever state, with its secrets. A tombstone keeps revision and generation for
// Options.TombstoneTTL, so that no stale write brings it back. It needs no key for the host and the platform, and asks for none unless
// InstalledBefore or a policy of the host's own may need to know what is sealed.
//
// Errors: [ErrNotFound] if there is none, or none any more; [ErrForbidden], those of guards and of the store.
func (s *Service) Delete(ctx context.Context, req DeleteRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(req.InstalledBefore.IsZero() && !s.ownPolicy) // a policy of the host's own may decide by what is sealed
	m := mutation{method: "delete", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionDelete}, reach: reachBlind}
	m.apply = func(context.Context, *state, time.Time) (*step, error) {
		return &step{events: []EventType{EventDeleted}, effect: effectTombstone}, nil
	}
	return s.mutate(ctx, m)
}

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
	s = s.In(r.Key.Tenant).withKeyTimeout(false)
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
