package record

import "github.com/go-installation/installation/crypto"

// Outcome is what a store keeps for an idempotency key: a sealed answer, and the wrapped key that
// opens it.
type Outcome struct {
	Key    crypto.Wrapped
	Sealed []byte
}

// Append appends the encoding of o to dst.
func (o *Outcome) Append(dst []byte) []byte { return AppendVersioned(dst, o, codeOutcome) }

// DecodeOutcome reads an encoded outcome, whose memory it shares.
func DecodeOutcome(b []byte) (*Outcome, error) {
	o := new(Outcome)
	return o, DecodeVersioned("outcome", b, o, codeOutcome)
}

func codeOutcome(c *Coder, o *Outcome) {
	String(c, 1, &o.Key.KeyID)
	Bytes(c, 2, &o.Key.Bytes)
	Bytes(c, 3, &o.Sealed)
}

// Answer is the sealed part of an outcome: the first answer to a request.
type Answer struct {
	ID          string
	Generation  int64
	Revision    int64
	Fingerprint []byte // of the request, under the outcome key
	Verdict     Verdict
	DataKey     int64  // number of the data key that Content is sealed under
	Lifecycle   []byte // encoded
	Content     []byte // the manifest of the answer, sealed under the data key of its record
	Code        []byte // the invitation code, sealed likewise
}

// Verdict is what a request did.
type Verdict uint8

// Verdicts.
const (
	Unchanged Verdict = iota
	Changed
	Created
	Removed
)

// Append appends the encoding of a to dst.
func (a *Answer) Append(dst []byte) []byte { return Append(dst, a, codeAnswer) }

// DecodeAnswer reads an encoded answer, whose memory it shares.
func DecodeAnswer(b []byte) (*Answer, error) {
	a := new(Answer)
	return a, Decode(b, a, codeAnswer)
}

func codeAnswer(c *Coder, a *Answer) {
	String(c, 1, &a.ID)
	Int(c, 2, &a.Generation)
	Int(c, 3, &a.Revision)
	Bytes(c, 4, &a.Fingerprint)
	Int(c, 5, &a.Verdict)
	Int(c, 6, &a.DataKey)
	Bytes(c, 7, &a.Lifecycle)
	Bytes(c, 8, &a.Content)
	Bytes(c, 9, &a.Code)
}
