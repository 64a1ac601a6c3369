// Package gocloud protects the data keys of installations with a key of a cloud: AWS, Google Cloud,
// Azure, HashiCorp Vault, or any other with a driver for gocloud.dev/secrets. The package is a
// module of its own, so that the library does not depend on gocloud.dev.
//
//	keeper, err := secrets.OpenKeeper(ctx, "awskms://alias/installations?region=eu-central-1")
//	key, err := crypto.NewKMS("aws1", gocloud.New(keeper), nil)
//	keys, err := crypto.NewCache(key, nil)
//	svc, err := installation.New(store, keys, nil)
//
// # Binding
//
// Package gocloud.dev/secrets cannot authenticate additional data. So WrapKey encrypts the data key
// together with a hash of its [crypto.EncryptionContext], which names the record that the key
// belongs to. UnwrapKey compares the hash:
//
//	plaintext   SHA-256(encryption context) 32 | data key 64
//
// This needs a key service that authenticates what it encrypts, as AWS, Google Cloud and Vault do.
// Azure encrypts with RSA, which anyone with the public key can do. With Azure, too, a wrapped key
// cannot be moved to another record. But someone who has the public key and can write to the store
// can insert a whole record of their own. Give the public key to nobody but the host.
package gocloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"

	"github.com/go-installation/installation/crypto"
)

// KMS is one key of a cloud's key service. Pass it to [crypto.NewKMS].
type KMS struct {
	keeper *secrets.Keeper
}

var _ crypto.KMS = (*KMS)(nil)

// New returns a KMS that wraps data keys with the key of keeper. The caller owns keeper and closes
// it after the last use.
func New(keeper *secrets.Keeper) *KMS { return &KMS{keeper: keeper} }

// keySize is the size of a data key, in bytes.
const keySize = 64

// WrapKey implements [crypto.KMS].
func (k *KMS) WrapKey(
	ctx context.Context, key []byte, at crypto.EncryptionContext,
) ([]byte, error) {
	digest := sha256.Sum256(at.Bytes())
	plain := append(digest[:], key...)
	defer clear(plain)
	return k.keeper.Encrypt(ctx, plain)
}

// UnwrapKey implements [crypto.KMS]. If the service reports an invalid argument, the error matches
// [crypto.ErrSealed]: blob is not from this key, or was changed. The driver localsecrets, which is
// for tests, reports such a blob like any other failure.
func (k *KMS) UnwrapKey(
	ctx context.Context, blob []byte, at crypto.EncryptionContext,
) ([]byte, error) {
	plain, err := k.keeper.Decrypt(ctx, blob)
	if gcerrors.Code(err) == gcerrors.InvalidArgument {
		return nil, errors.Join(crypto.ErrSealed, err)
	}
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	digest := sha256.Sum256(at.Bytes())
	if len(plain) != len(digest)+keySize {
		return nil, fmt.Errorf("%w: the service returned %d bytes", crypto.ErrSealed, len(plain))
	}
	if subtle.ConstantTimeCompare(plain[:len(digest)], digest[:]) != 1 {
		return nil, crypto.ErrSealed
	}
	return bytes.Clone(plain[len(digest):]), nil
}
