package crypto

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// KMS is one key of a key service: a key-encryption key that never leaves the service, which wraps and unwraps for those whom it lets. It is
// what an adapter for a service implements; [NewKMS] makes a [KeyWrapper] of it. Module kms/gocloud has one for the large clouds.
//
// Duties of an implementation: both methods may be called from many goroutines at once and return soon after their context ends;
// the encryption context is authenticated with the key; arguments are neither kept nor changed. What is returned belongs to the library,
// which clears a key after use: return a slice that nothing else holds on to. Errors may say anything: their text goes no further than
// KMSOptions.OnError.
type KMS interface {
	// WrapKey returns key, 32 secret bytes, encrypted for the context. The result has 1 to 65,535 bytes.
	WrapKey(ctx context.Context, key []byte, at EncryptionContext) ([]byte, error)

	// UnwrapKey returns the key in blob. The error matches [ErrSealed] if the service found that blob does not open under this
	// key for this context, and trying again is of no use; any other error is taken for a failure that may pass.
	UnwrapKey(ctx context.Context, blob []byte, at EncryptionContext) ([]byte, error)
}

// EncryptionContext is what a key service authenticates with a wrapped key, so that it opens nowhere else. Key services write it into
// their own logs; there is no secret in it.
type EncryptionContext struct {
	KeyID      string // of the key-encryption key, as this library knows it
	Generation uint32 // of the data key
	Binding           // what the data key belongs to
}

// Bytes returns the context as one unambiguous string, for services that take additional data as bytes. It is part of the stored
// format: the additional data of a wrapped key as the package comment has it.
func (c EncryptionContext) Bytes() []byte {
	return appendPAE(nil, wrapContext, string(serviceHeader(c.Generation)), c.KeyID, c.Tenant, c.Record)
}

// Map returns the context as named values, for services that take it so. What is empty is left out.
func (c EncryptionContext) Map() map[string]string {
	m := map[string]string{"format": wrapContext, "key": c.KeyID, "generation": strconv.FormatUint(uint64(c.Generation), 10)}
	if c.Tenant != "" {
		m["tenant"] = c.Tenant
	}
	if c.Record != "" {
		m["record"] = c.Record
	}
	return m
}

// KMSKey is a [KeyWrapper] with one key, which a key service keeps. It prints as its id.
type KMSKey struct {
	id   string
	opts KMSOptions
	// kms returns the service. It is behind a function because nothing that prints by reflection can look into one, and clients
	// hold credentials.
	kms func() KMS
	// rest is until when the service is left alone; nil = never.
	rest atomic.Pointer[time.Time]
}

var _ KeyWrapper = (*KMSKey)(nil)

// KMSOptions configure a [KMSKey]. The zero value of each field is its default.
type KMSOptions struct {
	// Suite is the one that data keys seal values with. Default: SuiteXChaCha20Poly1305.
	Suite Suite
	// Timeout bounds each call of the service. After a call that took so long, the service is left alone for as long again, and
	// what needs it fails at once: a loop over many installations must not wait for each of them. The same holds after a caller
	// whose context ended while it had waited for half of Timeout or more. Default: 5 seconds.
	Timeout time.Duration
	// OnError is told what the service answered when it failed. The text may quote anything, the wrapped key included, so it is for
	// the operator's eyes; the caller of the library gets an error without it. Default: nobody is told.
	OnError func(keyID string, err error)
	// Now is the clock for Timeout. Default: time.Now.
	Now func() time.Time
}

// NewKMS returns a key wrapper for one key of a service. The id is what this library knows the key by, of the form that [NewKey]
// describes; it is stored with everything the key wraps, so it stays with this key for good. A nil *KMSOptions is all
// defaults. The error matches [ErrKeyring], or [ErrSuite] if the suite cannot be used in this process. Nothing is called yet.
func NewKMS(id string, kms KMS, opts *KMSOptions) (*KMSKey, error) {
	if !validKeyID(id) {
		return nil, fmt.Errorf("%w: a key id is 1 to %d characters of A-Z a-z 0-9 - _", ErrKeyring, maxKeyID)
	}
	if isNil(kms) {
		return nil, fmt.Errorf("%w: key %s: no key service", ErrKeyring, id)
	}
	k := &KMSKey{id: id, kms: func() KMS { return kms }}
	if opts != nil {
		k.opts = *opts
	}
	if k.opts.Timeout < 0 {
		return nil, fmt.Errorf("%w: key %s: Timeout is negative", ErrKeyring, id)
	}
	if k.opts.Timeout == 0 {
		k.opts.Timeout = 5 * time.Second
	}
	if k.opts.Now == nil {
		k.opts.Now = time.Now
	}
	var err error
	if k.opts.Suite, err = k.opts.Suite.orDefault(); err != nil {
		return nil, err
	}
	return k, nil
}

// Primary implements [KeyWrapper].
func (k *KMSKey) Primary() string { return k.id }

