// Package gocloud lets a key of a cloud protect the data keys of installations: of AWS, Google Cloud, Azure or HashiCorp Vault, whichever
// gocloud.dev/secrets has a driver for. It is a module of its own, so that the library depends on none of them.
//
//	keeper, err := secrets.OpenKeeper(ctx, "awskms://alias/installations?region=eu-central-1")
//	key, err := crypto.NewKMS("aws1", gocloud.New(keeper), nil)
//	keys, err := crypto.NewCache(key, nil)
//	svc, err := installation.New(store, keys, nil)
//
// # What is bound
//
// The interface of gocloud.dev/secrets has no additional data, so what a wrapped key belongs to is encrypted with it:
//
//	plaintext   SHA-256(encryption context) 32 | data key 32
//
// and compared when it comes back. This leans on the service to authenticate what it encrypts, as those of AWS, Google Cloud and Vault do.
// Azure encrypts with RSA, for whoever has the public key: there a key cannot be moved either, but whoever can write to the store
// and has the public key can put in a whole record of their own making. Keep that key from everyone but the host.
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

// KMS is one key of a cloud's key service. Give it to [crypto.NewKMS].
type KMS struct {
	keeper *secrets.Keeper
}

var _ crypto.KMS = (*KMS)(nil)

// New returns the key that a keeper stands for. The keeper stays the caller's, who closes it after the last use.
func New(keeper *secrets.Keeper) *KMS { return &KMS{keeper: keeper} }

// keySize is the length of a data key.
const keySize = 32

// WrapKey implements [crypto.KMS].
func (k *KMS) WrapKey(ctx context.Context, key []byte, at crypto.EncryptionContext) ([]byte, error) {
	digest := sha256.Sum256(at.Bytes())
	plain := append(digest[:], key...)
	defer clear(plain)
	return k.keeper.Encrypt(ctx, plain)
}

// UnwrapKey implements [crypto.KMS]. What the service calls an invalid argument did not come from this key, or was changed since. The local
// driver, which is for tests, does not tell that from a failure.
func (k *KMS) UnwrapKey(ctx context.Context, blob []byte, at crypto.EncryptionContext) ([]byte, error) {
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
		return nil, fmt.Errorf("%w: %d bytes came back", crypto.ErrSealed, len(plain))
	}
	if subtle.ConstantTimeCompare(plain[:len(digest)], digest[:]) != 1 {
		return nil, crypto.ErrSealed
	}
	return bytes.Clone(plain[len(digest):]), nil
}
