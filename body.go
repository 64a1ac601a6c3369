package installation

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
)

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
