package installation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/keycheck"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/paging"
	"github.com/go-installation/installation/internal/record"
)

// snapshot is an installation as it was read: the stored record, and what could be opened of it.
type snapshot struct {
	key       Key
	stored    *Record      // zero = nothing is stored
	exists    bool         // an installation is stored, in any state
	body      *record.Body // nil = nothing, a tombstone, or a body that cannot be decoded
	lifecycle lifecycle
	unvouched bool          // it ended, and the seal does not say so
	inst      *Installation // masked; nil = nothing is stored, or it could not be opened
	err       error         // why a stored record could not be opened

	dataKey *crypto.DataKey
	wrapped crypto.Wrapped
	rule    string        // the RuleIDs that the documents were stored under
	schema  *schemaLookup // what Options.Schema returned, once it was asked

	table            []record.Entry // one entry for each secret
	credentialNumber int64          // of the newest credential
	codeHash         []byte         // of the invitation code
	codeEra          string         // of the namespace when the code was made
	redeemer         string         // the account that accepted the invitation
}

// namespace returns the namespace of the store, the zero value if the store has none. A change has
// to be built from what is read after this call.
func (s *Service) namespace(ctx context.Context) (Namespace, error) {
	in, err := s.store.Namespace(ctx)
	if errors.Is(err, ErrUnsupported) {
		return Namespace{}, nil
	}
	return in, err
}

// load reads an installation and opens it as far as possible. The error means that the store
// failed. If the record does not open, the field err of the snapshot says why.
func (s *Service) load(ctx context.Context, id string) (*snapshot, error) {
	key := Key{s.tenant, id}
	r, err := s.store.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return &snapshot{key: key, stored: &Record{}}, nil
	case err != nil:
		return nil, err
	}
	return s.open(ctx, key, r), nil
}

// open opens the record r that the store returned for key. A record that was moved to key from
// another key does not open.
func (s *Service) open(ctx context.Context, key Key, r *Record) *snapshot {
	snap := &snapshot{key: key, stored: r, exists: !r.Deleted}
	if r.Deleted {
		return snap
	}
	body, life, err := decodeBody(r.Body)
	if err != nil {
		snap.err = err
		snap.lifecycle = lifecycle{status: statusFromIndex(r.Index), generation: r.Generation}
		return snap
	}
	snap.body, snap.lifecycle = body, life
	snap.err = snap.openManifest(ctx, s.keys)
	if snap.err != nil || snap.unvouched {
		snap.lifecycle = life.withoutNames()
	}
	return snap
}

// decodeBody decodes a body and its lifecycle.
func decodeBody(b Body) (*record.Body, lifecycle, error) {
	body, err := record.DecodeBody(b.raw)
	if err != nil {
		return nil, lifecycle{}, err
	}
	life, err := decodeLifecycle(body.Lifecycle)
	return body, life, err
}

// statusFromIndex guesses the status of a record whose body cannot be decoded.
func statusFromIndex(terms []string) Status {
	if phase := record.TermValue(terms, record.TermPhase); phase != phasePending {
		return Status(phase)
	}
	return StatusInvited
}

func (snap *snapshot) openManifest(ctx context.Context, keys crypto.KeyWrapper) error {
	if snap.body.Manifest == nil {
		return missingManifest(snap.body, snap.lifecycle)
	}
	if snap.stored.Key != snap.key {
		return ErrSealed
	}
	k, err := keys.Unwrap(ctx, snap.body.Key, bindingOf(snap.key))
	if err != nil {
		return err
	}
	m, err := verify(snap.stored, snap.body, snap.lifecycle, k)
	if err != nil {
		k.Destroy()
		return err
	}
	snap.inst, snap.dataKey, snap.wrapped = m.inst, k, snap.body.Key
	snap.unvouched = m.unvouched
	snap.rule, snap.table, snap.credentialNumber = m.Rule, m.Table, m.CredentialNumber
	snap.codeHash, snap.codeEra, snap.redeemer = m.CodeHash, m.CodeEra, m.Redeemer
	return nil
}

// bindingOf returns the binding of the data key of the record at key.
func bindingOf(key Key) crypto.Binding { return crypto.Binding{Tenant: key.Tenant, Record: key.ID} }

// missingManifest returns the error for a body without a manifest: ErrShredded if the record was
// purged without a key, or ErrSealed if someone removed the manifest.
func missingManifest(b *record.Body, life lifecycle) error {
	if life.purged && b.Key.KeyID == "" && len(b.Key.Bytes) == 0 && len(b.Values) == 0 {
		return ErrShredded
	}
	return ErrSealed
}

// wipe destroys the data key, after which nothing can be opened or sealed.
func (snap *snapshot) wipe() { snap.dataKey.Destroy() }

// statusAt returns the status at the time now. An invitation past its expiry is expired, even if
// the store does not say so yet.
func (snap *snapshot) statusAt(now time.Time) Status {
	due := snap.stored.Deadline
	if snap.inst != nil {
		due = snap.lifecycle.deadline(snap.inst.Invitation)
	}
	if snap.lifecycle.status == StatusInvited && !due.IsZero() && !now.Before(due) {
		return StatusExpired
	}
	return snap.lifecycle.status
}

