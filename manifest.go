package installation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-installation/installation/crypto"
)

// manifest is the sealed content of a record: everything but the secrets, and a table of where these are. Being sealed as one, it
// shows the removal of a secret, the rollback of one field and an edited plain value alike.
type manifest struct {
	inst     *Installation // masked
	life     lifecycle     // at which it was sealed
	table    []tableEntry  // sorted by Ref
	rule     string        // id of the sensitivity rule the documents were masked by
	claims   []string
	codeHash []byte // of the invitation code, nil once dead
	redeemer string // account that accepted with it
}

// tableEntry names one secret and the tag of its sealed value.
type tableEntry struct {
	ref Ref
	tag string
}

type manifestV1 struct {
	ID            string           `cbor:"1,keyasint"`
	Revision      int64            `cbor:"3,keyasint"` // at which it was sealed
	Life          lifecycleV1      `cbor:"4,keyasint"` // at which it was sealed
	Name          string           `cbor:"5,keyasint,omitempty"`
	Extension     extensionV1      `cbor:"6,keyasint,omitzero"`
	Account       accountV1        `cbor:"7,keyasint,omitzero"`
	Health        Health           `cbor:"8,keyasint,omitempty"`
	Consent       consentV1        `cbor:"9,keyasint"`
	Configuration *configurationV1 `cbor:"10,keyasint,omitempty"`
	Connection    *connectionV1    `cbor:"11,keyasint,omitempty"`
	BillingPlan   *billingPlanV1   `cbor:"12,keyasint,omitempty"`
	Notification  *notificationV1  `cbor:"13,keyasint,omitempty"`
	Invitation    *invitationV1    `cbor:"14,keyasint,omitempty"`
	Created       auditEntryV1     `cbor:"15,keyasint,omitzero"` // zero = none, as each entry has a time
	Updated       auditEntryV1     `cbor:"16,keyasint,omitzero"`
	Invited       auditEntryV1     `cbor:"17,keyasint,omitzero"`
	Installed     auditEntryV1     `cbor:"18,keyasint,omitzero"`
	Extra         []byte           `cbor:"20,keyasint,omitempty"` // masked JSON text
	Table         cbor.ByteString  `cbor:"21,keyasint,omitempty"`
	Rule          string           `cbor:"22,keyasint,omitempty"`
	Claims        []string         `cbor:"23,keyasint,omitempty"`
	CodeHash      []byte           `cbor:"24,keyasint,omitempty"`
	Redeemer      string           `cbor:"25,keyasint,omitempty"`
}

type invitationV1 struct {
	Message    string `cbor:"1,keyasint,omitempty"`
	ExternalID string `cbor:"2,keyasint,omitempty"`
	Recipient  string `cbor:"3,keyasint,omitempty"`
	Validity   Period `cbor:"4,keyasint,omitempty"`
	Expires    stamp  `cbor:"5,keyasint,omitempty"`
}

// kindManifest is the kind that a manifest is sealed as.
const kindManifest = "manifest"

func (m *manifest) encode() []byte {
	i := m.inst
	w := manifestV1{
		ID: i.ID, Revision: i.Revision, Life: m.life.wire(), Name: i.Name, Extension: extensionV1(i.Extension),
		Account: accountToV1(i.Account), Health: i.Health, Consent: consentToV1(i.Consent),
		Configuration: configurationToV1(i.Configuration), Connection: connectionToV1(i.Connection),
		BillingPlan: billingPlanToV1(i.BillingPlan), Notification: (*notificationV1)(i.Notification),
		Created: auditEntryToV1(i.Audit.Created), Updated: auditEntryToV1(i.Audit.Updated),
		Invited: auditEntryToV1(i.Audit.Invited), Installed: auditEntryToV1(i.Audit.Installed),
		Extra: i.Extra.masked, Table: encodeTable(m.table), Rule: m.rule, Claims: m.claims, CodeHash: m.codeHash, Redeemer: m.redeemer,
	}
	if v := i.Invitation; v != nil {
		w.Invitation = &invitationV1{v.Message, v.ExternalID, v.Recipient, v.Validity, stampOf(v.Expires)}
	}
	return encode(w)
}

