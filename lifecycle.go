package installation

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/keytimeout"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
)

// Invitation is the offer to install an extension. It does not contain the invitation code:
// [Service.Invite] and [Service.Resend] return the code once, and only a hash of it is stored.
type Invitation struct {
	Status     Status // of the installation
	Message    string // shown to the recipient
	ExternalID string // in the caller's own system
	URL        string // Options.AcceptURL for it, without the code; not stored
	Recipient  string // who alone may accept; "" = anyone with the code; see InviteRequest
	Validity   Period
	Expires    time.Time
}

// Invite creates an installation in the state invited. The result contains the code that the
// recipient redeems with [Service.Accept]. Nothing else shows the code. An uninstalled or expired
// installation is invited again, as a new generation.
//
// Errors: those of [Service.Upsert], and [ErrConflict] if the installation is installed or already
// invited; see [Service.Resend].
func (s *Service) Invite(ctx context.Context, req InviteRequest) (*Result, error) {
	return s.write(ctx, write{
		method: "invite", request: req, guard: req.Guard,
		id: cmp.Or(req.ID, newID()), minted: req.ID == "",
		check: req.check, actions: req.Parts.actions(ActionInvite), access: accessKeyless,
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

// Resend gives a live invitation a new code and a new expiry. The old code stops working.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrInvalid], [ErrConflict] if the installation is not
// invited, and those of guards, keys and the store.
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
	d.codeHash, d.codeEra, d.effect = hash[:], d.namespace.Era, effectSealed
	return nil
}

// Accept redeems an invitation code for an account, and so installs the extension in that account.
// If many accounts try at once, one of them wins. If that account repeats the call, Accept sets
// Result.Replayed and writes nothing. A customer can accept for its own account only.
//
// If the code is wrong, used, replaced or expired, or if it belongs to another installation,
// account or recipient, the error is [ErrInvitation] without details, after the same calls of the
// store and of the keys as for an invitation that exists. With a valid code: [ErrForbidden] if the
// policy refuses this account, [ErrExists] if the account has a live installation of the extension,
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
		return s.acceptDecoy(ctx, req)
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
	if d.status() != StatusInvited || d.codeEra != d.namespace.Era {
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
func (snap *snapshot) redeems(req AcceptRequest) bool {
	if hash := invite.Hash(req.Code); subtle.ConstantTimeCompare(hash[:], snap.codeHash) != 1 {
		return false
	}
	account, recipient := snap.inst.Account.ID, snap.inst.Invitation.Recipient
	return (account == "" || account == req.Account.ID) &&
		(recipient == "" || invite.SameRecipient(recipient, req.Recipient))
}

// Period is a length of calendar time in UTC: a number and d, w, m or y, such as "7d", "1m", "1y".
// If the month in which a period ends has no such day, the period ends on the last day of that
// month.
type Period string

// defaultValidity is how long an invitation is valid if the request does not say.
const defaultValidity Period = "7d"

// After returns t plus p. The error matches [ErrInvalid].
func (p Period) After(t time.Time) (time.Time, error) {
	after, ok := invite.AddPeriod(t, string(p))
	if !ok {
		return after, invalid("period", validate.RuleFormat, periodFormat)
	}
	return after, nil
}

// Uninstall ends an installation, or revokes an invitation. The record stays. [Service.Sweep]
// purges its secrets after Options.Grace. With Final, Uninstall purges them at once. A repeat
// succeeds and changes nothing; a repeat with Final purges.
//
// The host and the platform need no key. They wait for a key service until half of the time to
// their deadline is over. If the key service fails by then (see [crypto.KMSOptions]), a purge drops
// the whole content, because nothing can be sealed again. If the service has not answered by then,
// nothing is purged yet: the installation ends, and a repeat with Final purges. Result.Purged tells
// whether the secrets were purged.
//
// Without the key nothing can be sealed, so a reader cannot tell this end from one that was forged
// in the store. Its entry in the audit is Unvouched. The grace begins when a process that has the
// key vouches for the end: at the next Sweep, Rekey, or repeat of Uninstall.
//
// For an event that can arrive late, set Generation or InstalledBefore: after a re-install, the
// error is then [ErrStale] and nothing changes. Errors: [ErrNotFound], [ErrForbidden],
// [ErrConflict] for an expired invitation, [ErrKeyUnavailable] for a repeat with Final and a short
// deadline, those of guards and of the store.
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
	switch status := d.status(); {
	case status == StatusExpired:
		return d.noMove(StatusExpired, StatusUninstalled)
	case status != StatusUninstalled || d.unvouched: // a repeat by this actor vouches for the end
	case !req.Final || d.lifecycle.purged:
		return nil
	default:
		return s.purge(ctx, d)
	}
	d.lifecycle.status, d.lifecycle.uninstalled = StatusUninstalled, s.audit(d)
	d.lifecycle.purgeAt = storedTime(d.now.Add(s.opts.Grace))
	if d.err != nil {
		d.lifecycle.purgeAt = d.stored.Created // due at once, see follows
	}
	s.toRevoke(d)
	d.effect, d.events = d.ended(), append(d.events, event.Uninstalled)
	if !req.Final {
		return nil
	}
	err := s.purge(ctx, d)
	if errors.Is(err, keytimeout.ErrSkipped) { // Sweep purges it
		d.lifecycle.purgeAt, err = d.stored.Created, nil
	}
	return err
}

// purge removes configuration, connection, invitation and extra fields, and seals the rest under a
// new data key. If the record does not open or no new key can be wrapped, purge removes the rest
// too, because a missing key must not keep secrets alive. On an error purge changes nothing.
func (s *Service) purge(ctx context.Context, d *draft) error {
	err := d.err
	if err == nil {
		err = s.newDataKey(ctx, d)
	}
	switch {
	case err == nil:
		i := d.inst
		i.Configuration, i.Connection, i.Invitation, i.Extra = nil, nil, nil, Document{}
		d.secrets, d.codeHash, d.codeEra, d.redeemer = d.emptyVault(), nil, "", ""
		d.effect = effectSealed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, keytimeout.ErrSkipped):
		return err
	default:
		d.inst, d.body, d.err = nil, &record.Body{}, ErrShredded // only what is plain is left
		d.effect = effectPlain
	}
	if !d.before.lifecycle.revokeAt.IsZero() {
		d.events = append(d.events, event.Unrevoked)
	}
	d.lifecycle.purged, d.lifecycle.purgeAt, d.lifecycle.revokeAt = true, time.Time{}, time.Time{}
	d.events = append(d.events, event.Purged)
	return nil
}

// vouch replaces an end that no seal vouches for by one that begins now. So a draft never seals
// what was forged, and the grace is not over before it began.
func (s *Service) vouch(d *draft) {
	if !d.unvouched {
		return
	}
	e := &AuditEntry{At: d.now, Unvouched: true}
	if d.lifecycle.status == StatusExpired {
		d.lifecycle.expired = e
		return
	}
	d.lifecycle.uninstalled, d.lifecycle.purgeAt = e, storedTime(d.now.Add(s.opts.Grace))
	s.toRevoke(d)
}

// sealEnd makes the write seal the end of vouch.
func (d *draft) sealEnd() {
	if d.unvouched {
		d.effect, d.events = effectSealed, append(d.events, event.Type(d.lifecycle.status))
		d.reason = "no seal vouched for this end"
	}
}

// Expire ends an unredeemed invitation now. A repeat succeeds and changes nothing. After the time
// of expiry no call is needed: reads and Accept treat the invitation as expired.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrConflict] if the installation is installed or
// uninstalled, and those of guards and of the store.
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
				if d.unvouched {
					s.expire(d) // from now on this actor vouches for it
				}
			default:
				return d.noMove(status, StatusExpired)
			}
			return nil
		},
	})
}

// expire marks an invitation as expired.
func (s *Service) expire(d *draft) {
	d.lifecycle.status, d.lifecycle.expired = StatusExpired, s.audit(d)
	d.effect, d.events = d.ended(), append(d.events, event.Expired)
}

// Delete removes an installation in any state, with its secrets. A tombstone keeps revision and
// generation for Options.TombstoneTTL, so that no stale write brings it back.
//
// For host and platform, Delete needs no key. It requests a key only if InstalledBefore or a custom
// policy needs sealed fields, or if an idempotency key needs a sealed answer.
//
// Errors: [ErrNotFound], also for a repeat, [ErrForbidden], and those of guards and of the store.
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
