package installation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/backoff"
	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/keytimeout"
	"github.com/go-installation/installation/internal/vault"
	"github.com/go-installation/installation/validate"
)

// write is one request to change an installation. Each method that changes an installation fills in
// a write. Service.write then reads, authorizes, applies, seals and commits.
type write struct {
	method  string // name of the method; the fingerprint covers method and request
	request any
	guard   Guard
	id      string
	minted  bool // the ID was made for this request, so nothing is stored under it

	check   func(l *validate.List) // rejects a request that is invalid whatever is stored
	actions []Action               // the policy must allow them for the old and the new state
	access  access

	// apply changes the draft. It leaves d.effect alone if nothing has to change.
	apply func(ctx context.Context, d *draft) error
}

// access says which records a write may be applied to, and by whom.
type access byte

const (
	// accessOpened needs a record that opens, and an actor who sees it.
	accessOpened access = iota
	// accessKeyless lets host and platform also change a record whose manifest does not open.
	accessKeyless
	// accessBlind lets host and platform change even a record whose body cannot be decoded.
	accessBlind
	// accessOutsider is for an actor who does not need the right to see the record. apply
	// authorizes and compares the guard by itself: an error of the guard would reveal what is
	// stored.
	accessOutsider
)

// draft is a change in progress: the new state of an installation, and the content of its events.
// It starts as a copy of the stored state. Each attempt of a write has its own draft.
type draft struct {
	snapshot
	before    *snapshot
	namespace Namespace // before the snapshot was read
	now       time.Time

	effect     effect
	secrets    *vault.Vault // nil until they are needed; see vault
	plain      []byte       // the encoded manifest, once the draft is sealed
	events     []event.Type
	changed    []string      // names of parts, pointers and secrets, for the first event
	reason     string        // for the events
	created    bool          // a generation began
	otherOwner bool          // the request names another owner than Options.Owner does
	dropped    []string      // secrets that the Connection part of the request removed
	shifted    bool          // a kept secret is at another place, so it was sealed again
	code       crypto.Secret // a new invitation code

	allowed    string // AllowDestination of the request
	redirect   string // a change that can send the secrets of the connection elsewhere, or ""
	redirected bool   // kept secrets can go elsewhere
}

// effect says what the commit of a draft writes to the store.
type effect byte

const (
	effectNone      effect = iota // nothing: the record is already as requested
	effectEvent                   // an event; the record stays
	effectPlain                   // the record with a new plain lifecycle; its sealed parts stay
	effectSealed                  // the record, sealed again
	effectKept                    // the record, sealed again; it keeps the stored claims
	effectLease                   // as effectKept, and Audit.Updated stays
	effectTombstone               // a tombstone
)

func newDraft(before *snapshot, in Namespace, now time.Time) *draft {
	d := &draft{snapshot: *before, before: before, namespace: in, now: now}
	if before.inst != nil {
		d.inst = new(*before.inst)
	}
	return d
}

// status is the status of the draft now.
func (d *draft) status() Status { return d.statusAt(d.now) }

// ended is the effect of ending an installation: effectSealed if the record could be opened.
func (d *draft) ended() effect {
	if d.err != nil {
		return effectPlain
	}
	return effectSealed
}

// audit returns an entry for now, by the actor, for the installation's account.
func (s *Service) audit(d *draft) *AuditEntry {
	e := &AuditEntry{At: d.now, Kind: s.actor.Kind, By: s.actor.User}
	if d.inst != nil {
		a := d.inst.Account
		e.Of = Reference{ID: a.ID, Name: a.Name, Icon: a.Icon}
	}
	return e
}

// write carries out w. If another writer was faster and the guard names no revision, it reads and
// applies w again, until the context ends.
func (s *Service) write(ctx context.Context, w write) (*Result, error) {
	if err := s.admit(checkID(w.id), w.guard.checkGuard, w.check); err != nil {
		return nil, w.explain(err)
	}
	var op [16]byte
	rand.Read(op[:]) // never fails since Go 1.24
	retry := backoff.Conflicts{GiveUp: ErrUnavailable}
	for read := !w.minted; ; read = true {
		if err := ctx.Err(); err != nil {
			return nil, w.explain(err)
		}
		res, revision, err := s.attempt(ctx, &w, op, read)
		if errors.Is(err, errRetry) {
			if err = retry.Wait(ctx, revision); err == nil {
				continue
			}
		}
		if err != nil && w.guard.IdempotencyKey != "" && isRefusal(err) {
			res, err = s.replayOr(ctx, &w, err)
		}
		return res, w.explain(err)
	}
}

