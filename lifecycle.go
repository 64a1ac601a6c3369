package installation

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/keytimeout"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
)

// Invitation is the offer that led to an installation. It does not contain the code:
// [Service.Invite] and [Service.Resend] return that once, and only its hash is stored.
type Invitation struct {
	Status     Status // of the installation
	Message    string // shown to the recipient
	ExternalID string // the caller's own
	Recipient  string // verified; who alone may accept; "" = whoever has the code
	Validity   Period
	Expires    time.Time
}

// Invite creates an installation in the state invited. The result contains the code that the
// recipient redeems with [Service.Accept]; it is shown only there. An uninstalled or expired
// installation is invited again, as a new generation.
//
// Errors: those of [Service.Upsert], and [ErrConflict] for one that is installed or already
// invited; see [Service.Resend].
func (s *Service) Invite(ctx context.Context, req InviteRequest) (*Result, error) {
	return s.write(ctx, write{
		method: "invite", request: req, guard: req.Guard,
		id: cmp.Or(req.ID, newID()), minted: req.ID == "",
		check: req.check, actions: req.actions(ActionInvite), access: accessKeyless,
		apply: func(ctx context.Context, d *draft) error { return s.invite(ctx, d, req) },
	})
}

func (s *Service) invite(ctx context.Context, d *draft, req InviteRequest) error {
	if d.exists && !d.status().over() {
		return d.noMove(d.status(), StatusInvited)
	}
	if err := s.begin(ctx, d, StatusInvited); err != nil {
		return err
	}
	d.inst.Invitation = &Invitation{
		Message: req.Message, ExternalID: req.ExternalID, Recipient: req.Recipient,
		Validity: cmp.Or(req.Validity, defaultValidity),
	}
	if err := s.applyParts(ctx, d, req.Parts); err != nil {
		return err
	}
	d.events = append(d.events, event.Invited)
	return s.issueCode(d)
}

// Resend gives a live invitation a new code and a new expiry. The old code is dead from then on.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrInvalid], [ErrConflict] for one that is not invited,
// and those of guards, keys and the store.
func (s *Service) Resend(ctx context.Context, req ResendRequest) (*Result, error) {
	req.Present = true
	return s.write(ctx, write{
		method: "resend", request: req, guard: req.Guard, id: req.ID,
		actions: []Action{ActionInvite},
		check:   func(l *validate.List) { checkPeriod(l, req.Validity) },
		apply: func(_ context.Context, d *draft) error {
			if status := d.status(); status != StatusInvited {
				return d.noMove(status, StatusInvited)
			}
			d.inst.Invitation = new(*d.inst.Invitation)
			d.inst.Invitation.Validity = cmp.Or(req.Validity, d.inst.Invitation.Validity)
			d.events = append(d.events, event.Resent)
			return s.issueCode(d)
		},
	})
}

// issueCode gives the draft's invitation a new code, valid from now.
func (s *Service) issueCode(d *draft) error {
	expires, err := d.inst.Invitation.Validity.After(d.now)
	if err != nil {
		return err
	}
	d.inst.Invitation.Expires = storedTime(expires)
	d.inst.Audit.Invited = s.audit(d)
	d.code = invite.NewCode()
	hash := invite.Hash(d.code)
	d.codeHash, d.effect = hash[:], effectSealed
	return nil
}

// Accept redeems an invitation code for an account, which the extension is then installed in. Of
// many accounts that try at once one wins. The same account with the same code succeeds again,
// marked Replayed, without a write. A customer can accept for its own account only.
//
// Every rejected code gets [ErrInvitation] and nothing more: unknown, used, dead, expired, or of
// another installation, account or recipient. With a valid code: [ErrForbidden] if the policy
// refuses this account, [ErrExists] if the account has a live installation of the extension,
// [ErrInvalid], and those of keys and of the store.
func (s *Service) Accept(ctx context.Context, req AcceptRequest) (*Result, error) {
	res, err := s.write(ctx, write{
		method: "accept", request: req, guard: req.Guard, id: req.ID,
		check: req.check, access: accessOutsider,
		apply: func(ctx context.Context, d *draft) error { return s.accept(ctx, d, req) },
	})
	if err == nil && !res.Changed {
		res.Replayed = true
	}
	return res, err
}

