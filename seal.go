package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/vault"
	"github.com/go-installation/installation/validate"
	"github.com/google/uuid"
)

// begin starts a new generation in the draft. The generation has a new data key and keeps only ID,
// name, extension and the time of creation. If the old data key was destroyed, it keeps only ID and
// time of creation, because nothing authenticates the rest. If the record does not open for another
// reason, begin returns that error.
func (s *Service) begin(ctx context.Context, d *draft, status Status) error {
	old := d.inst
	switch {
	case !d.exists:
		old = &Installation{}
	case errors.Is(d.err, ErrShredded):
		old = &Installation{Audit: Audit{Created: &AuditEntry{At: d.stored.Created}}}
	case d.err != nil:
		return d.err
	}
	d.inst = &Installation{
		ID: d.key.ID, Tenant: d.key.Tenant, Name: old.Name, Extension: old.Extension,
		Audit:      Audit{Created: old.Audit.Created},
		Generation: max(d.stored.Generation+1, d.namespace.Epoch),
	}
	d.lifecycle = lifecycle{status: status, generation: d.inst.Generation}
	d.err, d.body, d.secrets = nil, nil, d.emptyVault()
	d.codeHash, d.codeEra, d.redeemer, d.rule = nil, "", "", s.rule.ID()
	d.created = true
	return s.newDataKey(ctx, d)
}

// decoyKey is the key of the decoy, which is in no store. No installation can have its ID.
var decoyKey = Key{ID: reservedID + "decoy"}

// acceptDecoy refuses an invitation that is not stored. It opens an invitation that nobody has a
// code for, so that a caller cannot learn from the time which IDs exist. The first call of a
// process also makes the decoy.
func (s *Service) acceptDecoy(ctx context.Context, req AcceptRequest) error {
	r := s.decoy.Load()
	if r == nil {
		var err error
		if r, err = s.newDecoy(ctx); err != nil {
			return err
		}
		s.decoy.Store(r)
	}
	snap := s.open(ctx, decoyKey, r)
	defer snap.wipe()
	if snap.err != nil {
		s.decoy.Store(nil) // its key may be gone for good
		return snap.err
	}
	snap.redeems(req)
	return ErrInvitation
}

func (s *Service) newDecoy(ctx context.Context) (*Record, error) {
	d := newDraft(&snapshot{key: decoyKey, stored: &Record{}}, Namespace{}, s.now())
	defer func() { d.wipe() }()
	if err := s.begin(ctx, d, StatusInvited); err != nil {
		return nil, err
	}
	// The decoy has what invitations usually have, because larger ones take longer to open.
	name := strings.Repeat("x", len(newID()))
	d.inst.Name, d.inst.Account.ID = name, name
	d.inst.Extension = Extension{ID: name, Name: name, Owner: name}
	d.inst.Invitation = &Invitation{Validity: defaultValidity, Message: name, Recipient: name}
	if err := s.issueCode(d); err != nil {
		return nil, err
	}
	return s.sealedRecord(ctx, d)
}

// newDataKey gives the draft a new data key. Its number is one higher than that of the present key.
func (s *Service) newDataKey(ctx context.Context, d *draft) error {
	k, err := crypto.NewDataKey(d.dataKey.Number()+1, s.keys.Suite())
	if err != nil {
		return err
	}
	w, err := s.keys.Wrap(ctx, k, bindingOf(d.key))
	if err != nil {
		k.Destroy()
		return err
	}
	d.wipe()
	d.dataKey, d.wrapped = k, w
	d.vault().Use(k)
	return nil
}

// nextRevision is the revision of the draft. It is at least the epoch, so that no revision from
// before a restore is given out again.
func (d *draft) nextRevision() int64 { return max(d.stored.Revision+1, d.namespace.Epoch) }

// vault returns the sealed secrets of the draft. The first call reads them from the body.
func (d *draft) vault() *vault.Vault {
	if d.secrets == nil {
		d.secrets = d.emptyVault()
		if d.body != nil {
			d.secrets.Load(d.body.Values, d.table)
		}
	}
	return d.secrets
}

func (d *draft) emptyVault() *vault.Vault {
	return vault.New(bindingOf(d.key), d.dataKey, d.credentialNumber, d.namespace.Epoch)
}

// droppedSecrets returns what the Connection part of a write removed and nothing stored again. The
// part keeps no secret at another place: that needs an x-key, and metadata has no schema.
func (d *draft) droppedSecrets() (refs []Ref) {
	slices.Sort(d.dropped)
	refs = slices.Grow(refs, len(d.dropped))
	for _, name := range d.dropped {
		if !d.vault().Has(name) {
			refs = append(refs, Ref(name))
		}
	}
	return refs
}

