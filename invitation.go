package installation

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Invitation is the offer that led to an installation. Its code is not part of it: [Service.Invite] and [Service.Resend]
// return it once, and only a hash is stored.
type Invitation struct {
	Status     Status // moves with the installation
	Message    string // shown to the invited
	ExternalID string // the caller's own
	Recipient  string // verified address or account that alone may accept; "" = whoever has the code
	Validity   Period
	Expires    time.Time
}

// Period is a length of calendar time: a number and d, w, m or y, such as "7d", "1m", "1y". It is counted in UTC; a month that
// has no such day ends on its last one.
type Period string

// DefaultValidity is how long an invitation holds if the request does not say.
const DefaultValidity Period = "7d"

// maxPeriod bounds the number of a Period: the longest is 99 years.
const maxPeriod = 999

// After returns the time p after t. The error matches [ErrInvalid].
func (p Period) After(t time.Time) (time.Time, error) {
	n, unit, ok := p.parse()
	if !ok {
		return time.Time{}, invalid("period", validate.RuleFormat, "must be a number and d, w, m or y, such as 7d")
	}
	t = t.UTC()
	switch unit {
	case 'd':
		return t.AddDate(0, 0, n), nil
	case 'w':
		return t.AddDate(0, 0, 7*n), nil
	case 'm':
		return addMonths(t, n), nil
	default:
		return addMonths(t, 12*n), nil
	}
}

func (p Period) parse() (n int, unit byte, ok bool) {
	if len(p) < 2 {
		return 0, 0, false
	}
	digits, unit := string(p[:len(p)-1]), p[len(p)-1]
	n, err := strconv.Atoi(digits)
	ok = err == nil && n > 0 && n <= maxPeriod && strconv.Itoa(n) == digits && strings.IndexByte("dwmy", unit) >= 0
	return n, unit, ok && (unit != 'y' || n < 100)
}

// addMonths adds calendar months; AddDate alone would carry January 31st into March.
func addMonths(t time.Time, n int) time.Time {
	first := t.AddDate(0, 0, 1-t.Day()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// codePrefix marks an invitation code for people and for scanners of leaked secrets.
const codePrefix = "inv_"

// codeAlphabet is Crockford's base 32 in lower case: no padding, nothing that a double click or a line break splits.
var codeAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newCode returns a random code of 160 bits.
func newCode() crypto.Secret {
	var b [20]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return crypto.NewSecret(codePrefix + codeAlphabet.EncodeToString(b[:]))
}

// hashCode returns what is stored of a code. It reads the code as people may have retyped it: any letter case, o for 0, i and l
// for 1. A plain hash is enough for 160 random bits.
func hashCode(code crypto.Secret) [sha256.Size]byte {
	text := strings.ToLower(strings.TrimSpace(code.RevealString()))
	if rest, ok := strings.CutPrefix(text, codePrefix); ok {
		text = codePrefix + strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(rest)
	}
	return sha256.Sum256([]byte("inv1" + text))
}

// parseAcceptURL checks the address that codes are appended to. It comes from configuration alone, never from a request.
func parseAcceptURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "not a URL")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "its query cannot be read")
	}
	host := u.Hostname()
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	if host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, invalid("Options.AcceptURL", validate.RuleFormat, "want https with a host, without user or fragment (http for loopback only)")
	}
	return u, nil
}

// acceptURL returns base with what Accept needs as query parameters: installation, code, and tenant unless it is the default one. Without a
// base it returns nothing.
func acceptURL(base *url.URL, key Key, code crypto.Secret) crypto.Secret {
	if base == nil || code.IsZero() {
		return crypto.Secret{}
	}
	u := *base
	q := u.Query()
	q.Set("installation", key.ID)
	q.Set("code", code.RevealString())
	if key.Tenant != "" {
		q.Set("tenant", key.Tenant)
	}
	u.RawQuery = q.Encode()
	return crypto.NewSecret(u.String())
}

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