// decodeManifest reads what encode wrote; the installation is fresh and shares nothing with b. Revision is the one it was sealed at; what
// follows from the lifecycle is for adopt to add.
func decodeManifest(b []byte) (*manifest, error) {
	w := wires.Get().(*manifestV1)
	defer func() {
		*w = manifestV1{}
		wires.Put(w)
	}()
	if err := decode(b, w); err != nil {
		return nil, err
	}
	i := &Installation{
		ID: w.ID, Revision: w.Revision, Name: w.Name, Extension: Extension(w.Extension),
		Account: w.Account.domain(), Health: w.Health, Consent: w.Consent.domain(),
		Configuration: w.Configuration.domain(), Connection: w.Connection.domain(), BillingPlan: w.BillingPlan.domain(),
		Notification: (*Notification)(w.Notification), Extra: maskedDocument(w.Extra),
	}
	i.Audit = Audit{Created: w.Created.domain(), Updated: w.Updated.domain(), Invited: w.Invited.domain(), Installed: w.Installed.domain()}
	if v := w.Invitation; v != nil {
		i.Invitation = &Invitation{Message: v.Message, ExternalID: v.ExternalID, Recipient: v.Recipient, Validity: v.Validity, Expires: v.Expires.time()}
	}
	m := &manifest{inst: i, life: w.Life.domain(), rule: w.Rule, claims: w.Claims, codeHash: w.CodeHash, redeemer: w.Redeemer}
	var ok bool
	if m.table, ok = decodeTable(string(w.Table)); !ok {
		return nil, ErrSealed
	}
	i.Sealed = convert(m.table, func(e tableEntry) Ref { return e.ref })
	return m, nil
}

// wires are for decoding into: what is read from one is in use no longer than that takes.
var wires = sync.Pool{New: func() any { return new(manifestV1) }}

// encodeTable writes a table as one string of kinds, pointers and tags in turn, each with its length before it. It is read with every
// record, and as a list of lists would take most of the time that a manifest does.
func encodeTable(table []tableEntry) cbor.ByteString {
	var b []byte
	for _, e := range table {
		for _, part := range []string{string(e.ref.Kind), e.ref.Pointer, e.tag} {
			b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
		}
	}
	return cbor.ByteString(b)
}

// decodeTable reads what encodeTable wrote.
func decodeTable(s string) (table []tableEntry, ok bool) {
	if s != "" {
		table = make([]tableEntry, 0, 1+len(s)/32) // about what an entry takes
	}
	for s != "" {
		var parts [3]string
		for i := range parts {
			n, width := binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen32)]))
			if width <= 0 || n > uint64(len(s)-width) {
				return nil, false
			}
			parts[i], s = s[width:width+int(n)], s[width+int(n):]
		}
		table = append(table, tableEntry{Ref{RefKind(parts[0]), parts[1]}, parts[2]})
	}
	return table, true
}

// tableOf lists the secrets of a body.
func tableOf(values []sealedValue) []tableEntry {
	return convert(values, func(v sealedValue) tableEntry { return tableEntry{v.ref, string(crypto.Tag(v.sealed))} })
}

// openAlone opens a manifest and looks at nothing beside it.
func openAlone(id string, sealed []byte, key *crypto.DataKey) (*manifest, error) {
	buffer := plaintexts.Get().(*[]byte)
	plain, err := key.OpenBinary((*buffer)[:0], crypto.Place{Record: id, Kind: kindManifest}, sealed)
	if err != nil {
		plaintexts.Put(buffer)
		return nil, err
	}
	m, err := decodeManifest(plain)
	clear(plain)
	if *buffer = plain; cap(plain) <= maxPlaintext {
		plaintexts.Put(buffer)
	}
	return m, err
}

// plaintexts are buffers for opened manifests, which live no longer than it takes to decode them.
var plaintexts = sync.Pool{New: func() any { return new([]byte) }}

// maxPlaintext is the largest buffer that is kept for the next manifest, in bytes.
const maxPlaintext = 16 << 10