// sealedRecord seals the draft into the record to commit. It opens the sealed result again. This
// shows that the record can be opened, and gives the draft an installation that shares no memory
// with the request.
func (s *Service) sealedRecord(ctx context.Context, d *draft) (*Record, error) {
	if err := s.reseal(ctx, d); err != nil {
		return nil, err
	}
	i := d.inst
	if was := d.before.inst; d.created && was != nil && was.Account.ID != i.Account.ID {
		// The new account must not see who had the installation before.
		i.Audit.Created = &AuditEntry{At: was.Audit.Created.At}
	}
	if i.Audit.Created == nil {
		i.Audit.Created = s.audit(d)
	} else if d.effect != effectLease {
		i.Audit.Updated = s.audit(d)
	}
	i.Revision, i.Status, i.Purged = d.nextRevision(), d.lifecycle.status, d.lifecycle.purged
	s.settleLease(d)
	claims, err := s.claimsOf(d)
	if err != nil {
		return nil, err
	}
	m := manifest{inst: i, lifecycle: d.lifecycle, Manifest: &record.Manifest{
		Rule: d.rule, Claims: claims, CodeHash: d.codeHash, CodeEra: d.codeEra,
		Redeemer: d.redeemer, CredentialNumber: d.vault().Newest(), Epoch: d.namespace.Epoch,
	}}
	body := &record.Body{Lifecycle: d.lifecycle.encode(), Key: d.wrapped}
	body.Values, m.Table = d.vault().Stored()
	limit := record.MaxWritten
	if len(d.changed) > 0 && d.effect == effectSealed {
		limit = maxParts
	}
	if d.plain = m.encode(); len(d.plain) > limit {
		return nil, errTooLarge()
	}
	body.Manifest, err = d.dataKey.SealBinary(nil, manifestPlace(d.key), d.plain)
	if err != nil {
		return nil, err
	}
	raw := body.Append(nil)
	if len(raw) > limit {
		return nil, errTooLarge()
	}
	next := &Record{
		Key: d.key, Revision: i.Revision, Generation: i.Generation, Created: i.Audit.Created.At,
		Deadline: d.lifecycle.deadline(i.Invitation), Index: termsOf(i, d.wrapped.KeyID).List(),
		Claims: claims, Body: Body{raw},
	}
	opened, err := verify(next, body, d.lifecycle, d.dataKey)
	if err != nil {
		return nil, err
	}
	d.inst, d.body = opened.inst, body
	return next, nil
}

// maxParts is the largest body of a request that changes parts. It leaves room for what other
// writes add: otherwise whoever can fill a part could stop an uninstall or a refresh.
const maxParts = record.MaxWritten - 1<<20

func errTooLarge() error {
	detail := fmt.Sprintf("all parts together must have at most %d bytes", maxParts)
	return invalid("", validate.RuleTooLarge, detail)
}

// plainRecord returns the record with the plain lifecycle of the draft. The sealed parts stay, so
// this needs no key. The record gives up its claims.
func (d *draft) plainRecord() *Record {
	d.lifecycle = d.lifecycle.withoutNames()
	next, body := *d.stored, *d.body
	next.Key = d.key // in the store, somebody may have put another record here
	next.Revision = d.nextRevision()
	next.Claims = nil
	next.Index = record.SetTerm(next.Index, record.TermPhase, d.lifecycle.status.phase())
	next.Index = record.SetTerm(next.Index, record.TermFailed, "")
	if body.Manifest == nil {
		next.Index = record.SetTerm(next.Index, record.TermKey, record.KeyDestroyed)
		next.Index = record.SetTerm(next.Index, record.TermConnection, "")
		next.Index = record.SetTerm(next.Index, record.TermProvider, "")
	}
	body.Lifecycle = d.lifecycle.encode()
	next.Body = Body{body.Append(nil)}
	next.Deadline = d.lifecycle.deadline(nil) // what ended has no open invitation
	return &next
}

// settleLease ends a lease on a credential that is not stored any more, and notes when the token is
// due to be refreshed.
func (s *Service) settleLease(d *draft) {
	l := &d.lifecycle
	if l.refresh != nil && d.replacesCredential() {
		d.endLease()
	}
	l.renewAt = s.renewal(d)
	if c := d.inst.Connection; c != nil {
		c = new(*c)
		c.Failure, d.inst.Connection = l.failure(), c
	}
}

// replacesCredential reports whether the credential of the lease is not the stored one any more. A
// failure ends with each new secret of the connection, because the provider may have refused any of
// them. Without a refresh token, everything in the connection is the credential.
func (d *draft) replacesCredential() bool {
	l := d.lifecycle.refresh
	if d.inst.Connection == nil || l.Credential != d.credential() {
		return true
	}
	return slices.ContainsFunc(d.changed, func(name string) bool {
		kind := Ref(name).Kind()
		isSecret := name != kind // otherwise the name is that of the whole part
		return (kind == kindCredential || kind == kindConnection) &&
			(l.Credential == 0 || isSecret && l.Kind == lease.Failed)
	})
}

