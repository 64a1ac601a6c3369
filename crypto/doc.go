// Package crypto protects the secrets of installations. It seals values, wraps the keys that
// seal them, and has the type [Secret], which prints as "***". It knows nothing about
// installations; package installation uses it. Most programs need only a keyring:
//
//	ring, err := crypto.KeyringFromFile("/etc/host/keyring")
//
// An operator makes the keyring once, with [GenerateKey] and [Key.Reveal].
//
// # Keys
//
// There are two layers of keys. Each installation has its own random [DataKey], which seals the
// values of the installation. Stores keep data keys wrapped: encrypted under a key-encryption key.
// A [KeyWrapper] has the key-encryption keys: a [Keyring] in memory, or a key service. To rotate a
// key-encryption key, rewrap the data keys; the values stay as they are. To make all values of an
// installation unreadable, destroy its one wrapped data key. A backup of the wrapped key brings
// the values back.
//
// [NewKMS] makes a [KeyWrapper] of a key service. [NewCache] avoids most calls to the key service.
// [NewKeySet] adds the older keys, so that data keys wrapped under them still open:
//
//	kms, err := crypto.NewKMS("kms1", client, nil)
//	cache, err := crypto.NewCache(kms, nil)
//	keys, err := crypto.NewKeySet(cache, ring)
//
// # What sealing promises
//
// A sealed value opens only under its data key and at its [Place]. All of the value is
// authenticated: a value that was changed, cut or moved fails with [ErrSealed], which does not tell
// why. A sealed value reveals the number of its key, and the length of its content in steps of 64
// bytes. Sealing a value twice gives two unrelated results. Sealing does not notice if a whole set
// of values is put back to an earlier state.
//
// # Formats
//
// This is format version 2. Integers are big-endian. PAE(p1..pn) is n as u32, then for each
// part its length as u32 and its bytes.
//
//	data key       64 random bytes, with a suite (which cipher) and a u32 number that starts at 1
//	  bytes 0-31   key of the suite's cipher
//	  bytes 32-63  key of the fingerprints
//
//	sealed value   version 2 | suite | number u32 | nonce | ciphertext | tag 16
//	  suite 1      XChaCha20-Poly1305, nonce 24
//	  suite 2      AES-256-GCM, nonce 12
//	  plaintext    JSON text padded with spaces; or u32 length, content, padding of zeros.
//	               The size is a multiple of 64, at least 64. The sealer may pad more than
//	               needed.
//	  key          bytes 0-31 of the data key
//	  AAD          PAE("isv2", first 6 bytes, tenant, record, kind, pointer, extra), without
//	               extra if it is empty
//
//	fingerprint    HMAC-SHA256(bytes 32-63 of the data key, PAE(parts))
//
//	key-encryption key  KEK, 32 bytes; it encrypts nothing itself
//	  wrapping key      HKDF-Expand-SHA256(KEK, "isk2/wrap/" | wrap suite as one byte, 32)
//	  check value       HKDF-Expand-SHA256(KEK, "isk2/kcv", 32)
//
//	wrapped key    version 2 | wrap suite | suite | number u32 | check value 32 | nonce |
//	               encrypted data key 64 | tag 16
//	  key          the wrapping key for the wrap suite; nonces as in a sealed value
//	  AAD          PAE("isk2", first 7 bytes, key ID, tenant, record)
//
//	KMS blob       version 2 | 128 | suite | number u32 | length u16 | blob
//	  plaintext    the 64 bytes of the data key. The AAD is built as for a wrapped key.
//
// A wrapped key names two suites. The suite is the cipher of the data key. The wrap suite is the
// cipher that encrypted the data key. The check value identifies the key-encryption key. Two keys
// with the same check value cannot be found in practice. Unwrap compares the check value before the
// cipher runs, so a wrong key under the right ID fails with a [WrongKeyError]. All data keys that
// one key-encryption key wrapped carry the same check value.
//
// Keys are derived only when a keyring is made. With suite 2, one key-encryption key must not
// wrap more than 2^32 data keys.
//
// # Moving to FIPS 140
//
// A process with GODEBUG=fips140=only opens nothing of suite 1. Before the first such process
// starts, take these steps in a process without the restriction:
//
//  1. Use [Keyring.WithSuite] with [SuiteAES256GCM], or that suite in [KMSOptions].
//  2. Give each installation a new data key and seal its values again. Rewrapping is not
//     enough, because a data key keeps its suite.
//  3. Wait until everything else of suite 1 has expired, for example idempotency outcomes.
//
// # Compatibility
//
// Every later release opens what a release has sealed. A new format gets a new version number.
// A release that does not know the version fails with a [VersionError]. Data that does not open
// is never taken for plain text.
//
// # Memory
//
// Keys and plaintexts are in slices, and this package clears the slices that it owns. It
// cannot clear strings of the caller, the state inside ciphers, or copies that the Go runtime
// made. Turn core dumps off and keep heap profiles private.
package crypto
