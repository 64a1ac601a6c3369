package installation

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
)

// Body is the sealed content of a [Record]. It cannot be changed once made, so stores and callers
// may share it freely. The zero value is the empty body of a tombstone.
type Body struct{ raw []byte }

// BodyFromBytes returns the body that a store kept as b. It copies b and never fails: the service
// finds out whether b can be read.
func BodyFromBytes[T ~string | ~[]byte](b T) Body { return Body{raw: append([]byte(nil), b...)} }

// Bytes returns the encoded form for a store to keep. The slice is the caller's.
func (b Body) Bytes() []byte { return bytes.Clone(b.raw) }

// IsZero reports whether b is empty.
func (b Body) IsZero() bool { return len(b.raw) == 0 }

// lifecycle is the plain part of a body, so that it can be written without a key. It is believed
// only if it equals the sealed state, or follows from it; see follows.
type lifecycle struct {
	status      Status
	generation  int64
	expired     *AuditEntry
	uninstalled *AuditEntry
	purgeAt     time.Time // end of the grace period of an uninstalled one
	purged      bool
	refresh     *refreshState
}

// follows reports whether l may stand in a record whose manifest was sealed with another lifecycle.
// It must be the same, or a move that someone without the key may make.
func (l lifecycle) follows(sealed lifecycle) bool {
	switch {
	case l.status == sealed.status:
		return l.generation == sealed.generation && l.purged == sealed.purged &&
			l.purgeAt.Equal(sealed.purgeAt) && l.expired.equal(sealed.expired) &&
			l.uninstalled.equal(sealed.uninstalled) && l.refresh.equal(sealed.refresh)
	case l.generation != sealed.generation, l.purged:
		return false
	case sealed.status == StatusInvited:
		return l.status == StatusExpired || l.status == StatusUninstalled
	default:
		return sealed.status == StatusInstalled && l.status == StatusUninstalled
	}
}

func (l lifecycle) encode() []byte { return record.Append(nil, &l, codeLifecycle) }

func decodeLifecycle(b []byte) (l lifecycle, err error) {
	if err = record.Decode(b, &l, codeLifecycle); err == nil && (l.generation < 1 || l.status == "") {
		err = ErrSealed
	}
	return l, err
}

// decodeBody decodes a body and its lifecycle.
func decodeBody(b Body) (*record.Body, lifecycle, error) {
	body, err := record.DecodeBody(b.raw)
	if err != nil {
		return nil, lifecycle{}, err
	}
	l, err := decodeLifecycle(body.Lifecycle)
	if err != nil {
		return nil, lifecycle{}, err
	}
	return body, l, nil
}

// manifest is an opened manifest: the installation in it, masked, and what else it vouches for.
type manifest struct {
	inst             *Installation
	life             lifecycle // at which it was sealed
	rule             string    // ID of the sensitivity rule that the documents were masked by
	claims           []string
	codeHash         []byte // of the invitation code, nil once dead
	redeemer         string // account that accepted with it
	table            []record.Entry
	credentialNumber int64
	indexVersion     int64
}

// manifestPlace is where the manifest of a record is sealed for.
func manifestPlace(key Key) crypto.Place {
	return crypto.Place{Tenant: key.Tenant, Record: key.ID, Kind: "manifest"}
}

// openManifest opens a sealed manifest. It does not compare it with the record. The result shares
// no memory with sealed.
func openManifest(k *crypto.DataKey, at crypto.Place, sealed []byte) (m *manifest, err error) {
	err = record.Use(k, at, sealed, func(r *record.Manifest) error {
		m, err = decodeManifest(r)
		return err
	})
	return m, err
}