// endLease frees the lease. If it was a failure, the connection has recovered.
func (d *draft) endLease() {
	l := &d.lifecycle
	if l.refresh != nil && l.refresh.Kind == lease.Failed && l.status == StatusInstalled &&
		d.inst.Connection != nil {
		d.events = append(d.events, event.Recovered)
	}
	l.refresh = nil
}

// failure returns what a failed lease says, nil for any other.
func (l lifecycle) failure() *Failure {
	r := l.refresh
	if r == nil || r.Kind != lease.Failed || l.status != StatusInstalled {
		return nil
	}
	return &Failure{Reason: r.Reason, Since: r.Since, Attempts: r.Attempts}
}

// sealCredentials seals the credentials in a given connection and puts masks in their place.
func (d *draft) sealCredentials(l *validate.List, given *Connection) error {
	given.keepTokens(d.inst.Connection)
	for _, c := range given.credentials() {
		ref := refOf(kindCredential, c.pointer)
		path := "connection" + c.pointer
		stored := d.vault().Has(string(ref))
		switch {
		case c.value.IsMasked() && stored:
		case c.value.IsMasked():
			detail := "a mask keeps the stored secret, but nothing is stored here: give the secret"
			l.Add(path, validate.RuleMaskWithoutStoredValue, detail)
		case c.value.IsZero():
			if stored {
				d.vault().Remove(string(ref))
				d.addChanged(string(ref))
				d.dropped = append(d.dropped, string(ref))
			}
		case operation.CheckCredential(l, path, *c.value):
			if err := d.sealCredential(ref, c.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealCredential seals a credential and puts a mask in its place.
func (d *draft) sealCredential(ref Ref, value *crypto.Secret) error {
	text := operation.SecretText(*value)
	defer clear(text)
	if err := d.vault().Seal(string(ref), text); err != nil {
		return err
	}
	*value = crypto.Masked()
	d.addChanged(string(ref))
	return nil
}

// editCredentials applies operations on credentials to the stored connection.
func (d *draft) editCredentials(l *validate.List, ops []Operation) error {
	if operation.CheckCredentials(l, ops); len(ops) == 0 || l.Err() != nil {
		return nil
	}
	next := new(*d.inst.Connection)
	for _, o := range ops {
		if o.Kind() == operation.SetTokenType {
			if next.TokenType != o.Value().RevealString() {
				next.TokenType = o.Value().RevealString()
				d.addChanged("connection")
			}
			continue
		}
		ref := Ref(o.Pointer())
		c := next.credential(ref.Pointer())
		if o.Kind() == operation.SetCredential {
			*c.value = o.Value()
			if err := d.sealCredential(ref, c.value); err != nil {
				return err
			}
			if issued, expires := o.Times(); c.token != nil {
				c.token.Issued, c.token.Expires = storedTime(issued), storedTime(expires)
			}
			continue
		}
		if !d.vault().Has(string(ref)) {
			l.Add("connection"+c.pointer, validate.RuleNotFound, "there is nothing here to remove")
			continue
		}
		d.vault().Remove(string(ref))
		d.addChanged(string(ref))
		*c.value = crypto.Secret{}
		if c.token != nil {
			*c.token = Token{}
		}
		if c.token == &next.AccessToken {
			next.TokenType = ""
		}
	}
	d.inst.Connection = next
	return nil
}

// credential is a secret of a connection that is not in a document.
type credential struct {
	pointer string
	value   *crypto.Secret
	token   *Token // with the value; nil = it has no times
}

func (c *Connection) credentials() []credential {
	return []credential{
		{"/access_token", &c.AccessToken.Value, &c.AccessToken},
		{"/api_key", &c.APIKey, nil},
		{"/refresh_token", &c.RefreshToken.Value, &c.RefreshToken},
	}
}

// credential returns the credential at a pointer that was validated.
func (c *Connection) credential(pointer string) credential {
	all := c.credentials()
	return all[slices.IndexFunc(all, func(x credential) bool { return x.pointer == pointer })]
}

// keepTokens replaces each masked token by the stored one, with all that belongs to it. The stored
// token can be newer than the one that the caller read.
func (c *Connection) keepTokens(stored *Connection) {
	if stored == nil {
		return
	}
	if c.AccessToken.Value.IsMasked() && stored.AccessToken.Value.IsMasked() {
		c.AccessToken, c.TokenType = stored.AccessToken, stored.TokenType
	}
	if c.RefreshToken.Value.IsMasked() && stored.RefreshToken.Value.IsMasked() {
		c.RefreshToken = stored.RefreshToken
	}
}

// newID returns a new ID that sorts by age: a UUID of version 7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
