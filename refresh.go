package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/opened"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/refresh"
	"github.com/go-installation/installation/validate"
)

// RefreshRequest is the request of [Service.Refresh].
type RefreshRequest struct {
	ID string

	// Before is the time that the access token has to outlive. Zero = a minute from now.
	Before time.Time
}

// Tokens are what a provider returned. Their values must not be masked.
type Tokens struct {
	Access  Token    // required
	Refresh Token    // zero = the stored refresh token stays
	Type    string   // for Connection.TokenType; "" = as before
	Scopes  []string // for Connection.Scopes; nil = as before
}

// Failure says that a provider refused the credential of a connection for good, or that the service
// gave the credential up under the policy [refresh.Fail]; see [Service.Refresh]. The commit that
// stores a new secret of the connection removes it.
type Failure struct {
	Reason   string    // code, such as "invalid_grant"
	Since    time.Time // of the first of these attempts
	Attempts int64     // in a row without success, as one process saw them
}

// RefreshFunc asks a provider for new tokens. Opened.Credentials of inst has the refresh token, or
// none if the provider works with client credentials. The function must not keep inst. It sends the
// refresh token at most once, and returns soon after ctx ends.
//
// If it has no tokens, it returns a [*refresh.Error], which says whether the refresh token may be
// used up. Any other error counts as one with the answer [refresh.Unknown]. Package oauth has such
// functions for OAuth 2.0.
type RefreshFunc func(ctx context.Context, inst *Opened) (Tokens, error)

// Refresh returns an installation like [Service.Open], with an access token that outlives
// req.Before. A token without expiry outlives everything. If the stored token lasts long enough,
// Refresh does what Open does, with the reason "refresh". Otherwise it calls fn, stores the tokens
// that fn returns, and returns them even if they do not outlive req.Before. A nil fn stands for
// Options.Refresh.
//
// One caller at a time calls fn for an installation, across all processes. The others wait until
// the new token is stored, for at most a third of Options.RefreshLease. If a process stops while it
// refreshes, nobody else sends until its lease has run out. The refresh token may be used up then,
// and Options.Interrupted decides what happens. docs/refresh.md has the states, and the two cases
// in which a refresh token can still be sent twice.
//
// If the provider refuses the refresh token for good, the connection fails: Connection.Failure says
// why, and Refresh sends nothing until the connection has a new credential. After any other
// failure, callers get the stored token while it is valid, and then an error. Pauses between
// attempts grow, for the connection and for its provider, which Connection.Provider names. An
// outage marks no connection as failed, except under the policy [refresh.Fail], if a request was
// sent. Each attempt changes the revision of the installation.
//
// Once Refresh has called fn, it goes on although ctx ends, for at most two thirds of
// Options.RefreshLease. If it cannot store the new tokens in that time, it returns the error of the
// store. The process then keeps the tokens in memory, and the next Refresh or Run stores them. If
// the process ends before, or the store refuses them for good, they are lost. To notice that, a
// host can look for installations whose refresh fails with invalid_grant after a restart.
//
// Refresh needs the right to reveal. The caller must close the result. Errors: a [*refresh.Error],
// which matches [refresh.ErrFailed] if the connection failed; [ErrNotFound], also for an
// installation without connection; [ErrConflict] if it is not installed; and those of Open.
func (s *Service) Refresh(
	ctx context.Context, req RefreshRequest, fn RefreshFunc,
) (*Opened, error) {
	if fn == nil {
		fn = s.opts.Refresh
	}
	if fn == nil {
		return nil, errors.New("refresh: pass a function, or set Options.Refresh")
	}
	r := &refreshing{s: s, req: req, fn: fn}
	if err := r.run(ctx, s.opts.RefreshLease/3); err != nil {
		return nil, err
	}
	return r.opened, nil
}

// refreshing is one refresh. It is the record that the lease is about.
type refreshing struct {
	s      *Service
	req    RefreshRequest
	fn     RefreshFunc
	ifDue  bool // refresh only if Run has to
	opened *Opened
	tokens Tokens
	stored bool // Store committed a result
}

func (s *Service) leaseOptions(patience time.Duration) lease.Options {
	return lease.Options{
		Duration: s.opts.RefreshLease, Patience: patience, Now: s.now,
		Fail: func(provider string) bool {
			return s.opts.Interrupted != nil && s.opts.Interrupted(provider) == refresh.Fail
		},
	}
}

func (r *refreshing) run(ctx context.Context, patience time.Duration) error {
	key := lease.Key{Tenant: r.s.tenant, ID: r.req.ID}
	err := r.s.leases.Do(ctx, key, r, r.s.leaseOptions(patience))
	if err != nil {
		r.close()
	}
	return withID("refresh", r.req.ID, err)
}

// withID adds the method and the ID to an error, which may be nil.
func withID(method, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", method, redact.Path(id), err)
}

