package installation

import (
	"bytes"
	"slices"
	"strings"
	"sync"
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
	err = record.Decode(b, &l, codeLifecycle)
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
	*record.Manifest
	inst *Installation
	life lifecycle // at which it was sealed
}

// manifestPlace is where the manifest of a record is sealed for.
func manifestPlace(key Key) crypto.Place {
	return crypto.Place{Tenant: key.Tenant, Record: key.ID, Kind: "manifest"}
}

// openManifest opens a sealed manifest. It does not compare it with the record. The result shares
// no memory with sealed.
func openManifest(k *crypto.DataKey, at crypto.Place, sealed []byte) (*manifest, error) {
	buffer := plaintexts.Get().(*[]byte)
	defer plaintexts.Put(buffer)
	plain, err := k.OpenBinary((*buffer)[:0], at, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	if cap(plain) <= maxPlaintext {
		*buffer = plain
	}
	return decodeManifest(plain)
}

// plaintexts are buffers for opened manifests.
var plaintexts = sync.Pool{New: func() any { return new([]byte) }}

// maxPlaintext is the size of the largest buffer that is kept for the next manifest.
const maxPlaintext = 16 << 10

func decodeManifest(plain []byte) (*manifest, error) {
	i := new(Installation)
	r, err := record.DecodeManifest(plain, func(c *record.Coder) { codeContent(c, i) })
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
		i.Sealed[n] = parseRef(e.Ref)
	}
	r.CodeHash = bytes.Clone(r.CodeHash) // the rest of plain is cleared
	return &manifest{Manifest: r, inst: i, life: life}, nil
}

// encode returns the manifest in its stored form.
func (m *manifest) encode() []byte {
	m.ID, m.Generation, m.Revision = m.inst.ID, m.life.generation, m.inst.Revision
	m.Lifecycle, m.IndexVersion = m.life.encode(), record.IndexVersion
	return m.Manifest.Append(nil, func(c *record.Coder) { codeContent(c, m.inst) })
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
	i := m.inst
	sealedRevision := i.Revision
	m.adopt(r.Key, life, r.Revision)
	// Someone without the key moved it on. That takes a revision and gives up the claims.
	moved := m.life.status != life.status
	claims := m.Claims
	if moved {
		claims = nil
	}
	switch {
	case i.ID != r.Key.ID,
		i.Generation != r.Generation,
		!life.follows(m.life),
		moved && sealedRevision >= r.Revision, !moved && sealedRevision != r.Revision,
		i.Audit.Created == nil, !i.Audit.Created.At.Equal(r.Created),
		!m.Lists(body.Values),
		!slices.Equal(claims, r.Claims),
		!deadline(life, i.Invitation).Equal(r.Deadline):
		return ErrSealed
	}
	return termsOf(i, body.Key.KeyID).Match(m.IndexVersion, r.Index)
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
