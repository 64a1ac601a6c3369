// Package crypto keeps the secrets of installations: it seals values, wraps the keys they are sealed with, and has the type
// [Secret], which does not print. It knows nothing of installations themselves; package installation uses it, and most
// programs need no more of it than a keyring:
//
//	ring, err := crypto.KeyringFromFile("/etc/host/keyring")
//
// made once, by an operator, with [GenerateKey] and [Key.Reveal].
//
// # Keys
//
// There are two layers. Each installation has a [DataKey] of its own, random, which seals its values. Data keys are stored
// wrapped, that is encrypted under a key-encryption key, which a [KeyWrapper] holds: a [Keyring] in memory, or a key service.
// Rotating a key-encryption key means wrapping data keys anew and touches no value; destroying the one wrapped data key of an
// installation makes all its values unreadable, as far as no backup holds the wrapped key.
//
// A key service takes part as a [KMS], which [NewKMS] makes a [KeyWrapper] of. [NewCache] spares it most of the calls, and
// [NewKeySet] joins it with the keys that were there before:
//
//	kms, err := crypto.NewKMS("kms1", client, nil)
//	cache, err := crypto.NewCache(kms, nil)
//	keys, err := crypto.NewKeySet(cache, ring)
//
// # What sealing promises
//
// A sealed value opens under its data key at its [Place] and nowhere else. Everything in it is authenticated: change, cut or
// move it and it is refused with [ErrSealed], which does not say why. It shows the generation of its key and the length of
// its content in steps of 64 bytes. Sealing the same value twice gives unrelated results. What sealing cannot show is that a
// whole set of values was put back to an earlier state.
//
// # Formats
//
// Format version 1. Numbers are big-endian; PAE(p1..pn) is n as 32 bits, then for each part its length as 32 bits and its
// bytes.
//
//	sealed value   version 1 | suite | generation u32 | nonce | ciphertext | tag 16
//	  suite 1      XChaCha20-Poly1305, nonce 24
//	  suite 2      AES-256-GCM, nonce 12
//	  plaintext    JSON text and spaces, or u32 length, bytes and zeros: a multiple of 64 bytes, at least 64;
//	               how much padding there is, is the sealer's choice
//	  key          HKDF-Expand-SHA256(data key, "isv1/enc", 32)
//	  AAD          PAE("isv1", first 6 bytes, record, kind, pointer)
//	  text         "isv1." base64url without padding
//
//	wrapped key    version 1 | suite | generation u32 | salt 24 | commitment 32 | encrypted data key
//	  derived      HKDF-SHA256(key-encryption key, salt, "isk1/wrap", 64) = key 32, commitment 32
//	  suite 1      ChaCha20-Poly1305 under that key, nonce of zeros: 32 | tag 16
//	  suite 2      AES-256-GCM under that key: nonce 12 | 32 | tag 16
//	  AAD          PAE("isk1", first 6 bytes, key id, tenant, record)
//	  suite 128    u16 length | what a key service made, in place of salt, commitment and encrypted data key
//	  text         "isk1." key id "." base64url without padding
//
//	fingerprint    HMAC-SHA256(HKDF-Expand-SHA256(data key, "isv1/fp", 32), PAE(parts))
//
// # Compatibility
//
// What a release has sealed, every later release opens. A new format gets a new version number, and releases that cannot read
// it refuse it by name, with a [VersionError]; there is no state in which something that does not open is taken for plain
// text.
//
// # Memory
//
// Keys and plaintexts are kept in slices and cleared where this package owns them. That is an effort, not a promise: the
// garbage collector, strings made by the caller and the states within ciphers are out of its reach. Keep core dumps off and
// heap profiles private.
package crypto
