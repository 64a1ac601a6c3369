package installation

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/go-installation/installation/validate"
)

// Invite makes an installation in the state invited, with a code that whoever is to have it redeems by [Service.Accept]. The result
// holds the code, this once: only a hash is stored. One that is uninstalled or expired is invited anew, as a new generation.
//
// Errors: those of [Service.Upsert], and [ErrConflict] for one that is installed or already invited; see [Service.Resend].
func (s *Service) Invite(ctx context.Context, req InviteRequest) (*Result, error) {
	m := mutation{method: "invite", request: req, check: req.check, guard: req.Guard, id: cmp.Or(req.ID, newID()), minted: req.ID == ""}
	m.actions, m.reach = req.actions(ActionInvite), reachKeyless
	m.apply = func(ctx context.Context, st *state, now time.Time) (*step, error) {
		if status := st.status(now); st.exists() && status != StatusUninstalled && status != StatusExpired {
			return nil, &ConflictError{Key: st.key, Revision: st.revision(), From: status, To: StatusInvited}
		}
		if err := s.begin(ctx, st, StatusInvited); err != nil {
			return nil, err
		}
		st.inst.Invitation = &Invitation{
			Message: req.Message, ExternalID: req.ExternalID, Recipient: req.Recipient, Validity: cmp.Or(req.Validity, DefaultValidity),
		}
		changed, err := s.applyParts(ctx, st, req.Parts, now)
		if err != nil {
			return nil, err
		}
		return s.offer(st, now, &step{events: []EventType{EventInvited}, changed: changed, created: true})
	}
	return s.mutate(ctx, m)
}

// Resend gives a live invitation a new code and a new expiry; the old code is dead from then on. For one that ran out, Invite again.
//
// Errors: [ErrNotFound], [ErrForbidden], [ErrInvalid], [ErrConflict] for one that is not invited, those of guards, keys and the store.
func (s *Service) Resend(ctx context.Context, req ResendRequest) (*Result, error) {
	req.Present = true
	m := mutation{method: "resend", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionInvite}}
	m.check = func(l *validate.List) { checkPeriod(l, req.Validity) }
	m.apply = func(_ context.Context, st *state, now time.Time) (*step, error) {
		if status := st.status(now); status != StatusInvited {
			return nil, &ConflictError{Key: st.key, Revision: st.revision(), From: status, To: StatusInvited}
		}
		st.inst.Invitation.Validity = cmp.Or(req.Validity, st.inst.Invitation.Validity)
		return s.offer(st, now, &step{events: []EventType{EventResent}})
	}
	return s.mutate(ctx, m)
}

// offer gives the invitation a new code that holds from now.
func (s *Service) offer(st *state, now time.Time, done *step) (*step, error) {
	expires, err := st.inst.Invitation.Validity.After(now)
	if err != nil {
		return nil, err
	}
	st.inst.Invitation.Expires = moment(expires)
	st.inst.Audit.Invited = s.audit(st, now)
	done.code = newCode()
	hash := hashCode(done.code)
	st.codeHash = hash[:]
	return done, nil
}

// Accept redeems an invitation code for an account: the installation becomes installed there. Of many who try at once one wins. The
// same account with the same code succeeds again, marked Replayed, without a write. A customer can accept for its own account only.
//
// Whatever is wrong with the code - unknown, used, dead, run out, of another installation, for another account or recipient - the error is
// [ErrInvitation] and nothing more. With a good code: [ErrForbidden] if the policy does not let the actor accept for this account,
// [ErrExists] if the account has a live installation of the extension already, [ErrInvalid], those of keys and of the store.
func (s *Service) Accept(ctx context.Context, req AcceptRequest) (*Result, error) {
	m := mutation{method: "accept", request: req, check: req.check, guard: req.Guard, id: req.ID, reach: reachOutsider}
	m.apply = func(_ context.Context, st *state, now time.Time) (*step, error) {
		switch {
		case !st.exists(), errors.Is(st.closed, ErrShredded):
			return nil, ErrInvitation
		case st.closed != nil:
			return nil, st.closed
		case !redeems(st, req):
			return nil, ErrInvitation
		}
		if err := req.Guard.holds(st); err != nil {
			return nil, err
		}
		if st.life.status == StatusInstalled && st.redeemer == req.Account.ID {
			return nil, s.mayAccept(st)
		}
		if st.status(now) != StatusInvited {
			return nil, ErrInvitation
		}
		st.life.status, st.redeemer = StatusInstalled, req.Account.ID
		parts := Parts{Consent: req.Consent}
		if req.Account != (Account{ID: st.inst.Account.ID}) {
			parts.Account = Value(req.Account) // the id alone would take away what is known of the account
		}
		changed, err := s.applyParts(ctx, st, parts, now)
		if err != nil {
			return nil, err
		}
		if err := s.mayAccept(st); err != nil {
			return nil, err
		}
		st.inst.Audit.Installed = s.audit(st, now)
		return &step{events: []EventType{EventInstalled}, changed: changed}, nil
	}
	res, err := s.mutate(ctx, m)
	if err == nil && !res.Changed {
		res.Replayed = true
	}
	return res, err
}

// mayAccept asks the policy about the installation with the account that accepts in it.
func (s *Service) mayAccept(st *state) error {
	if !s.can(ActionAccept, st.inst) {
		return ErrForbidden
	}
	return nil
}

// redeems reports whether the request has the code, and is for whom the invitation is for. It takes the same time for every wrong code.
func redeems(st *state, req AcceptRequest) bool {
	hash := hashCode(req.Code)
	if subtle.ConstantTimeCompare(hash[:], st.codeHash) != 1 {
		return false
	}
	i := st.inst
	account := i.Account.ID == "" || i.Account.ID == req.Account.ID
	return account && (i.Invitation.Recipient == "" || i.Invitation.Recipient == req.Recipient)
}