// partial returns what is known of a record that could not be opened: what the store keeps in
// plain.
func (snap *snapshot) partial(now time.Time) *Installation {
	term := func(prefix string) string { return record.TermValue(snap.stored.Index, prefix) }
	return &Installation{
		ID: snap.key.ID, Tenant: snap.key.Tenant, Generation: snap.stored.Generation,
		Revision: snap.stored.Revision, Status: snap.statusAt(now), Purged: snap.lifecycle.purged,
		Extension: Extension{ID: term(record.TermExtension), Owner: term(record.TermOwner)},
		Account:   Account{ID: term(record.TermAccount)},
		Audit: Audit{
			Expired:     snap.lifecycle.expired.clone(),
			Uninstalled: snap.lifecycle.uninstalled.clone(),
		},
		Err: snap.err,
	}
}

// over reports whether the present generation has ended, so that a new one may begin.
func (s Status) over() bool { return s == StatusUninstalled || s == StatusExpired }

// lifecycle is the part of a body that is stored in plain, so that it can be changed without a key.
// The manifest has a sealed copy. The service accepts a plain lifecycle only if it equals the
// sealed copy or follows from it; see follows.
type lifecycle struct {
	status      Status
	generation  int64
	expired     *AuditEntry
	uninstalled *AuditEntry
	purgeAt     time.Time // end of the grace period after an uninstall
	purged      bool
	refresh     *lease.State
	renewAt     time.Time // when the access token is due to be refreshed
	revokeAt    time.Time // when to revoke the credentials next; zero = there is nothing to revoke
}

// follows reports whether a writer without the key may change a lifecycle from sealed to l: it may
// end what has not ended, and say when. The purge is always due, so that Sweep and Check find it.
func (l lifecycle) follows(sealed lifecycle, created time.Time) bool {
	was := sealed.status
	switch {
	case was == StatusInvited && l.status == StatusExpired && l.expired != nil:
		sealed.expired = l.expired
	case (was == StatusInvited || was == StatusInstalled) &&
		l.status == StatusUninstalled && l.uninstalled != nil:
		sealed.uninstalled, sealed.purgeAt = l.uninstalled, created
	default:
		return false
	}
	sealed.status = l.status
	return bytes.Equal(l.encode(), sealed.encode())
}

// withoutNames returns l as it may be shown if no seal vouches for it.
func (l lifecycle) withoutNames() lifecycle {
	for _, e := range []**AuditEntry{&l.expired, &l.uninstalled} {
		if *e != nil {
			*e = &AuditEntry{At: (*e).At, Unvouched: true}
		}
	}
	return l
}

// deadline returns when something is due: the end of an invitation, a refresh, a revocation, or the
// end of a grace period. Zero = nothing is.
func (l lifecycle) deadline(inv *Invitation) time.Time {
	switch {
	case l.status == StatusInvited && inv != nil:
		return inv.Expires
	case l.status == StatusInstalled:
		return l.renewAt
	case l.status == StatusUninstalled && !l.purged:
		if !l.revokeAt.IsZero() && l.revokeAt.Before(l.purgeAt) {
			return l.revokeAt
		}
		return l.purgeAt
	default:
		return time.Time{}
	}
}

func (l lifecycle) encode() []byte { return record.Append(nil, &l, codeLifecycle) }

func decodeLifecycle(b []byte) (l lifecycle, err error) {
	err = record.Decode(b, &l, codeLifecycle)
	return l, err
}

// manifest is an opened manifest: the masked installation in it, and the other fields that it
// authenticates.
type manifest struct {
	*record.Manifest
	inst      *Installation
	lifecycle lifecycle // when the manifest was sealed
	unvouched bool      // a later write without the key ended the installation
}

// manifestPlace returns the place that the manifest of a record is sealed for.
func manifestPlace(key Key) crypto.Place {
	return crypto.Place{Tenant: key.Tenant, Record: key.ID, Kind: "manifest"}
}

// openManifest opens a sealed manifest. It does not compare the manifest with the record. The
// result shares no memory with sealed.
func openManifest(k *crypto.DataKey, at crypto.Place, sealed []byte) (*manifest, error) {
	i := new(Installation)
	r, err := record.OpenManifest(k, at, sealed, func(c *record.Coder) { codeContent(c, i) })
	if err != nil {
		return nil, err
	}
	life, err := decodeLifecycle(r.Lifecycle)
	if err != nil || r.Generation != life.generation {
		return nil, ErrSealed
	}
	i.ID, i.Revision = r.ID, r.Revision
	if len(r.Table) > 0 {
		i.Sealed = make([]Ref, len(r.Table))
	}
	for n, e := range r.Table {
		i.Sealed[n] = Ref(e.Ref)
	}
	return &manifest{Manifest: r, inst: i, lifecycle: life}, nil
}