// KeyIDs implements [KeyWrapper].
func (k *KMSKey) KeyIDs() []string { return []string{k.id} }

// Suite implements [KeyWrapper].
func (k *KMSKey) Suite() Suite { return k.opts.Suite }

// String returns the id of the key.
func (k *KMSKey) String() string { return "key service " + k.id }

// Wrap implements [KeyWrapper]. The error matches [ErrKeyUnavailable] if the service failed, [ErrKeyring] if what it returned is no
// wrapped key.
func (k *KMSKey) Wrap(ctx context.Context, key *DataKey, b Binding) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	data, err := key.Reveal()
	if err != nil {
		return Wrapped{}, err
	}
	defer clear(data)
	blob, err := k.call(ctx, func(ctx context.Context) ([]byte, error) {
		return k.kms().WrapKey(ctx, data, EncryptionContext{k.id, key.Generation(), b})
	})
	switch {
	case errors.Is(err, ErrSealed): // no answer to this question
		return Wrapped{}, &UnavailableError{KeyID: k.id}
	case err != nil:
		return Wrapped{}, err
	case len(blob) == 0, len(blob) > maxBlob, bytes.Contains(blob, data):
		return Wrapped{}, fmt.Errorf("%w: key service %s returned no wrapped key", ErrKeyring, k.id)
	}
	out := serviceHeader(key.Generation())
	out = binary.BigEndian.AppendUint16(out, uint16(len(blob)))
	return Wrapped{KeyID: k.id, Bytes: append(out, blob...)}, nil
}

// Unwrap implements [KeyWrapper].
func (k *KMSKey) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validKeyID(w.KeyID) {
		return nil, ErrSealed
	}
	if w.KeyID != k.id {
		return nil, &UnknownKeyError{KeyID: w.KeyID}
	}
	suite, err := checkWrapped(w.Bytes)
	if err != nil {
		return nil, err
	}
	if suite != suiteService {
		return nil, ErrSealed
	}
	generation := binary.BigEndian.Uint32(w.Bytes[2:])
	data, err := k.call(ctx, func(ctx context.Context) ([]byte, error) {
		return k.kms().UnwrapKey(ctx, w.Bytes[headerSize+blobLength:], EncryptionContext{k.id, generation, b})
	})
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return DataKeyFromBytes(data, generation, k.opts.Suite)
}

// call makes one call of the service and translates its error: to that of the context, [ErrSealed] or [ErrKeyUnavailable].
func (k *KMSKey) call(ctx context.Context, do func(context.Context) ([]byte, error)) ([]byte, error) {
	if k.resting() {
		return nil, &UnavailableError{KeyID: k.id}
	}
	timed, cancel := context.WithTimeout(ctx, k.opts.Timeout)
	defer cancel()
	start := k.opts.Now()
	b, err := do(timed)
	switch {
	case err == nil:
		return b, nil
	case ctx.Err() != nil:
		// Else a service that hangs would cost every caller with a shorter limit all of their time, for ever. Who waits for less than
		// half says nothing of it.
		if waited := k.opts.Now().Sub(start); waited >= k.opts.Timeout/2 {
			k.leaveAlone(min(waited, k.opts.Timeout)) // a clock may have been set
			k.tell(err)
		}
		return nil, ctx.Err()
	case timed.Err() != nil:
		k.leaveAlone(k.opts.Timeout)
	}
	k.tell(err)
	if errors.Is(err, ErrSealed) {
		return nil, ErrSealed
	}
	return nil, &UnavailableError{KeyID: k.id}
}

// resting reports whether the service is left alone now.
func (k *KMSKey) resting() bool { return k.rests(k.rest.Load(), k.opts.Now()) }

// rests reports whether a time until which the service is left alone is still to come: never further off than the limit, though the clock
// was set back.
func (k *KMSKey) rests(until *time.Time, now time.Time) bool {
	return until != nil && now.Before(*until) && until.Sub(now) <= k.opts.Timeout
}

// tell hands an answer of the service to the operator.
func (k *KMSKey) tell(err error) {
	if k.opts.OnError != nil {
		k.opts.OnError(k.id, err)
	}
}

// leaveAlone keeps calls from the service for a while from now on.
func (k *KMSKey) leaveAlone(d time.Duration) {
	now := k.opts.Now()
	until := now.Add(d)
	for {
		old := k.rest.Load()
		if k.rests(old, now) && old.After(until) || k.rest.CompareAndSwap(old, &until) {
			return
		}
	}
}

// Parts of the stored form of what a key service wrapped.
const (
	blobLength = 2 // size of the length
	maxBlob    = 1<<16 - 1
)

// serviceHeader is what stands before the length.
func serviceHeader(generation uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{version, byte(suiteService)}, generation)
}

// checkBlob checks the form of what comes after the header.
func checkBlob(b []byte) error {
	if len(b) <= blobLength || int(binary.BigEndian.Uint16(b)) != len(b)-blobLength {
		return ErrSealed
	}
	return nil
}
