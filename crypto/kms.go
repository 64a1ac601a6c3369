package crypto

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// KMS is one key of a key service: a key-encryption key that never leaves the service. An
// adapter for a service implements KMS, and [NewKMS] makes a [KeyWrapper] of the adapter. The
// module kms/gocloud has an adapter for the large clouds.
//
// An implementation must meet these duties:
//
//   - Both methods are safe for concurrent use and return soon after their context ends.
//   - The service encrypts and authenticates 64 bytes of plain text.
//   - The service authenticates the encryption context together with the key it wraps.
//   - Arguments are neither kept nor changed.
//   - The library owns the returned slice, and clears it if it is a key. The implementation does
//     not keep the slice.
//
// Errors may say anything: their text goes only to KMSOptions.OnError.
type KMS interface {
	// WrapKey encrypts key, which has 64 secret bytes. It authenticates the encryption context
	// together with key. The result has 1 to 65,535 bytes.
	WrapKey(ctx context.Context, key []byte, at EncryptionContext) ([]byte, error)

	// UnwrapKey returns the key in blob. An error that matches [ErrSealed] means that blob does
	// not open with this key and this encryption context. A retry is then useless. Any other error
	// means that a retry may succeed.
	UnwrapKey(ctx context.Context, blob []byte, at EncryptionContext) ([]byte, error)
}

// EncryptionContext is what a key service authenticates with a wrapped key, so that the key
// opens nowhere else. Key services write it to their logs. It contains no secret.
type EncryptionContext struct {
	KeyID   string // of the key-encryption key, as this library knows it
	Suite   Suite  // of the data key
	Number  uint32 // of the data key
	Binding        // what the data key belongs to
}

// Bytes returns the context as one unambiguous string, for services that authenticate bytes. The
// string is part of the stored format. The package comment describes the string as the AAD of a
// wrapped key.
func (c EncryptionContext) Bytes() []byte {
	s := c.header().additional(c.KeyID, c.Binding)
	defer s.free()
	return bytes.Clone(s.buf)
}

// Map returns the context as named values, for services that authenticate a map. It leaves out
// an empty tenant and record.
func (c EncryptionContext) Map() map[string]string {
	m := map[string]string{
		"format": wrapContext,
		"key":    c.KeyID,
		"suite":  strconv.Itoa(int(c.Suite)),
		"number": strconv.FormatUint(uint64(c.Number), 10),
	}
	if c.Tenant != "" {
		m["tenant"] = c.Tenant
	}
	if c.Record != "" {
		m["record"] = c.Record
	}
	return m
}

func (c EncryptionContext) header() wrapHeader {
	return wrapHeader{wrapSuite: suiteKMS, suite: c.Suite, number: c.Number}
}

// KMSKey is a [KeyWrapper] with one key of a key service. It prints as the ID of the key.
type KMSKey struct {
	id   string
	opts KMSOptions
	// kms returns the service. Clients contain credentials, and code that prints by reflection
	// cannot look into a function.
	kms func() KMS
	// backoff is the time up to which calls fail at once; nil = no back-off.
	backoff atomic.Pointer[time.Time]
}

var _ KeyWrapper = (*KMSKey)(nil)

// KMSOptions configure a [KMSKey]. The zero value of each field is its default.
type KMSOptions struct {
	// Suite is the suite that new data keys should have. Default: SuiteXChaCha20Poly1305.
	Suite Suite
	// Timeout limits each call of the service. After a call that timed out, further calls fail
	// at once for as long as Timeout. So a loop over many installations does not wait for each of
	// them. The same happens if the context of a caller ends after the caller waited for at least
	// half of Timeout; the calls then fail for as long as the caller waited. Default: 5 seconds.
	Timeout time.Duration
	// OnError receives the errors of the service. Their text can quote anything, even the wrapped
	// key, so show the text to the operator only. Callers get an error without this text. Default:
	// no call.
	OnError func(keyID string, err error)
	// Now is the clock for Timeout. Default: time.Now.
	Now func() time.Time
}