// encode returns the manifest in its stored form.
func (m *manifest) encode() []byte {
	m.ID, m.Generation, m.Revision = m.inst.ID, m.lifecycle.generation, m.inst.Revision
	m.Lifecycle, m.IndexVersion = m.lifecycle.encode(), record.IndexVersion
	return m.Manifest.Append(nil, func(c *record.Coder) { codeContent(c, m.inst) })
}

// verify opens the manifest of a stored record, and checks that everything else in the record
// agrees with the manifest. So it detects every edit in the store, except a whole older record that
// was put back.
func verify(r *Record, body *record.Body, life lifecycle, k *crypto.DataKey) (*manifest, error) {
	m, err := openManifest(k, manifestPlace(r.Key), body.Manifest)
	if err != nil {
		return nil, err
	}
	return m, m.verify(r, body, life)
}

func (m *manifest) verify(r *Record, body *record.Body, life lifecycle) error {
	i, claims, shown := m.inst, m.Claims, life
	moved := m.lifecycle.status != life.status
	if moved {
		claims, shown = nil, life.withoutNames()
	}
	m.unvouched = moved
	m.adopt(r.Key, shown, r.Revision)
	switch {
	case i.ID != r.Key.ID, i.Generation != r.Generation,
		i.Audit.Created == nil, !i.Audit.Created.At.Equal(r.Created),
		moved && !life.follows(m.lifecycle, r.Created), moved && m.Revision >= r.Revision,
		!moved && !bytes.Equal(body.Lifecycle, m.Lifecycle), !moved && m.Revision != r.Revision,
		!m.Lists(body.Values),
		!slices.Equal(claims, r.Claims),
		!life.deadline(i.Invitation).Equal(r.Deadline):
		return ErrSealed
	}
	return termsOf(i, body.Key.KeyID).Match(m.IndexVersion, r.Index)
}

// adopt sets the fields of the installation that are stored outside the manifest.
func (m *manifest) adopt(key Key, life lifecycle, revision int64) {
	i := m.inst
	i.Tenant, i.Revision, i.Generation = key.Tenant, revision, life.generation
	i.Status, i.Purged = life.status, life.purged
	i.Audit.Expired, i.Audit.Uninstalled = life.expired.clone(), life.uninstalled.clone()
	if i.Invitation != nil {
		i.Invitation.Status = i.Status
	}
	if i.Connection != nil {
		i.Connection.Failure = life.failure()
	}
}

// termsOf returns the index terms of an installation. keyID names the key-encryption key of its
// data key.
func termsOf(i *Installation, keyID string) record.Terms {
	t := record.Terms{
		Extension: i.Extension.ID, Account: i.Account.ID, Owner: i.Extension.Owner,
		Phase: i.Status.phase(), KeyID: keyID,
	}
	if i.Connection != nil {
		c := i.Connection
		t.Connection, t.Provider, t.Failed = c.ID, c.Provider, c.Failure != nil
	}
	return t
}

// everywhere lists all records of all tenants.
var everywhere = Query{AllTenants: true, Term: record.TermEverywhere, Limit: MaxPage}

// countTerm counts the records of all tenants with a global term.
func (s *Service) countTerm(ctx context.Context, term string) (int64, error) {
	return s.countRecords(ctx, Query{AllTenants: true, Term: term})
}

// countRecords counts the records that q selects, page by page if the store cannot count.
func (s *Service) countRecords(ctx context.Context, q Query) (n int64, err error) {
	q.Limit = MaxPage
	n, err = s.store.Count(ctx, q)
	if !errors.Is(err, ErrUnsupported) {
		return n, err
	}
	return paging.Count(s.records(ctx, q))
}

// records returns all records that q selects, page by page. It ends at the first error.
func (s *Service) records(ctx context.Context, q Query) iter.Seq2[*Record, error] {
	return paging.All(q.After, func(after string) ([]*Record, string, error) {
		q := q
		q.After = after
		page, err := s.store.List(ctx, q)
		return page.Records, page.Next, err
	})
}

// keyCheck returns a check of the keys on the records of the store.
func (s *Service) keyCheck() keycheck.Check {
	return keycheck.Check{
		Keys: crypto.Uncached(s.keys), Count: s.countTerm,
		Records: func(
			ctx context.Context, term string, page int, reverse bool,
		) iter.Seq2[keycheck.Record, error] {
			q := Query{AllTenants: true, Term: term, Limit: cmp.Or(page, MaxPage), Reverse: reverse}
			return paging.Map(s.records(ctx, q), keyOf)
		},
	}
}

// keyOf says which key a record needs.
func keyOf(r *Record) keycheck.Record {
	listed := record.TermValue(r.Index, record.TermKey)
	body, _, err := decodeBody(r.Body)
	if err != nil {
		return keycheck.Record{Binding: bindingOf(r.Key), Listed: listed, Err: err}
	}
	return keycheck.Record{Binding: bindingOf(r.Key), Listed: listed, Wrapped: body.Key}
}