// errRetry means that another writer was faster and the write may be applied again.
var errRetry = errors.New("installation: changed meanwhile")

// explain adds the method and the ID to an error, unless w is a part of another method. It does not
// change ErrInvitation, which must reveal nothing.
func (w *write) explain(err error) error {
	switch {
	case err == nil, w.method == "", errors.Is(err, ErrInvitation):
		return err
	case errors.Is(err, ErrInvalid), w.minted:
		return fmt.Errorf("%s: %w", w.method, err)
	default:
		return fmt.Errorf("%s %s: %w", w.method, w.id, err)
	}
}

// inMethod adds the name of a method to its error.
func inMethod(name string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", name, *err)
	}
}

// isRefusal reports whether err is a verdict on the request and the record, and not a fault of the
// store or of the keys. It can also be the answer to a repeat of a request that succeeded.
func isRefusal(err error) bool {
	answers := []error{
		ErrInvalid, ErrNotFound, ErrExists, ErrConflict, ErrStale, ErrInvitation, ErrShredded,
	}
	return slices.ContainsFunc(answers, func(a error) bool { return errors.Is(err, a) })
}

// attempt reads, applies and commits once. If read is false, the ID is new, so attempt does not
// read the store. It returns the revision that it read.
func (s *Service) attempt(
	ctx context.Context, w *write, op [16]byte, read bool,
) (res *Result, revision int64, err error) {
	in, err := s.namespace(ctx)
	if err != nil {
		return nil, 0, err
	}
	before := &snapshot{key: Key{s.tenant, w.id}, stored: &Record{}}
	if read {
		if before, err = s.load(ctx, w.id); err != nil {
			return nil, 0, err
		}
	}
	defer before.wipe()
	d := newDraft(before, in, s.now())
	s.vouch(d)
	defer func() { d.wipe() }() // wipe the key that d has at the end
	if err := s.authorize(w, d); err != nil {
		return nil, before.stored.Revision, err
	}
	if err := w.apply(ctx, d); err != nil {
		return nil, before.stored.Revision, err
	}
	c, err := s.change(ctx, w, d)
	if err != nil {
		return nil, before.stored.Revision, err
	}
	c.Op = op
	res = s.result(ctx, d, c)
	if c.Record == nil && c.Idempotency == nil && c.Events == nil {
		return res, before.stored.Revision, nil
	}
	res, err = s.commit(ctx, w, c, res)
	return res, before.stored.Revision, err
}

// authorize asks the policy about the stored state, and compares the guard. If nothing is stored,
// only change asks the policy, about the result.
func (s *Service) authorize(w *write, d *draft) error {
	if w.access == accessOutsider {
		return nil
	}
	if d.exists {
		if err := s.allowStored(w, d); err != nil {
			return err
		}
	}
	return w.guard.compare(d.before)
}

func (s *Service) allowStored(w *write, d *draft) error {
	keyless := w.access == accessBlind || w.access == accessKeyless && d.body != nil
	switch {
	case d.err == nil:
		// The policy gets a copy: what it changes there is not stored.
		return s.allow(new(*d.inst), w.actions...)
	case !s.can(ActionSee, d.partial(d.now)):
		return ErrNotFound
	case keyless && s.actor.ownsAll():
		return s.allow(d.partial(d.now), w.actions...)
	default:
		return d.err
	}
}

// change turns the draft into the change to commit: the record, the events and the outcome.
func (s *Service) change(ctx context.Context, w *write, d *draft) (c Change, err error) {
	c = Change{Now: d.now, Epoch: d.namespace.Epoch, Key: d.key, If: d.stored.Revision}
	switch d.effect {
	case effectNone, effectEvent:
	case effectPlain:
		c.Record = d.plainRecord()
	case effectTombstone:
		c.Record = &Record{
			Key: d.key, Revision: d.nextRevision(), Generation: d.stored.Generation, Deleted: true,
			Deadline: storedTime(d.now.Add(s.opts.TombstoneTTL)),
		}
	case effectSealed, effectKept, effectLease:
		if c.Record, err = s.sealedRecord(ctx, d); err != nil {
			return c, err
		}
		if w.access != accessOutsider && s.allow(new(*d.inst), w.actions...) != nil {
			return c, s.forbidden(d)
		}
	}
	if d.otherOwner { // after all other checks, so that no error confirms a guess
		return c, errOtherOwner
	}
	c.Events = s.eventsOf(d, c.Record)
	if w.guard.IdempotencyKey != "" {
		c.Idempotency, err = s.newOutcome(ctx, w, d, c)
	}
	return c, err
}

