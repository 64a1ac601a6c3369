package installation

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
	"github.com/go-installation/installation/internal/canonical"
	"github.com/go-installation/installation/internal/record"
)

// Digest identifies an idempotency key within a tenant. The key itself never reaches a store.
type Digest [32]byte

// Outcome is the stored result of a request with an idempotency key. A store keeps it up to the
// time Until and may forget it afterwards.
type Outcome struct {
	Digest Digest
	// kept up to this time, UTC, microseconds; expired if Change.Now is this time or later
	Until time.Time
	Data  []byte // opaque to the store; the service seals any secret in it
}

// An [Outcome] is the sealed answer to a request with an idempotency key. It can live longer than
// its record, so it is not sealed under the data key of the record. Instead, each process makes an
// outcome key, wraps it, and puts the wrapped key into each outcome. So processes share no outcome
// key, and nobody has to rotate outcome keys. Only the content of the answer is sealed under the
// data key too; see keepContent.

// outcomeKey is the key of this process for sealing outcomes. It is made when first needed.
type outcomeKey struct {
	mu      sync.Mutex
	key     *crypto.DataKey // its number is the day on which it was made
	wrapped crypto.Wrapped
}

// get returns the key of today and its wrapped form. A new key each day limits how many outcomes
// one key seals. Callers do not wait for each other: if the key service hangs for one of them, the
// others go on.
func (o *outcomeKey) get(
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
	w, err := keys.Wrap(ctx, k, outcomeBinding)
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

func (o *outcomeKey) current() (*crypto.DataKey, crypto.Wrapped) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key, o.wrapped
}

// outcomeBinding is the binding of an outcome key. No record has an empty ID, so the wrapped key of
// a record does not open as an outcome key, and an outcome key does not open as the key of a
// record.
var outcomeBinding = crypto.Binding{}

// unwrap returns the outcome key in w. Another process can have made that key. The caller has to
// call done after use.
func (o *outcomeKey) unwrap(
	ctx context.Context, keys crypto.KeyWrapper, w crypto.Wrapped,
) (k *crypto.DataKey, done func(), err error) {
	own, wrapped := o.current()
	if own != nil && w.KeyID == wrapped.KeyID && bytes.Equal(w.Bytes, wrapped.Bytes) {
		return own, func() {}, nil
	}
	k, err = keys.Unwrap(ctx, w, outcomeBinding)
	return k, k.Destroy, err
}

// outcomePlace returns the place that an outcome is sealed for.
func outcomePlace(tenant string, digest Digest, until time.Time) crypto.Place {
	micros := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMicro()))
	return crypto.Place{
		Tenant: tenant, Kind: "outcome", Pointer: string(digest[:]), Extra: string(micros),
	}
}

// answerPlace returns the place that a part of an answer is sealed for, under the data key of its
// record. The kind is "answer" for the manifest and "code" for the invitation code.
func answerPlace(kind string, key Key, digest Digest) crypto.Place {
	return crypto.Place{Tenant: key.Tenant, Record: key.ID, Kind: kind, Pointer: string(digest[:])}
}

// digest returns the name under which the store keeps the outcome of an idempotency key. The name
// depends on the actor and its user, so that nobody can probe the idempotency keys of somebody
// else.
func (s *Service) digest(key string) Digest {
	parts := []string{"idem2", string(s.actor.Kind), s.actor.ID, s.actor.User.ID, key}
	return sha256.Sum256(fmt.Appendf(nil, "%q", parts))
}

// fingerprint returns a keyed hash that identifies the request. It reveals nothing without k.
func (w *write) fingerprint(k *crypto.DataKey) ([sha256.Size]byte, error) {
	plain, err := canonical.Encode(w.method, w.request, contentOf)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer clear(plain) // it contains the secrets of the request
	requested := w.id
	if w.minted {
		requested = ""
	}
	return k.Fingerprint([]byte(requested), plain)
}

// newOutcome seals the answer to w for its idempotency key.
func (s *Service) newOutcome(ctx context.Context, w *write, d *draft, c Change) (*Outcome, error) {
	k, wrapped, err := s.outcomes.get(ctx, s.outcomeKeys, d.now)
	if err != nil {
		return nil, err
	}
	print, err := w.fingerprint(k)
	if err != nil {
		return nil, err
	}
	o := &Outcome{
		Digest: s.digest(w.guard.IdempotencyKey),
		Until:  storedTime(d.now.Add(s.opts.IdempotencyTTL)),
	}
	a := record.Answer{
		ID: d.key.ID, Generation: d.stored.Generation, Revision: d.stored.Revision,
		Fingerprint: print[:], Verdict: d.verdict(c), Epoch: c.Epoch,
	}
	if c.Record != nil {
		a.Generation, a.Revision = c.Record.Generation, c.Record.Revision
	}
	if err := d.keepContent(&a, o.Digest, s.opts.OutcomeBytes); err != nil {
		return nil, err
	}
	place := outcomePlace(s.tenant, o.Digest, o.Until)
	sealed, err := k.SealBinary(nil, place, a.Append(nil))
	if err != nil {
		return nil, err
	}
	o.Data = (&record.Outcome{Key: wrapped, Sealed: sealed}).Append(nil)
	return o, nil
}

// verdict is what the answer says about the change c of a draft.
func (d *draft) verdict(c Change) record.Verdict {
	switch {
	case c.Record == nil:
		return record.Unchanged
	case d.effect == effectTombstone:
		return record.Removed
	case d.created:
		return record.Created
	default:
		return record.Changed
	}
}

