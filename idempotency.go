package installation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/canonical"
	"github.com/go-installation/installation/internal/outcome"
	"github.com/go-installation/installation/internal/record"
)

// A request or a commit can arrive twice and is applied only once. For a request with an
// idempotency key, an [Outcome] keeps the first answer. For a commit, a [Row] remembers the op
// tokens of the last changes, and a [Namespace] says to which data it belongs. [Trimmer] and
// [Mover] forget and move what a store remembers.

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

// digest returns the name under which the store keeps the outcome of an idempotency key.
func (s *Service) digest(key string) Digest {
	return outcome.Digest(string(s.actor.Kind), s.actor.ID, s.actor.User.ID, key)
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
	o := &Outcome{
		Digest: s.digest(w.guard.IdempotencyKey),
		Until:  storedTime(d.now.Add(s.opts.IdempotencyTTL)),
	}
	a := record.Answer{
		ID: d.key.ID, Generation: d.stored.Generation, Revision: d.stored.Revision,
		Verdict: d.verdict(c), Epoch: c.Epoch,
	}
	if c.Record != nil {
		a.Generation, a.Revision = c.Record.Generation, c.Record.Revision
	}
	err := d.keepContent(&a, o.Digest, s.opts.OutcomeBytes)
	if err != nil {
		return nil, err
	}
	place := outcome.Place(s.tenant, o.Digest, o.Until)
	o.Data, err = s.outcomes.Seal(ctx, s.outcomeKeys, d.now, place, &a, w.fingerprint)
	if err != nil {
		return nil, err
	}
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
		a.Content, err = k.SealBinary(nil, d.answerPlace("answer", digest), d.plain)
	}
	if err == nil && !d.code.IsZero() {
		code := d.code.Reveal()
		defer clear(code)
		a.Code, err = k.SealBinary(nil, d.answerPlace("code", digest), code)
	}
	return err
}

// answerPlace returns the place that a part of an answer is sealed for.
func (snap *snapshot) answerPlace(kind string, digest Digest) crypto.Place {
	return outcome.AnswerPlace(kind, bindingOf(snap.key), digest)
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
	digest := s.digest(w.guard.IdempotencyKey) // not o.Digest: the store is not believed
	place := outcome.Place(s.tenant, digest, o.Until)
	a, same, err := s.outcomes.Open(ctx, s.outcomeKeys, place, o.Data, w.fingerprint)
	if err == nil && !same {
		err = ErrIdempotencyMismatch
	}
	return a, err
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
		text, err := k.OpenBinary(nil, snap.answerPlace("code", digest), a.Code)
		if err != nil {
			return code, outcome.CreatedAgain(err)
		}
		code = crypto.SecretFromBytes(text)
		clear(text)
	}
	if len(a.Content) > 0 {
		m, err := openManifest(k, snap.answerPlace("answer", digest), a.Content)
		if err != nil {
			return code, outcome.CreatedAgain(err)
		}
		snap.lifecycle = m.lifecycle
		m.adopt(snap.key, m.lifecycle, a.Revision)
		snap.inst, snap.rule = m.inst, m.Rule
	}
	return code, nil
}

// Row is what a store keeps under a key. It is either a record or tombstone with the changes that
// it remembers, or an outcome. A stored row has exactly one of Record and Outcome. The zero Row
// means that nothing is stored.
//
// A store can keep rows in the encoding of MarshalBinary, and call Replay, Check and Apply in this
// order in Commit. These methods do no I/O.
type Row struct {
	Record  *Record
	Ops     []Op     // last changes of Record, oldest first: 1 to [RememberedOps]
	Outcome *Outcome // of an idempotency key of Tenant
	Tenant  string   // of Outcome; a record has its tenant in Key
}

// Op is a change that a record remembers.
type Op struct {
	Token      [16]byte // Change.Op
	Revision   int64    // of the record after the change
	WithRecord bool     // Change.Record was not nil
}

// Validate returns an error that matches [ErrInvalid] if r breaks a rule of its fields.
func (r Row) Validate() error {
	switch {
	case (r.Record == nil) == (r.Outcome == nil):
		return fmt.Errorf("%w: a row has a record or an outcome", ErrInvalid)
	case r.Outcome != nil && len(r.Ops) > 0:
		return fmt.Errorf("%w: an outcome remembers no changes", ErrInvalid)
	case r.Outcome != nil:
		return nil
	case len(r.Ops) < 1 || len(r.Ops) > RememberedOps:
		return fmt.Errorf("%w: the row remembers %d changes, want 1 to %d",
			ErrInvalid, len(r.Ops), RememberedOps)
	case r.Record.Revision < 1 || r.Record.Generation < 0:
		return fmt.Errorf("%w: revision %d of generation %d",
			ErrInvalid, r.Record.Revision, r.Record.Generation)
	case r.Ops[len(r.Ops)-1].Revision != r.Record.Revision:
		return fmt.Errorf("%w: the last change led to revision %d, and the record has %d",
			ErrInvalid, r.Ops[len(r.Ops)-1].Revision, r.Record.Revision)
	}
	return nil
}

// Replay returns the receipt of c and true if r remembers c: case 1 of Commit.
func (r Row) Replay(c Change) (Receipt, bool) {
	for _, op := range r.Ops {
		if op.Token == c.Op {
			return Receipt{Revision: op.Revision, Replayed: true}, true
		}
	}
	return Receipt{}, false
}

