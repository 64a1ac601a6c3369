package installation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/internal/record"
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
	d.err, d.body, d.secrets = nil, nil, map[Ref]secret{}
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
	return nil
}

// nextRevision is the revision of the draft. It is at least the epoch, so that no revision from
// before a restore is given out again.
func (d *draft) nextRevision() int64 { return max(d.stored.Revision+1, d.namespace.Epoch) }

// secret is one sealed secret of a draft.
type secret struct {
	sealed []byte
	number int64 // of a credential: grows with each new value; 0 for other secrets
}

// sealedSecrets returns the secrets of the draft. The caller may change the map. The first call
// reads the secrets from the body.
func (d *draft) sealedSecrets() map[Ref]secret {
	if d.secrets == nil {
		d.secrets = make(map[Ref]secret, len(d.table))
		for i, v := range d.body.Values {
			d.secrets[Ref(v.Ref)] = secret{v.Sealed, d.table[i].Number}
		}
	}
	return d.secrets
}

// seal stores JSON text at ref as a secret.
func (d *draft) seal(ref Ref, json []byte) error {
	sealed, err := d.dataKey.Seal(nil, d.place(ref), json)
	if err != nil {
		return err
	}
	var number int64
	if ref.Kind() == kindCredential {
		d.credentialNumber++
		number = d.credentialNumber
	}
	d.sealedSecrets()[ref] = secret{sealed, number}
	return nil
}

// unseal returns the JSON text of the secret at ref.
func (d *draft) unseal(ref Ref) ([]byte, error) {
	stored, ok := d.sealedSecrets()[ref]
	if !ok {
		return nil, ErrNotFound
	}
	return d.dataKey.Open(nil, d.place(ref), stored.sealed)
}

func (snap *snapshot) place(ref Ref) crypto.Place {
	return crypto.Place{
		Tenant: snap.key.Tenant, Record: snap.key.ID, Kind: ref.Kind(), Pointer: ref.Pointer(),
	}
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
		Redeemer: d.redeemer, CredentialNumber: d.credentialNumber, Epoch: d.namespace.Epoch,
	}}
	body := &record.Body{Lifecycle: d.lifecycle.encode(), Key: d.wrapped}
	secrets := d.sealedSecrets()
	for _, ref := range slices.Sorted(maps.Keys(secrets)) {
		v := secrets[ref]
		tag := string(crypto.Tag(v.sealed))
		body.Values = append(body.Values, record.Value{Ref: string(ref), Sealed: v.sealed})
		m.Table = append(m.Table, record.Entry{Ref: string(ref), Tag: tag, Number: v.number})
	}
	limit := record.MaxWritten
	if len(d.changed) > 0 {
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

// maxParts is the largest body of a write that changes parts. It leaves room for what other writes
// add: otherwise whoever can fill a part could stop an uninstall.
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

// sealCredentials seals the credentials in a given connection and puts masks in their place.
func (d *draft) sealCredentials(l *validate.List, given *Connection) error {
	given.keepTokens(d.inst.Connection)
	for _, c := range given.credentials() {
		ref := refOf(kindCredential, c.pointer)
		path := "connection" + c.pointer
		_, stored := d.sealedSecrets()[ref]
		switch {
		case c.value.IsMasked() && stored:
		case c.value.IsMasked():
			detail := "a mask keeps the stored secret, but nothing is stored here: give the secret"
			l.Add(path, validate.RuleMaskWithoutStoredValue, detail)
		case c.value.IsZero():
			if stored {
				delete(d.secrets, ref)
				d.addChanged(string(ref))
			}
		case classify.LooksMasked(c.value.RevealString()):
			l.Add(path, validate.RuleMaskWithoutStoredValue, "looks like the mask of another "+
				"program: give the secret itself, or a masked Secret to keep the stored one")
		case operation.CheckSecret(l, path, *c.value):
			text := operation.SecretText(*c.value)
			if err := d.seal(ref, text); err != nil {
				return err
			}
			clear(text)
			*c.value = crypto.Masked()
			d.addChanged(string(ref))
		}
	}
	return nil
}

// credential is a secret of a connection that is not in a document.
type credential struct {
	pointer string
	value   *crypto.Secret
}

func (c *Connection) credentials() []credential {
	return []credential{
		{"/access_token", &c.AccessToken.Value},
		{"/api_key", &c.APIKey},
		{"/refresh_token", &c.RefreshToken.Value},
	}
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

// checkMove rejects a write that gives an installation to another account and keeps a secret that
// was given for the account before.
func (d *draft) checkMove(allowed bool) error {
	if allowed || d.created || d.before.inst == nil {
		return nil
	}
	was := d.before.inst.Account.ID
	if was == "" || was == d.inst.Account.ID || !d.keepsSecrets() {
		return nil
	}
	return invalid("account.id", validate.RuleDestination, "would move stored secrets to another "+
		"account: remove them or give them again in this write, or set MoveSecrets")
}

// keepsSecrets reports whether this write keeps a stored secret, at its place or at another one.
func (d *draft) keepsSecrets() bool {
	return d.shifted || slices.ContainsFunc(d.before.body.Values, func(v record.Value) bool {
		now, ok := d.sealedSecrets()[Ref(v.Ref)]
		return ok && bytes.Equal(v.Sealed, now.sealed)
	})
}

// checkDestinations rejects a write that can send kept secrets of the connection elsewhere. Besides
// the documents, the providers and the workspace decide where they go.
//
// Every other field can change alone, because it does not say where secrets go. ID, ExternalRef and
// ConsumerRef are only names. ClientID and Scheme say who logs in and how, at the same provider.
// Account.URL is for people, and no token is sent there.
func (d *draft) checkDestinations(l *validate.List) {
	was, is := cmp.Or(d.before.connection(), &Connection{}), cmp.Or(d.connection(), &Connection{})
	for _, field := range []struct{ path, was, is string }{
		{"connection.provider", was.Provider, is.Provider},
		{"connection.app.provider", was.App.provider(), is.App.provider()},
		{"connection.workspaceRef", was.WorkspaceRef, is.WorkspaceRef},
	} {
		if field.was != field.is {
			d.redirect = cmp.Or(d.redirect, field.path)
		}
	}
	if d.redirect == "" {
		return
	}
	for _, path := range d.keptSecrets() {
		d.redirected = true
		if d.allowed == "" {
			l.AddViolation(validate.Violation{
				Path: path, Related: d.redirect, Rule: validate.RuleDestination,
				Detail: masked.SentElsewhere,
			})
		}
	}
}

// keptSecrets returns the paths of the secrets of the connection that this write leaves as they
// were. Those in the metadata are already compared with the metadata.
func (d *draft) keptSecrets() []string {
	if d.before.body == nil {
		return nil
	}
	var credentials, metadata []string
	for _, v := range d.before.body.Values {
		ref := Ref(v.Ref)
		now, ok := d.sealedSecrets()[ref]
		switch {
		case !ok || !bytes.Equal(v.Sealed, now.sealed):
		case ref.Kind() == kindCredential:
			credentials = append(credentials, "connection"+ref.Pointer())
		case ref.Kind() == kindConnection && !strings.HasPrefix(d.redirect, metadataPath):
			metadata = append(metadata, metadataPath+ref.Pointer())
		}
	}
	return append(credentials, metadata...)
}

func (snap *snapshot) connection() *Connection {
	if snap.inst == nil {
		return nil
	}
	return snap.inst.Connection
}

// provider returns the provider of an app, "" for nil.
func (a *ProviderApp) provider() string {
	if a == nil {
		return ""
	}
	return a.Provider
}

// newID returns a new ID that sorts by age: a UUID of version 7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