// keepContent seals the manifest that this write made, and the invitation code, under the data key
// of the record. So they can no longer be opened once the record is deleted, purged or rekeyed. It
// keeps no manifest of more than limit bytes; a repeat is then answered from the record.
func (d *draft) keepContent(a *record.Answer, digest Digest, limit int) (err error) {
	k := d.dataKey
	if d.plain == nil {
		return nil
	}
	a.DataKey = k.Number()
	if len(d.plain) <= limit {
		a.Content, err = k.SealBinary(nil, answerPlace("answer", d.key, digest), d.plain)
	}
	if err == nil && !d.code.IsZero() {
		code := d.code.Reveal()
		defer clear(code)
		a.Code, err = k.SealBinary(nil, answerPlace("code", d.key, digest), code)
	}
	return err
}

// replayOr checks whether a request was rejected because its first try succeeded, and returns the
// first answer then. Otherwise it returns the rejection.
func (s *Service) replayOr(ctx context.Context, w *write, rejected error) (*Result, error) {
	now := s.now()
	o, err := s.store.Outcome(ctx, s.tenant, s.digest(w.guard.IdempotencyKey))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, rejected
	case err != nil:
		return nil, err // whether the rejection is the true answer is unknown
	case !now.Before(o.Until):
		return nil, rejected
	}
	return s.replay(ctx, w, o, now)
}

// replay returns the first answer again, or the present state if the answer was not kept. Whether
// the actor may see it, and the code in it, is judged by the present state.
func (s *Service) replay(
	ctx context.Context, w *write, o *Outcome, now time.Time,
) (*Result, error) {
	a, err := s.openOutcome(ctx, w, o, now)
	if err != nil {
		return nil, err
	}
	in, err := s.namespace(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := s.load(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	defer snap.wipe()
	if a.Epoch != in.Epoch || snap.codeEra != in.Era {
		a.Code = nil // a restore was accepted since, so the code is void
	}
	res := &Result{
		Created: a.Verdict == record.Created, Replayed: true, FirstRevision: a.Revision,
		Changed: a.Verdict != record.Unchanged,
	}
	present := snap.partial(now)
	if snap.inst != nil {
		present = new(*snap.inst)
	}
	if a.Verdict == record.Removed || !snap.exists || !s.can(ActionSee, present) {
		// It is gone, or not the actor's any more. Report only that the request was applied.
		res.Installation = removed(snap.key, a.Revision, a.Generation)
		return res, nil
	}
	if len(a.Code) > 0 && errors.Is(snap.err, ErrKeyUnavailable) {
		return nil, snap.err // a later repeat returns the code
	}
	code, err := snap.recall(a, s.digest(w.guard.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	res.Installation = s.show(ctx, snap, now)
	s.hideConfiguration(res.Installation, present)
	if s.can(ActionInvite, present) {
		res.Code, res.AcceptURL = code, s.acceptURL(snap.key, code)
	}
	return res, nil
}

// removed returns what is known of an installation that was deleted, or that the actor may not see.
func removed(key Key, revision, generation int64) *Installation {
	return &Installation{ID: key.ID, Tenant: key.Tenant, Revision: revision, Generation: generation}
}

// openOutcome opens an outcome and compares its request with w. What cannot be authenticated is
// never reported as success, and neither is an outcome that should be forgotten by now.
func (s *Service) openOutcome(
	ctx context.Context, w *write, o *Outcome, now time.Time,
) (*record.Answer, error) {
	if !now.Before(o.Until) {
		return nil, ErrSealed
	}
	stored, err := record.DecodeOutcome(o.Data)
	if err != nil {
		return nil, err
	}
	k, done, err := s.outcomes.unwrap(ctx, s.outcomeKeys, stored.Key)
	if err != nil {
		return nil, err
	}
	defer done()
	digest := s.digest(w.guard.IdempotencyKey) // not o.Digest: the store is not believed
	plain, err := k.OpenBinary(nil, outcomePlace(s.tenant, digest, o.Until), stored.Sealed)
	if err != nil {
		return nil, err
	}
	a, err := record.DecodeAnswer(plain)
	if err != nil {
		return nil, err
	}
	print, err := w.fingerprint(k)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(print[:], a.Fingerprint) != 1 {
		return nil, ErrIdempotencyMismatch
	}
	return a, nil
}

// recall replaces the state in the snapshot by the state in an answer, if that was kept. It returns
// the invitation code of the answer. If the record has another data key since, the answer cannot be
// opened, and recall leaves the present state.
func (snap *snapshot) recall(a *record.Answer, digest Digest) (code crypto.Secret, err error) {
	k := snap.dataKey
	if k == nil || k.Number() != a.DataKey || snap.stored.Generation != a.Generation {
		return code, nil
	}
	if len(a.Code) > 0 {
		text, err := k.OpenBinary(nil, answerPlace("code", snap.key, digest), a.Code)
		if err != nil {
			return code, createdAgain(err)
		}
		code = crypto.SecretFromBytes(text)
		clear(text)
	}
	if len(a.Content) > 0 {
		m, err := openManifest(k, answerPlace("answer", snap.key, digest), a.Content)
		if err != nil {
			return code, createdAgain(err)
		}
		snap.lifecycle = m.lifecycle
		m.adopt(snap.key, m.lifecycle, a.Revision)
		snap.inst, snap.rule = m.inst, m.Rule
	}
	return code, nil
}

// createdAgain drops ErrSealed for a part of an answer. The answer is genuine, so the record was
// created again since, with another key of the same number.
func createdAgain(err error) error {
	if errors.Is(err, ErrSealed) {
		return nil
	}
	return err
}