// open opens the installation in place of what was open before.
func (r *refreshing) open(ctx context.Context, reason string) error {
	o, err := r.s.openFor(ctx, "", OpenRequest{ID: r.req.ID, Reason: reason})
	if err == nil {
		r.close()
		r.opened = o
	}
	return err
}

func (r *refreshing) close() {
	if r.opened != nil {
		_ = r.opened.Close() // never fails
	}
}

// Look implements [lease.Record].
func (r *refreshing) Look(ctx context.Context) (lease.View, error) {
	if err := r.open(ctx, "refresh"); err != nil {
		return lease.View{}, err
	}
	o := r.opened
	switch {
	case o.Connection == nil:
		return lease.View{}, fmt.Errorf("%w: the installation has no connection", ErrNotFound)
	case o.Status != StatusInstalled:
		return lease.View{}, fmt.Errorf("%w: the installation is %s", ErrConflict, o.Status)
	}
	now, v := r.s.now(), o.view
	if r.ifDue {
		v.Done = o.renewAt.IsZero() || now.Before(o.renewAt)
		return v, nil
	}
	v.Done = o.Connection.AccessToken.outlives(cmp.Or(r.req.Before, now.Add(time.Minute)))
	v.Usable = o.Connection.AccessToken.outlives(now)
	return v, nil
}

// outlives reports whether the token is stored and valid at the time at.
func (t Token) outlives(at time.Time) bool {
	return !t.Value.IsZero() && (t.Expires.IsZero() || t.Expires.After(at))
}

// expires reports whether the token has an expiry before the time at.
func (t Token) expires(at time.Time) bool { return !t.Expires.IsZero() && t.Expires.Before(at) }

// Send implements [lease.Record].
func (r *refreshing) Send(ctx context.Context) (err error) {
	if r.tokens, err = r.fn(ctx, r.opened); err != nil {
		return err
	}
	var l validate.List
	for _, t := range []Token{r.tokens.Access, r.tokens.Refresh} {
		l.OptionalTime("issued", t.Issued)
		l.OptionalTime("expires", t.Expires)
		if t.Value.IsMasked() {
			l.Required("token", false)
			continue
		}
		operation.CheckSecret(&l, "token", t.Value)
	}
	l.Required("access token", !r.tokens.Access.Value.IsZero())
	l.Text("token type", r.tokens.Type, validate.MaxName)
	checkScopes(&l, "scopes", r.tokens.Scopes)
	if err := l.Err(); err != nil {
		return &refresh.Error{Answer: refresh.Unknown, Reason: refresh.BadTokens, Err: err}
	}
	return nil
}

// Change implements [lease.Record].
func (r *refreshing) Change(ctx context.Context, v lease.View, next *lease.State) error {
	return r.s.writeLease(ctx, r.req.ID, func(d *draft) error {
		if !d.matches(v) || !lease.Same(d.lifecycle.refresh, v.State) {
			return lease.ErrChanged
		}
		d.lifecycle.refresh, d.effect = next, effectLease
		if next.Of(lease.Failed, v.Credential) && d.lifecycle.status == StatusInstalled {
			d.events, d.reason = append(d.events, event.Failed), next.Reason
		}
		return nil
	})
}

// Store implements [lease.Record].
func (r *refreshing) Store(ctx context.Context, v lease.View) error {
	return r.store(ctx, func(d *draft) error {
		if d.lifecycle.status != StatusInstalled && d.lifecycle.revokeAt.IsZero() {
			return lease.ErrChanged // nobody would revoke them any more
		}
		same := d.matches(v)
		replaced := !same || d.vault().Number(string(accessToken)) != v.Token
		switch {
		case replaced && d.has(r.tokens.Access.Value):
			return nil // an earlier try stored them
		case !same:
			return lease.ErrChanged
		}
		return d.storeTokens(r.tokens)
	})
}

// Drop implements [lease.Record]. It revokes the tokens, since nobody will use them.
func (r *refreshing) Drop(ctx context.Context) {
	if r.s.opts.Revoke == nil {
		return
	}
	orphan := *r.opened
	orphan.secrets = opened.New(2)
	defer orphan.secrets.Wipe()
	for pointer, t := range map[string]Token{
		"/access_token": r.tokens.Access, "/refresh_token": r.tokens.Refresh,
	} {
		if !t.Value.IsZero() {
			ref := refOf(kindCredential, pointer)
			orphan.secrets.Add(string(ref), operation.SecretText(t.Value))
		}
	}
	_ = r.s.opts.Revoke(ctx, &orphan) // nothing is left to try it again with
}

func (r *refreshing) store(ctx context.Context, apply func(*draft) error) error {
	err := r.s.writeLease(ctx, r.req.ID, apply)
	r.stored = err == nil
	return err
}

