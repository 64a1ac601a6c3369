package record

import (
	"crypto/sha256"
	"slices"

	"github.com/go-installation/installation/crypto"
)

// Outcome is the stored form of an idempotency outcome: an [Answer], sealed under an
// outcome key, and that key. Its slices are not copied when it is decoded.
type Outcome struct {
	Sealed []byte
	Key    crypto.Wrapped // outcome key
}

// Append appends the stored form of o to dst.
func (o *Outcome) Append(dst []byte) []byte {
	return Append(append(dst, Version), o, outcomeFields)
}

// DecodeOutcome reads a stored outcome, which shares the memory of raw. The error is
// [crypto.ErrSealed], or a [*crypto.VersionError] for an unknown version.
func DecodeOutcome(raw []byte) (*Outcome, error) {
	message, err := CheckVersion(raw, "outcome")
	if err != nil {
		return nil, err
	}
	o := new(Outcome)
	if err := Decode(message, o, outcomeFields); err != nil {
		return nil, err
	}
	return o, nil
}

func outcomeFields(c *Coder, o *Outcome) {
	Bytes(c, 1, &o.Sealed)
	String(c, 2, &o.Key.KeyID)
	Bytes(c, 3, &o.Key.Bytes)
	c.Require(len(o.Sealed) > 0 && o.Key.KeyID != "" && len(o.Key.Bytes) > 0)
}

// Answer is the sealed part of an outcome: the first answer to a request, and the
// fingerprint by which another request with the same idempotency key is recognized.
type Answer struct {
	Code        crypto.Secret // invitation code; zero = the answer has none
	Content     []byte        // manifest, sealed under the data key of the record; nil = too large
	Lifecycle   []byte        // encoded Lifecycle
	Fingerprint []byte        // of the request, 32 bytes; it covers the method
	ID          string        // of the installation
	Requested   string        // ID in the request; "" = it was minted
	Generation  int64
	Revision    int64
	Verdict     Verdict
	DataKey     uint32 // number of the data key that sealed Content; 0 = no content
	Epoch       int64  // of the store
}

// Verdict says what a request did.
type Verdict uint8

// Verdicts.
const (
	Unchanged Verdict = iota + 1
	Changed
	Created
	Removed
)

// Append appends the encoding of a to dst. If a has a code, clear the result once it is
// sealed.
func (a *Answer) Append(dst []byte) []byte {
	code := a.Code.Reveal()
	defer clear(code)
	const overhead = 96 // tags, lengths and numbers
	size := len(code) + len(a.Content) + len(a.Lifecycle) + len(a.Fingerprint) + len(a.ID) +
		len(a.Requested) + overhead
	// The buffer must not grow later: its old array would keep the code.
	return Append(slices.Grow(dst, size), &codeAnswer{a, code}, answerFields)
}

// DecodeAnswer reads an opened answer. Its slices share the memory of b. If the answer has
// a code, clear b after use. The error is [crypto.ErrSealed].
func DecodeAnswer(b []byte) (*Answer, error) {
	a := codeAnswer{Answer: new(Answer)}
	if err := Decode(b, &a, answerFields); err != nil {
		return nil, err
	}
	if a.code != nil {
		a.Code = crypto.SecretFromBytes(a.code)
	}
	return a.Answer, nil
}

// codeAnswer is an answer with its code in plain.
type codeAnswer struct {
	*Answer
	code []byte
}

// The code stands before the first string, so that the copy from which strings are cut, which
// nobody can clear, does not contain it.
func answerFields(c *Coder, a *codeAnswer) {
	Bytes(c, 1, &a.code)
	Bytes(c, 2, &a.Content)
	Bytes(c, 3, &a.Lifecycle)
	Bytes(c, 4, &a.Fingerprint)
	String(c, 5, &a.ID)
	String(c, 6, &a.Requested)
	Int(c, 7, &a.Generation)
	Int(c, 8, &a.Revision)
	Int(c, 9, &a.Verdict)
	Int(c, 10, &a.DataKey)
	Int(c, 11, &a.Epoch)
	c.Require(len(a.Fingerprint) == sha256.Size && a.ID != "")
	c.Require(Unchanged <= a.Verdict && a.Verdict <= Removed)
}