// openManifest opens the manifest of a stored record and checks that all the store holds of it adds up: nothing that can be edited in
// the store, but for putting back a whole older record, goes unseen.
func openManifest(r *Record, f *form, key *crypto.DataKey) (*manifest, error) {
	m, err := openAlone(r.Key.ID, f.manifest, key)
	if err != nil {
		return nil, err
	}
	i := m.inst
	sealedRevision := i.Revision
	m.adopt(r.Key, f.life, r.Revision)
	sameTable := slices.EqualFunc(m.table, f.values, func(e tableEntry, v sealedValue) bool {
		return e.ref == v.ref && e.tag == string(crypto.Tag(v.sealed))
	})
	moved := m.life.status != f.life.status // by someone without the key, which takes a revision and gives up the claims
	claims := m.claims
	if moved {
		claims = nil
	}
	switch {
	case i.ID != r.Key.ID,
		i.Generation != r.Generation,
		!f.life.follows(m.life),
		moved && sealedRevision >= r.Revision, !moved && sealedRevision != r.Revision,
		i.Audit.Created == nil, !i.Audit.Created.At.Equal(r.Created),
		!sameTable,
		!slices.Equal(claims, r.Claims),
		!indexedAs(r.Index, i, f.key.KeyID),
		!deadline(f.life, i.Invitation).Equal(r.Deadline):
		return nil, ErrSealed
	}
	return m, nil
}

// adopt puts into the installation what is kept outside the manifest.
func (m *manifest) adopt(key Key, life lifecycle, revision int64) {
	i := m.inst
	i.Tenant, i.Revision, i.Generation, i.Status, i.Purged = key.Tenant, revision, life.generation, life.status, life.purged
	i.Audit.Expired, i.Audit.Uninstalled = life.expired.clone(), life.uninstalled.clone()
	if i.Invitation != nil {
		i.Invitation.Status = i.Status
	}
}

// Body is the sealed content of a [Record]. It cannot be changed once made, so stores and callers may share it freely. The
// zero value is the empty body of a tombstone.
type Body struct {
	raw  []byte // encoded; nil if only form is there
	form *form  // decoded; nil if only raw is there
}

// BodyFromBytes returns the body that a store kept as b. It copies b and never fails: whether b can be read is for the
// service to find out.
func BodyFromBytes[T ~string | ~[]byte](b T) Body { return Body{raw: append([]byte(nil), b...)} }

// Bytes returns the encoded form for a store to keep. The slice is the caller's.
func (b Body) Bytes() []byte {
	if b.raw == nil && b.form != nil {
		return b.form.encode()
	}
	return bytes.Clone(b.raw)
}

// IsZero reports whether b is empty.
func (b Body) IsZero() bool { return len(b.raw) == 0 && b.form == nil }

// open returns the decoded form, which is shared and must not be changed.
func (b Body) open() (*form, error) {
	if b.form != nil {
		return b.form, nil
	}
	return decodeForm(b.raw)
}

// form is a body in parts: what can be read and written without a key, and what is sealed.
type form struct {
	life     lifecycle
	key      crypto.Wrapped // the data key; empty once shredded
	manifest []byte         // sealed; nil if it was dropped without a key
	values   []sealedValue  // sorted by Ref
}

// shredded is the error for a body without a manifest: it is one that was purged without a key, or one that something was taken from.
func (f *form) shredded() error {
	if f.life.purged && f.key.KeyID == "" && len(f.key.Bytes) == 0 && len(f.values) == 0 {
		return ErrShredded
	}
	return ErrSealed
}

// lifecycle is the part of a body that can be written without a key. It is believed only where it is the sealed state or one that
// follows from it; see follows.
type lifecycle struct {
	status      Status
	generation  int64
	expired     *AuditEntry
	uninstalled *AuditEntry
	purgeAt     time.Time // when the grace of an uninstalled one ends
	purged      bool
}