func (s *Service) accept(ctx context.Context, d *draft, req AcceptRequest) error {
	switch {
	case !d.exists, errors.Is(d.err, ErrShredded):
		return ErrInvitation
	case d.err != nil:
		return d.err
	case !d.redeems(req):
		return ErrInvitation
	}
	if err := req.Guard.compare(d.before); err != nil {
		return err
	}
	if d.lifecycle.status == StatusInstalled && d.redeemer == req.Account.ID {
		return s.mayAccept(d)
	}
	if d.status() != StatusInvited {
		return ErrInvitation
	}
	d.lifecycle.status, d.redeemer = StatusInstalled, req.Account.ID
	parts := Parts{Consent: req.Consent}
	if req.Account != (Account{ID: d.inst.Account.ID}) {
		parts.Account = Value(req.Account) // the ID alone would erase what is known of the account
	}
	if err := s.applyParts(ctx, d, parts); err != nil {
		return err
	}
	if err := s.mayAccept(d); err != nil {
		return err
	}
	d.inst.Audit.Installed = s.audit(d)
	d.effect, d.events = effectSealed, append(d.events, event.Installed)
	return nil
}

// mayAccept asks the policy whether the actor may accept for this account.
func (s *Service) mayAccept(d *draft) error {
	if !s.can(ActionAccept, d.inst) {
		return ErrForbidden
	}
	return nil
}

// redeems reports whether the request has the code and comes from the invited account and
// recipient. It takes the same time for every wrong code.
func (d *draft) redeems(req AcceptRequest) bool {
	if hash := invite.Hash(req.Code); subtle.ConstantTimeCompare(hash[:], d.codeHash) != 1 {
		return false
	}
	account, recipient := d.inst.Account.ID, d.inst.Invitation.Recipient
	return (account == "" || account == req.Account.ID) &&
		(recipient == "" || recipient == req.Recipient)
}

// Period is a length of calendar time in UTC: a number and d, w, m or y, such as "7d", "1m", "1y".
// A month that has no such day ends on its last one.
type Period string

// defaultValidity is how long an invitation is valid if the request does not say.
const defaultValidity Period = "7d"

// After returns the time p after t. The error matches [ErrInvalid].
func (p Period) After(t time.Time) (time.Time, error) {
	after, ok := invite.AddPeriod(t, string(p))
	if !ok {
		return after, invalid("period", validate.RuleFormat, periodFormat)
	}
	return after, nil
}

// Uninstall ends an installation, or revokes an invitation. The record stays. Its secrets live
// until Options.Grace is over, when [Service.Sweep] purges them, or go at once with Final. A repeat
// succeeds and changes nothing; a repeat with Final purges.
//
// The host and the platform need no key. They wait for a key service during half of the time to
// their deadline. A purge without the key drops the whole content, because the rest cannot be
// sealed again, and needs an answer of the keys that they are unavailable (see
// [crypto.KMSOptions]). If only the deadline ran short, the installation ends, Reveal returns
// [ErrShredded], and Sweep or a repeat with Final purges. Result.Purged says which it was.
//
// Give Generation or InstalledBefore for an event that may arrive late: a re-install then answers
// [ErrStale] and lives. Errors: [ErrNotFound], [ErrForbidden], [ErrConflict] for an expired
// invitation, [ErrKeyUnavailable] for a repeat with Final and a short deadline, those of guards and
// of the store.
func (s *Service) Uninstall(ctx context.Context, req UninstallRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(false)
	return s.write(ctx, write{
		method: "uninstall", request: req, guard: req.Guard, id: req.ID,
		actions: []Action{ActionUninstall}, access: accessKeyless,
		check: func(l *validate.List) { l.Text("reason", req.Reason, validate.MaxMessage) },
		apply: func(ctx context.Context, d *draft) error { return s.uninstall(ctx, d, req) },
	})
}

func (s *Service) uninstall(ctx context.Context, d *draft, req UninstallRequest) error {
	d.reason = req.Reason
	switch d.status() {
	case StatusExpired:
		return d.noMove(StatusExpired, StatusUninstalled)
	case StatusUninstalled:
		if !req.Final || d.lifecycle.purged {
			return nil
		}
		return s.purge(ctx, d)
	}
	d.lifecycle.status, d.lifecycle.uninstalled = StatusUninstalled, s.audit(d)
	d.lifecycle.purgeAt = storedTime(d.now.Add(s.opts.Grace))
	d.effect, d.events = d.ended(), append(d.events, event.Uninstalled)
	if !req.Final {
		return nil
	}
	err := s.purge(ctx, d)
	if errors.Is(err, keytimeout.ErrSkipped) {
		d.lifecycle.purgeAt, err = d.now, nil // Sweep purges it
	}
	return err
}