// writeLease commits a change that a holder of a lease makes. Look has asked the policy, and
// writeLease does not ask it again: if the actor loses its rights meanwhile, the new tokens must
// still be stored. A record that is gone has changed.
func (s *Service) writeLease(ctx context.Context, id string, apply func(*draft) error) error {
	_, err := s.write(ctx, write{
		id: id, access: accessOutsider,
		apply: func(_ context.Context, d *draft) error {
			if d.err != nil && !errors.Is(d.err, ErrShredded) {
				return d.err
			}
			if !d.exists || d.err != nil || d.inst.Connection == nil {
				return lease.ErrChanged
			}
			return apply(d)
		},
	})
	if isRefusal(err) {
		err = fmt.Errorf("%w: %w", lease.ErrRefused, err)
	}
	return err
}

// matches reports whether the draft still has the credential of v. Without a refresh token, only
// the lease says so: each change of the connection ends it.
func (d *draft) matches(v lease.View) bool {
	return d.stored.Generation == v.Generation && d.credential() == v.Credential &&
		(v.Credential > 0 || lease.Same(d.lifecycle.refresh, v.State))
}

// credential returns the number of the refresh token, 0 if none is stored. The access token does
// not count: if somebody replaces it alone, the holder still sends the same refresh token.
func (d *draft) credential() int64 { return d.vault().Number(string(refreshToken)) }

// References of the tokens.
const (
	accessToken  Ref = kindCredential + "/access_token"
	refreshToken Ref = kindCredential + "/refresh_token"
)

// has reports whether the stored access token is this one. One that does not open is another.
func (d *draft) has(token crypto.Secret) bool {
	text, err := d.vault().Open(string(accessToken))
	defer clear(text)
	return err == nil && opened.FromJSON(text).Equal(token)
}

// storeTokens puts new tokens into the draft and frees the lease.
func (d *draft) storeTokens(t Tokens) error {
	c := *d.inst.Connection
	for _, one := range []struct {
		ref Ref
		new Token
		old *Token
	}{{accessToken, t.Access, &c.AccessToken}, {refreshToken, t.Refresh, &c.RefreshToken}} {
		if one.new.Value.IsZero() {
			continue
		}
		*one.old = Token{
			Value: one.new.Value, Issued: storedTime(one.new.Issued),
			Expires: storedTime(one.new.Expires),
		}
		if err := d.sealCredential(one.ref, &one.old.Value); err != nil {
			return err
		}
	}
	c.TokenType, c.Updated = cmp.Or(t.Type, c.TokenType), d.now
	if t.Scopes != nil {
		c.Scopes = t.Scopes
		d.addChanged("connection")
	}
	d.inst.Connection = &c
	d.effect, d.events = effectKept, append(d.events, event.Refreshed)
	d.endLease()
	return nil
}

// revoking is one revocation of the credentials of an uninstalled installation.
type revoking struct{ refreshing }

// revoke revokes the credentials under the same lease as a refresh. Otherwise it could revoke a
// token that somebody has just exchanged for a new one.
func (s *Service) revoke(ctx context.Context, id string) (stored bool, err error) {
	r := &revoking{refreshing{s: s, req: RefreshRequest{ID: id}}}
	o := s.leaseOptions(0)
	o.Fail = func(string) bool { return false } // revoking twice does no harm
	err = s.leases.Do(ctx, lease.Key{Tenant: s.tenant, ID: id}, r, o)
	r.close()
	return r.stored, withID("revoke", id, err)
}

// Look implements [lease.Record].
func (r *revoking) Look(ctx context.Context) (lease.View, error) {
	if err := r.open(ctx, "revoke"); err != nil {
		return lease.View{}, err
	}
	v := r.opened.view
	v.Done = r.opened.revoked
	return v, nil
}

// Send implements [lease.Record].
func (r *revoking) Send(ctx context.Context) error {
	err := r.s.opts.Revoke(ctx, r.opened)
	if _, ok := errors.AsType[*refresh.Error](err); err == nil || ok {
		return err
	}
	return &refresh.Error{Answer: refresh.Passing, Reason: refresh.NotRevoked, Err: err}
}

// Store implements [lease.Record].
func (r *revoking) Store(ctx context.Context, v lease.View) error {
	return r.store(ctx, func(d *draft) error {
		switch {
		case !d.matches(v):
			return lease.ErrChanged
		case d.lifecycle.revokeAt.IsZero():
			return nil // an earlier try stored it
		}
		d.lifecycle.revokeAt, d.lifecycle.refresh = time.Time{}, nil
		d.effect, d.events = effectLease, append(d.events, event.Revoked)
		return nil
	})
}

// Drop implements [lease.Record].
func (r *revoking) Drop(context.Context) {}

// toRevoke makes the draft of an uninstall ask for a revocation, if there is anything to revoke.
func (s *Service) toRevoke(d *draft) {
	if s.opts.Revoke == nil || d.err != nil || !d.vault().HasKind(kindCredential, kindConnection) {
		return
	}
	d.lifecycle.revokeAt = d.now
	if d.lifecycle.refresh.Of(lease.Failed, d.credential()) {
		d.lifecycle.refresh = nil // a refused refresh token can still have a valid access token
	}
}