// Check compares the revision of r with c.If. It returns a [*ConflictError] if they differ (case 4
// of Commit), and an error that matches [ErrInvalid] if the revision of c.Record is not above c.If.
// Call it after Replay returned false.
func (r Row) Check(c Change) error {
	var revision int64
	if r.Record != nil {
		revision = r.Record.Revision
	}
	switch {
	case revision != c.If || r.Record == nil && c.Record == nil:
		return &ConflictError{Key: c.Key, Revision: revision, NotApplied: r.neverApplied(c)}
	case c.Record != nil && c.Record.Revision <= c.If:
		return fmt.Errorf("%w: revision %d does not follow %d", ErrInvalid, c.Record.Revision, c.If)
	}
	return nil
}

// neverApplied reports whether r proves that no try of c was applied, and none will be. r must not
// remember c. If r remembers fewer than RememberedOps changes, it has forgotten none. Otherwise the
// oldest one decides: if it came before c could be applied, r would still remember an applied c.
func (r Row) neverApplied(c Change) bool {
	switch {
	case r.Record == nil || r.Record.Revision <= c.If:
		return false
	case len(r.Ops) < RememberedOps:
		return true
	case c.Record != nil:
		return r.Ops[0].Revision <= c.If
	default:
		return r.Ops[0].Revision < c.If || r.Ops[0].Revision == c.If && r.Ops[0].WithRecord
	}
}

// Apply returns the row after c. It has the record of c, or that of r if c.Record is nil, and
// remembers c as its last change. The result shares its record with c or r. Call it after Check
// returned nil: it panics if neither r nor c has a record.
func (r Row) Apply(c Change) Row {
	next := Row{Record: c.Record}
	if c.Record == nil {
		next.Record = r.Record
	}
	kept := r.Ops[max(0, len(r.Ops)-RememberedOps+1):]
	next.Ops = append(slices.Clip(kept), Op{c.Op, next.Record.Revision, c.Record != nil})
	return next
}

// UnmarshalRow reads the record of what Row.MarshalBinary wrote, in this release or an earlier one.
// It does not read the remembered changes, nor check them, so it takes less time than
// Row.UnmarshalBinary. It copies b. The error matches [ErrSealed], also if b has no record.
func (r *Record) UnmarshalRow(b []byte) error {
	return record.DecodeInto(r, b, "row", codeRecordOfRow)
}

// Namespace identifies the data of a store, and the last restore of it that was accepted.
type Namespace struct {
	ID string // random; data that was lost and begun again has another ID
	// Epoch is 0 until the first restore is accepted. From then on it is the time of the last
	// acceptance in microseconds since 1970, or a greater number.
	Epoch int64
	Era   string // random, new with each epoch: tells apart two epochs with the same number
}

// Namespacer is the ability of a store to refuse changes that were built before a restore. Without
// it the namespace has no ID, and its epoch is always 0.
//
// After a restore from a backup, a revision can be given out a second time, for other content. The
// epoch prevents that. When an operator accepts the restore, the epoch becomes the time of the
// acceptance. That is greater than every revision and generation before, unless the clock was put
// back. From then on the service chooses revisions and generations that are at least the epoch, and
// a store refuses a change of another epoch.
type Namespacer interface {
	// Namespace returns the namespace as the store saw it last. It need not read the namespace
	// again, because Commit compares the epoch. After AcceptRestore, it returns the new namespace.
	// After an error of Commit that matches [ErrEpoch], it returns the namespace that Commit saw.
	Namespace(ctx context.Context) (Namespace, error)

	// AcceptRestore gives the namespace a new era and a greater epoch: now in microseconds since
	// 1970, or the epoch before plus 1 if that is greater. The ID stays the same. So do records,
	// outcomes and events. If several calls run at the same time, the namespace keeps the greatest
	// epoch that one of them returned. If the store is split in parts with different epochs,
	// AcceptRestore makes them equal. After an error, a repeat completes the work.
	AcceptRestore(ctx context.Context, now time.Time) (Namespace, error)
}

// Trimmer is the ability to forget what has expired without a commit. [Service.Sweep] calls it.
// Without it, only commits forget.
type Trimmer interface {
	// Trim forgets outcomes whose Until is not after now, and tombstones whose Deadline is set and
	// not after now. It trims the change log to the size that the store keeps. It can be repeated,
	// and called by several processes at once.
	Trim(ctx context.Context, now time.Time) error
}

// Mover is the ability to read all rows of a store and to write rows into it as they are. It is for
// copies from one store to another.
type Mover interface {
	// Scan returns every row of all tenants: records and tombstones with the changes that they
	// remember, and outcomes. It may leave out expired outcomes and tombstones. The order is the
	// store's own. A row that exists during the whole scan is returned at least once, as it was at
	// some time meanwhile. A row that appears or vanishes meanwhile may be left out. The caller can
	// use the store during the scan, and can end the scan early. An error comes last, and without a
	// row. A scan without an error is complete.
	Scan(ctx context.Context) iter.Seq2[Row, error]

	// Put writes a row as it is, with its revision and the changes that it remembers, and reports
	// whether it did. It writes nothing if the store has a record with the same or a higher
	// revision at the key, or an outcome that is kept as long or longer. It ignores the epoch and
	// appends no events. If another record of the tenant holds one of the claims, it returns an
	// [*ExistsError]. If the row breaks a rule of its fields, the error matches [ErrInvalid]; see
	// [Row.Validate]. The time now is for what Change.Now is for. If the store cannot know whether
	// it has written the row, the error matches [ErrUnknownOutcome]. The call can be repeated.
	Put(ctx context.Context, now time.Time, row Row) (written bool, err error)
}