// NewKMS returns a key wrapper for one key of a service. The ID is the library's name for the
// key, in the form that [NewKey] describes. It is stored with everything that the key wraps, so
// the ID must never name a different key. A nil *KMSOptions means all defaults. NewKMS calls
// nothing. The error matches [ErrKeyring], or [ErrSuite] if this process cannot use the suite.
func NewKMS(id string, kms KMS, opts *KMSOptions) (*KMSKey, error) {
	if err := checkKeyID(id); err != nil {
		return nil, err
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
	k.opts.Timeout = cmp.Or(k.opts.Timeout, 5*time.Second)
	if k.opts.Now == nil {
		k.opts.Now = time.Now
	}
	if k.opts.OnError == nil {
		k.opts.OnError = func(string, error) {}
	}
	var err error
	if k.opts.Suite, err = k.opts.Suite.usable(); err != nil {
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

// String returns the ID of the key.
func (k *KMSKey) String() string { return "key service " + k.id }

// Wrap implements [KeyWrapper]. The error matches [ErrKeyUnavailable] if the service failed,
// and [ErrKeyring] if the service did not return a wrapped key.
func (k *KMSKey) Wrap(ctx context.Context, key *DataKey, b Binding) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	data, err := key.Reveal()
	if err != nil {
		return Wrapped{}, err
	}
	defer clear(data)
	at := EncryptionContext{KeyID: k.id, Suite: key.Suite(), Number: key.Number(), Binding: b}
	blob, err := k.call(ctx, func(ctx context.Context) ([]byte, error) {
		return k.kms().WrapKey(ctx, data, at)
	})
	switch {
	case errors.Is(err, ErrSealed): // an answer that makes no sense here
		return Wrapped{}, &UnavailableError{KeyID: k.id}
	case err != nil:
		return Wrapped{}, err
	case len(blob) == 0, len(blob) > maxBlob,
		bytes.Contains(blob, data[:keySize]), bytes.Contains(blob, data[keySize:]):
		return Wrapped{}, fmt.Errorf("%w: key service %s did not encrypt", ErrKeyring, k.id)
	}
	out := binary.BigEndian.AppendUint16(at.header().append(nil), uint16(len(blob)))
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
	h, rest, err := parseWrapped(w.Bytes)
	if err != nil {
		return nil, err
	}
	if h.wrapSuite != suiteKMS {
		return nil, ErrSealed
	}
	data, err := k.call(ctx, func(ctx context.Context) ([]byte, error) {
		at := EncryptionContext{KeyID: k.id, Suite: h.suite, Number: h.number, Binding: b}
		return k.kms().UnwrapKey(ctx, rest[blobLengthSize:], at)
	})
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return DataKeyFromBytes(data, h.number, h.suite)
}

// call makes one call of the service. On failure it returns one of three errors: that of ctx,
// [ErrSealed] or an [UnavailableError].
func (k *KMSKey) call(
	ctx context.Context, do func(context.Context) ([]byte, error),
) ([]byte, error) {
	now := k.opts.Now()
	if k.backsOff(k.backoff.Load(), now) {
		return nil, &UnavailableError{KeyID: k.id}
	}
	timed, cancel := context.WithTimeout(ctx, k.opts.Timeout)
	defer cancel()
	b, err := do(timed)
	switch {
	case err == nil:
		return b, nil
	case ctx.Err() != nil:
		// If a service hangs, a caller with a shorter timeout than ours sees only its own
		// context end. Back off here too, so that the next callers do not wait in vain. A wait
		// of less than half of Timeout does not show that the service hangs.
		if waited := k.opts.Now().Sub(now); waited >= k.opts.Timeout/2 {
			k.backOff(min(waited, k.opts.Timeout)) // the clock may have been set
			k.opts.OnError(k.id, err)
		}
		return nil, ctx.Err()
	case timed.Err() != nil:
		k.backOff(k.opts.Timeout)
	}
	k.opts.OnError(k.id, err)
	if errors.Is(err, ErrSealed) {
		return nil, ErrSealed
	}
	return nil, &UnavailableError{KeyID: k.id}
}

// backsOff reports whether until is in the future. If until is more than Timeout ahead, the
// clock was set back after until was stored. Such a time is ignored.
func (k *KMSKey) backsOff(until *time.Time, now time.Time) bool {
	return until != nil && now.Before(*until) && until.Sub(now) <= k.opts.Timeout
}

// backOff stops calls for d, unless calls are already stopped for longer.
func (k *KMSKey) backOff(d time.Duration) {
	now := k.opts.Now()
	until := now.Add(d)
	for {
		old := k.backoff.Load()
		if k.backsOff(old, now) && old.After(until) || k.backoff.CompareAndSwap(old, &until) {
			return
		}
	}
}

// Parts of the stored form of a key that a service wrapped.
const (
	blobLengthSize = 2
	maxBlob        = 1<<16 - 1
)

// checkBlob validates the length in front of a blob.
func checkBlob(b []byte) error {
	if len(b) <= blobLengthSize || int(binary.BigEndian.Uint16(b)) != len(b)-blobLengthSize {
		return ErrSealed
	}
	return nil
}
