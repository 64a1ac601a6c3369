package record

import (
	"crypto/sha256"

	"github.com/go-installation/installation/crypto"
)

// Outcome is the stored outcome of an idempotent request: an [Answer], sealed under an outcome key,
// and the wrapped outcome key. A decoded Outcome shares memory with the input, see [DecodeOutcome].
type Outcome struct {
	Sealed []byte
	Key    crypto.Wrapped // wrapped outcome key
}

// Append appends the stored form of o to dst.
func (o *Outcome) Append(dst []byte) []byte {
	return Append(append(dst, Version), o, outcomeFields)
}

// DecodeOutcome decodes the stored form of an outcome. Byte slices of the result share the memory
// of raw. The error is [crypto.ErrSealed], or a [*crypto.VersionError] for an unknown version.
func DecodeOutcome(raw []byte) (*Outcome, error) {
	return DecodeStored(raw, "outcome", outcomeFields)
}

func outcomeFields(c *Coder, o *Outcome) {
	Bytes(c, 1, &o.Sealed)
	String(c, 2, &o.Key.KeyID)
	Bytes(c, 3, &o.Key.Bytes)
	c.Require(len(o.Sealed) > 0 && o.Key.KeyID != "" && len(o.Key.Bytes) > 0)
}

// Answer is the sealed part of an outcome. It has the answer to the first request with an
// idempotency key, and the fingerprint of that request. A later request with the same key is a
// repetition only if it has the same fingerprint.
type Answer struct {
	// Content is the manifest, sealed under the data key of the record. It is not kept if it was
	// too large, or if the request changed nothing.
	Content     []byte
	Code        []byte // invitation code, sealed like Content; nil = the answer has no code
	Fingerprint []byte // of the request, 32 bytes; it covers the method and the requested ID
	ID          string // of the installation
	Generation  int64
	Revision    int64
	Verdict     Verdict
	DataKey     uint32 // number of the data key that sealed Content and Code
	Epoch       int64  // of the namespace when the request was made
}

// Verdict is the effect that a request had.
type Verdict uint8

// Verdicts.
const (
	Unchanged Verdict = iota + 1
	Changed
	Created
	Removed
)

// Append appends the encoding of a to dst.
func (a *Answer) Append(dst []byte) []byte { return Append(dst, a, answerFields) }

// DecodeAnswer decodes an opened answer. Byte slices of the result share the memory of b. The error
// is [crypto.ErrSealed].
func DecodeAnswer(b []byte) (*Answer, error) { return decodeNew(b, answerFields) }

func answerFields(c *Coder, a *Answer) {
	Bytes(c, 1, &a.Content)
	Bytes(c, 2, &a.Code)
	Bytes(c, 3, &a.Fingerprint)
	String(c, 4, &a.ID)
	Int(c, 5, &a.Generation)
	Int(c, 6, &a.Revision)
	Int(c, 7, &a.Verdict)
	Int(c, 8, &a.DataKey)
	Int(c, 9, &a.Epoch)
	c.Require(len(a.Fingerprint) == sha256.Size && a.ID != "")
	c.Require(Unchanged <= a.Verdict && a.Verdict <= Removed)
}
