// Package outcome seals and opens the answers to requests with idempotency keys.
//
// An outcome can live longer than its record, so it is not sealed under the data key of the record.
// Instead, each process makes an outcome key, wraps it, and puts the wrapped key into each outcome.
// So processes share no outcome key, and nobody has to rotate outcome keys. Only the content of the
// answer is sealed under the data key too; see [AnswerPlace].
package outcome

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
)

// Key is the key of this process for sealing outcomes. It is made when first needed. The zero value
// is ready to use. A Key is safe for concurrent use.
type Key struct {
	mu      sync.Mutex
	key     *crypto.DataKey // its number is the day on which it was made
	wrapped crypto.Wrapped
}

// Fingerprint returns a keyed hash that identifies a request. It reveals nothing without k.
type Fingerprint func(k *crypto.DataKey) ([sha256.Size]byte, error)

// Seal sets the fingerprint of the answer a, and returns the stored form of its outcome. The place
// is that of [Place]. If there is no key of today yet, keys wraps a new one. The errors are those
// of the key and of print.
func (o *Key) Seal(
	ctx context.Context, keys crypto.KeyWrapper, now time.Time,
	place crypto.Place, a *record.Answer, print Fingerprint,
) ([]byte, error) {
	k, wrapped, err := o.get(ctx, keys, now)
	if err != nil {
		return nil, err
	}
	sum, err := print(k)
	if err != nil {
		return nil, err
	}
	a.Fingerprint = sum[:]
	sealed, err := k.SealBinary(nil, place, a.Append(nil))
	if err != nil {
		return nil, err
	}
	return (&record.Outcome{Key: wrapped, Sealed: sealed}).Append(nil), nil
}

// Open opens the stored form of an outcome. It reports whether its answer is to the request with
// the fingerprint. Another process can have sealed it. The error matches [crypto.ErrSealed] if the
// outcome was not sealed for the place. Other errors are those of keys and print.
func (o *Key) Open(
	ctx context.Context, keys crypto.KeyWrapper,
	place crypto.Place, stored []byte, print Fingerprint,
) (a *record.Answer, same bool, err error) {
	decoded, err := record.DecodeOutcome(stored)
	if err != nil {
		return nil, false, err
	}
	k, done, err := o.unwrap(ctx, keys, decoded.Key)
	if err != nil {
		return nil, false, err
	}
	defer done()
	plain, err := k.OpenBinary(nil, place, decoded.Sealed)
	if err != nil {
		return nil, false, err
	}
	if a, err = record.DecodeAnswer(plain); err != nil {
		return nil, false, err
	}
	sum, err := print(k)
	if err != nil {
		return nil, false, err
	}
	return a, subtle.ConstantTimeCompare(sum[:], a.Fingerprint) == 1, nil
}

// get returns the key of today and its wrapped form. A new key each day limits how many outcomes
// one key seals. Callers do not wait for each other: if the key service hangs for one of them, the
// others go on.
func (o *Key) get(
	ctx context.Context, keys crypto.KeyWrapper, now time.Time,
) (*crypto.DataKey, crypto.Wrapped, error) {
	day := uint32(now.Unix()/86400) + 1
	if k, w := o.current(); k.Number() == day {
		return k, w, nil
	}
	k, err := crypto.NewDataKey(day, keys.Suite())
	if err != nil {
		return nil, crypto.Wrapped{}, err
	}
	w, err := keys.Wrap(ctx, k, binding)
	if err != nil {
		k.Destroy()
		return nil, crypto.Wrapped{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.key.Number() == day { // another caller was faster
		k.Destroy()
		return o.key, o.wrapped, nil
	}
	o.key, o.wrapped = k, w
	return k, w, nil
}

func (o *Key) current() (*crypto.DataKey, crypto.Wrapped) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key, o.wrapped
}

// binding is the binding of an outcome key. No record has an empty ID, so the wrapped key of a
// record does not open as an outcome key, and an outcome key does not open as the key of a record.
var binding = crypto.Binding{}

// unwrap returns the outcome key in w. Another process can have made that key. The caller has to
// call done after use.
func (o *Key) unwrap(
	ctx context.Context, keys crypto.KeyWrapper, w crypto.Wrapped,
) (k *crypto.DataKey, done func(), err error) {
	own, wrapped := o.current()
	if own != nil && w.KeyID == wrapped.KeyID && bytes.Equal(w.Bytes, wrapped.Bytes) {
		return own, func() {}, nil
	}
	k, err = keys.Unwrap(ctx, w, binding)
	return k, k.Destroy, err
}

// Digest returns the name under which a store keeps the outcome of an idempotency key. The name
// depends on the actor and its user, so that nobody can probe the idempotency keys of somebody
// else.
func Digest(actorKind, actorID, userID, key string) [sha256.Size]byte {
	parts := []string{"idem2", actorKind, actorID, userID, key}
	return sha256.Sum256(fmt.Appendf(nil, "%q", parts))
}

// Place returns the place that an outcome is sealed for.
func Place(tenant string, digest [sha256.Size]byte, until time.Time) crypto.Place {
	micros := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMicro()))
	return crypto.Place{
		Tenant: tenant, Kind: "outcome", Pointer: string(digest[:]), Extra: string(micros),
	}
}

// AnswerPlace returns the place that a part of an answer is sealed for, under the data key of its
// record. The kind is "answer" for the manifest and "code" for the invitation code.
func AnswerPlace(kind string, of crypto.Binding, digest [sha256.Size]byte) crypto.Place {
	return crypto.Place{
		Tenant: of.Tenant, Record: of.Record, Kind: kind, Pointer: string(digest[:]),
	}
}

// CreatedAgain drops ErrSealed for a part of an answer that [Key.Open] returned. The answer is
// genuine, so the record was created again since, with another key of the same number.
func CreatedAgain(err error) error {
	if errors.Is(err, crypto.ErrSealed) {
		return nil
	}
	return err
}