// follows reports whether life may stand beside a manifest that was sealed with another: the same, or moved on by someone without the key.
func (life lifecycle) follows(sealed lifecycle) bool {
	switch {
	case life.status == sealed.status:
		return life.generation == sealed.generation && life.purged == sealed.purged && life.purgeAt.Equal(sealed.purgeAt) &&
			life.expired.equal(sealed.expired) && life.uninstalled.equal(sealed.uninstalled)
	case life.generation != sealed.generation, life.purged:
		return false
	case sealed.status == StatusInvited:
		return life.status == StatusExpired || life.status == StatusUninstalled
	default:
		return sealed.status == StatusInstalled && life.status == StatusUninstalled
	}
}

// sealedValue is one secret as it is stored.
type sealedValue struct {
	ref    Ref
	sealed []byte
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Pointer, b.Pointer))
}

// bodyVersion is the first byte of an encoded body.
const bodyVersion = 1

// Bounds of a body, in bytes. What is written is bounded closer than what is read, so that all that was written can be read.
const (
	maxBody    = 8 << 20
	maxWritten = 4 << 20
)

// size is about how long the encoded form is.
func (f *form) size() int {
	n := len(f.manifest) + len(f.key.Bytes)
	for _, v := range f.values {
		n += len(v.ref.Pointer) + len(v.sealed) + 32
	}
	return n
}

type bodyV1 struct {
	Life     lifecycleV1 `cbor:"1,keyasint"`
	KeyID    string      `cbor:"2,keyasint,omitempty"`
	Key      []byte      `cbor:"3,keyasint,omitempty"`
	Manifest []byte      `cbor:"4,keyasint,omitempty"`
	Values   []valueV1   `cbor:"5,keyasint,omitempty"`
}

type lifecycleV1 struct {
	Status      Status       `cbor:"1,keyasint"`
	Generation  int64        `cbor:"2,keyasint"`
	Expired     auditEntryV1 `cbor:"3,keyasint,omitzero"`
	Uninstalled auditEntryV1 `cbor:"4,keyasint,omitzero"`
	PurgeAt     stamp        `cbor:"5,keyasint,omitempty"`
	Purged      bool         `cbor:"6,keyasint,omitempty"`
}

type valueV1 struct {
	_       struct{} `cbor:",toarray"`
	Kind    RefKind
	Pointer string
	Sealed  []byte
}

func (life lifecycle) wire() lifecycleV1 {
	return lifecycleV1{life.status, life.generation, auditEntryToV1(life.expired), auditEntryToV1(life.uninstalled), stampOf(life.purgeAt), life.purged}
}

func (w lifecycleV1) domain() lifecycle {
	return lifecycle{w.Status, w.Generation, w.Expired.domain(), w.Uninstalled.domain(), w.PurgeAt.time(), w.Purged}
}

func (f *form) encode() []byte {
	w := bodyV1{Life: f.life.wire(), KeyID: f.key.KeyID, Key: f.key.Bytes, Manifest: f.manifest}
	w.Values = convert(f.values, func(v sealedValue) valueV1 {
		return valueV1{Kind: v.ref.Kind, Pointer: v.ref.Pointer, Sealed: v.sealed}
	})
	return append([]byte{bodyVersion}, encode(w)...)
}

// decodeForm reads an encoded body. Its error is ErrSealed, by name where the version is not known.
func decodeForm(raw []byte) (*form, error) {
	if len(raw) == 0 || len(raw) > maxBody {
		return nil, ErrSealed
	}
	if raw[0] != bodyVersion {
		return nil, &crypto.VersionError{What: "record", Version: raw[0]}
	}
	var w bodyV1
	if err := decode(raw[1:], &w); err != nil {
		return nil, err
	}
	f := &form{life: w.Life.domain(), key: crypto.Wrapped{KeyID: w.KeyID, Bytes: w.Key}, manifest: w.Manifest}
	f.values = convert(w.Values, func(v valueV1) sealedValue { return sealedValue{Ref{v.Kind, v.Pointer}, v.Sealed} })
	sorted := slices.IsSortedFunc(f.values, func(a, b sealedValue) int { return compareRefs(a.ref, b.ref) })
	if !sorted || f.life.generation < 1 || f.life.status == "" {
		return nil, ErrSealed
	}
	return f, nil
}