// eventsOf returns the events of a draft. Only the first event names what changed.
func (s *Service) eventsOf(d *draft, next *Record) []Event {
	if len(d.events) == 0 {
		return nil
	}
	inst := d.inst
	if inst == nil {
		inst = d.partial(d.now)
	}
	e := Event{
		Key: d.key, Revision: d.stored.Revision, Generation: d.stored.Generation, Time: d.now,
		Extension: inst.Extension.ID, Account: inst.Account.ID,
		Actor: s.actor, Reason: d.reason, Changed: d.changed,
	}
	if next != nil {
		e.Revision, e.Generation = next.Revision, next.Generation
	}
	events := make([]Event, len(d.events))
	for i, t := range d.events {
		e.Type = t
		events[i] = e
		events[i].fit()
		e.Changed = nil
	}
	return events
}

// result is the answer to a write, as the actor may see it.
func (s *Service) result(ctx context.Context, d *draft, c Change) *Result {
	res := &Result{
		Created: d.created, Changed: c.Record != nil, Dropped: d.droppedSecrets(),
		Code: d.code, AcceptURL: s.acceptURL(d.key, d.code),
	}
	switch {
	case d.effect == effectTombstone:
		res.Installation = removed(d.key, c.Record.Revision, c.Record.Generation)
	case res.Changed:
		res.Installation = s.show(ctx, &d.snapshot, d.now)
		res.Revision = c.Record.Revision
	default:
		res.Installation = s.show(ctx, d.before, d.now)
	}
	res.FirstRevision = res.Revision
	if !s.can(ActionSee, res.Installation) { // Accept does not ask for this right
		res.Installation = removed(d.key, res.Revision, res.Generation)
	}
	return res
}

// acceptURL returns the address to redeem a code at, if Options.AcceptURL is set.
func (s *Service) acceptURL(key Key, code crypto.Secret) crypto.Secret {
	return invite.URL(s.base, key.Tenant, key.ID, code)
}

// commit hands the change to the store. If the idempotency key was used before, it returns the
// first answer instead of res.
func (s *Service) commit(ctx context.Context, w *write, c Change, res *Result) (*Result, error) {
	receipt, err := s.store.Commit(ctx, c)
	switch {
	case err == nil && receipt.Outcome != nil:
		return s.replay(ctx, w, receipt.Outcome, c.Now)
	case err == nil, errors.Is(err, ErrNotReplicated):
		return res, err
	case errors.Is(err, ErrConflict) && w.guard.Revision == 0:
		return nil, errRetry
	case errors.Is(err, ErrEpoch):
		return nil, s.rejectedEpoch(ctx, c)
	case errors.Is(err, ErrExists):
		return nil, s.claimTaken(ctx, c.Key, err)
	default:
		return nil, err
	}
}

// rejectedEpoch returns errRetry if a change of another epoch can be built again.
func (s *Service) rejectedEpoch(ctx context.Context, c Change) error {
	in, err := s.namespace(ctx)
	if err == nil && in.Epoch == c.Epoch {
		return fmt.Errorf("%w: the store has epochs, but a store around it hides Namespacer: "+
			"embed a Decorator", ErrUnavailable)
	}
	return cmp.Or(err, errRetry)
}

// claimTaken is the error for a claim that another installation holds. It names the holder only to
// an actor who may see it. It leaves out the text of the store, which may name the holder too.
func (s *Service) claimTaken(ctx context.Context, key Key, err error) error {
	taken := &ExistsError{Key: key}
	exists, ok := errors.AsType[*ExistsError](err)
	if !ok {
		return taken
	}
	holder, err := s.load(ctx, exists.Holder)
	if err != nil || !holder.exists {
		return taken
	}
	defer holder.wipe()
	if s.can(ActionSee, s.show(ctx, holder, s.now())) {
		taken.Holder = exists.Holder
	}
	return taken
}

// withKeyTimeout returns the service for a write that can go on without a key. A call for a key
// ends after half of the time to the caller's deadline, so that time is left to go on. With skip,
// the service never unwraps a record's key. For actors other than host and platform, withKeyTimeout
// changes nothing: their writes need the key, because their rights depend on sealed fields.
func (s *Service) withKeyTimeout(skip bool) *Service {
	if !s.actor.ownsAll() {
		return s
	}
	c := *s
	c.keys = keytimeout.Half(s.keys)
	c.outcomeKeys = c.keys
	if skip {
		c.keys = keytimeout.Skip(s.keys)
	}
	return &c
}