func decodeManifest(r *record.Manifest) (*manifest, error) {
	life, err := decodeLifecycle(r.Lifecycle)
	if err != nil {
		return nil, err
	}
	i := new(Installation)
	if err := record.Decode(r.Content, i, codeContent); err != nil {
		return nil, err
	}
	i.ID, i.Revision = r.ID, r.Revision
	if len(r.Table) > 0 {
		i.Sealed = make([]Ref, len(r.Table))
	}
	for n, e := range r.Table {
		i.Sealed[n] = parseRef(e.Ref)
	}
	return &manifest{
		inst: i, life: life, rule: r.Rule, claims: r.Claims, codeHash: bytes.Clone(r.CodeHash),
		redeemer: r.Redeemer, table: r.Table, credentialNumber: r.CredentialNumber,
		indexVersion: r.IndexVersion,
	}, nil
}

// encode returns the manifest in its stored form.
func (m *manifest) encode() *record.Manifest {
	i := m.inst
	return &record.Manifest{
		ID: i.ID, Revision: i.Revision, Lifecycle: m.life.encode(),
		IndexVersion: record.IndexVersion, Rule: m.rule, Table: m.table, Claims: m.claims,
		CodeHash: m.codeHash, Redeemer: m.redeemer, CredentialNumber: m.credentialNumber,
		Content: record.Append(nil, i, codeContent),
	}
}

// verify opens the manifest of a stored record and checks that everything the store holds of the
// record agrees with it. So every edit in the store shows, except that a whole older record was put
// back.
func verify(r *Record, body *record.Body, life lifecycle, k *crypto.DataKey) (*manifest, error) {
	m, err := openManifest(k, manifestPlace(r.Key), body.Manifest)
	if err != nil {
		return nil, err
	}
	return m, m.verify(r, body, life)
}

func (m *manifest) verify(r *Record, body *record.Body, life lifecycle) error {
	if m.indexVersion != record.IndexVersion {
		return &crypto.VersionError{What: "index", Version: byte(m.indexVersion)}
	}
	i := m.inst
	sealedRevision := i.Revision
	m.adopt(r.Key, life, r.Revision)
	// Someone without the key moved it on. That takes a revision and gives up the claims.
	moved := m.life.status != life.status
	claims := m.claims
	if moved {
		claims = nil
	}
	switch {
	case i.ID != r.Key.ID,
		i.Generation != r.Generation,
		!life.follows(m.life),
		moved && sealedRevision >= r.Revision, !moved && sealedRevision != r.Revision,
		i.Audit.Created == nil, !i.Audit.Created.At.Equal(r.Created),
		!record.Matches(m.table, body.Values),
		!slices.Equal(claims, r.Claims),
		!termsOf(i, body.Key.KeyID).Match(m.indexVersion, r.Index),
		!deadline(life, i.Invitation).Equal(r.Deadline):
		return ErrSealed
	}
	return nil
}

// adopt puts into the installation what is kept outside the manifest.
func (m *manifest) adopt(key Key, life lifecycle, revision int64) {
	i := m.inst
	i.Tenant, i.Revision, i.Generation = key.Tenant, revision, life.generation
	i.Status, i.Purged = life.status, life.purged
	i.Audit.Expired, i.Audit.Uninstalled = life.expired.clone(), life.uninstalled.clone()
	if i.Invitation != nil {
		i.Invitation.Status = i.Status
	}
}

// termsOf returns what an installation is listed under. keyID is the key-encryption key of its data
// key.
func termsOf(i *Installation, keyID string) record.Terms {
	t := record.Terms{
		Extension: i.Extension.ID, Account: i.Account.ID, Owner: i.Extension.Owner,
		Phase: string(i.Status.phase()), KeyID: keyID,
	}
	if i.Connection != nil {
		t.Connection = i.Connection.ID
	}
	return t
}

// deadline returns when something is due for an installation in this stored state.
func deadline(life lifecycle, inv *Invitation) time.Time {
	switch {
	case life.status == StatusInvited && inv != nil:
		return inv.Expires
	case life.status == StatusUninstalled && !life.purged:
		return life.purgeAt
	default:
		return time.Time{}
	}
}

// parseRef reads a ref as it is stored: "config/api_key".
func parseRef(text string) Ref {
	if i := strings.IndexByte(text, '/'); i >= 0 {
		return Ref{RefKind(text[:i]), text[i:]}
	}
	return Ref{RefKind(text), ""}
}