// purge removes configuration, connection, invitation and extra fields, and seals the rest under a
// new data key. Without a key the rest goes too: secrets that are due to go do not wait for one.
// With an error nothing has changed.
func (s *Service) purge(ctx context.Context, d *draft) error {
	err := d.err
	if err == nil {
		err = s.newDataKey(ctx, d)
	}
	switch {
	case err == nil:
		i := d.inst
		i.Configuration, i.Connection, i.Invitation, i.Extra = nil, nil, nil, Document{}
		d.secrets, d.codeHash, d.redeemer = map[Ref]secret{}, nil, ""
		d.effect = effectSealed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, keytimeout.ErrSkipped):
		return err
	default:
		d.inst, d.body, d.err = nil, &record.Body{}, ErrShredded // only what is plain is left
		d.effect = effectPlain
	}
	d.lifecycle.purged, d.lifecycle.purgeAt = true, time.Time{}
	d.events = append(d.events, event.Purged)
	return nil
}

// noMove is the error for a move that does not exist.
func (d *draft) noMove(from, to Status) error {
	return &ConflictError{Key: d.key, Revision: d.stored.Revision, From: from, To: to}
}

// Expire ends an unredeemed invitation now. A repeat succeeds and changes nothing. Expiry by the
// clock needs no call: it applies to every read and to Accept.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrConflict] for one that is installed or uninstalled,
// and those of guards and of the store.
func (s *Service) Expire(ctx context.Context, req ExpireRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(false)
	return s.write(ctx, write{
		method: "expire", request: req, guard: req.Guard, id: req.ID,
		actions: []Action{ActionUninstall}, access: accessKeyless,
		apply: func(_ context.Context, d *draft) error {
			switch status := d.lifecycle.status; status {
			case StatusInvited:
				s.expire(d)
			case StatusExpired:
			default:
				return d.noMove(status, StatusExpired)
			}
			return nil
		},
	})
}

// expire writes down that an invitation has expired.
func (s *Service) expire(d *draft) {
	d.lifecycle.status, d.lifecycle.expired = StatusExpired, s.audit(d)
	d.effect, d.events = d.ended(), append(d.events, event.Expired)
}

// Delete removes an installation in any state, with its secrets. A tombstone keeps revision and
// generation for Options.TombstoneTTL, so that no stale write brings it back.
//
// Host and platform need no key, and none is asked for, unless InstalledBefore or a custom policy
// may depend on what is sealed, or an idempotency key needs an outcome.
//
// Errors: [ErrNotFound], also for one that was deleted before, [ErrForbidden], and those of guards
// and of the store.
func (s *Service) Delete(ctx context.Context, req DeleteRequest) (*Result, error) {
	req.Present = true
	s = s.withKeyTimeout(req.InstalledBefore.IsZero() && !s.customPolicy)
	return s.write(ctx, write{
		method: "delete", request: req, guard: req.Guard, id: req.ID,
		actions: []Action{ActionDelete}, access: accessBlind,
		apply: func(_ context.Context, d *draft) error {
			d.effect, d.events = effectTombstone, append(d.events, event.Deleted)
			return nil
		},
	})
}

// sweepPage is how many due records Sweep reads at once.
const sweepPage = 100

// Sweep writes down what time has done, in all tenants: invitations past their expiry expire, and
// uninstalled ones past their grace period lose their secrets. It makes at most limit changes;
// 0 means all that are due.
//
// Call it from a timer, on any number of nodes: each change is a compare-and-swap, and the loser of
// a race skips. It can be stopped anywhere and started again. A record that cannot be opened stops
// nothing. A purge without its key drops the whole content, so do not sweep while a key service is
// down or a keyring is incomplete; see SweepReport.Shredded. If only the deadline was too near to
// wait for the key, the record is not purged and counts as Failed.
//
// The report is valid beside an error. Errors: [ErrForbidden] for anyone except the host, those of
// the context and the store, and, joined, one for each failed record.
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

// sweepOne makes the move that is due for a listed record, and counts it.
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
