package installation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/keytimeout"
	"github.com/go-installation/installation/validate"
)

// mutation is one logical write: what it may be done to, and how it changes the state.
type mutation struct {
	method  string // name, part of the request's fingerprint
	request any    // part of the request's fingerprint
	guard   Guard
	id      string
	minted  bool // the id was made for this request: nothing is stored there before

	// check refuses a request that no state could make good.
	check func(l *validate.List)
	// actions that the policy must allow on what is stored and on the result.
	actions []Action
	reach   reach

	// apply changes the state. A nil step means that it is so already.
	apply func(ctx context.Context, st *state, now time.Time) (*step, error)
}

// reach says on whom and on what a mutation may be tried.
type reach byte

const (
	reachOpened   reach = iota // on a record that opens, by an actor who sees it
	reachKeyless               // by the host and the platform also on one whose manifest stays closed
	reachBlind                 // by the host and the platform even on one whose body cannot be read
	reachOutsider              // by an actor who need not see it: apply answers for who may, and for the guard, which would tell what is there
)

// step is what a mutation did to the state.
type step struct {
	effect  effect
	events  []EventType
	changed []string // names of parts and pointers, for the first event
	reason  string   // for the events
	created bool     // a generation began
	code    crypto.Secret
}

// effect says what a step leaves in the store.
type effect byte

const (
	effectSealed    effect = iota // the record, sealed anew
	effectPlain                   // the record with its plain lifecycle alone changed: the sealed parts stay
	effectNone                    // the record as it was, beside an event
	effectTombstone               // nothing but that
)

// sealable is the effect of an end of life: sealed where there is the key for that.
func (st *state) sealable() effect {
	if st.closed != nil {
		return effectPlain
	}
	return effectSealed
}

// requested is the id that the request names, "" if it left that to the service.
func (m mutation) requested() string {
	if m.minted {
		return ""
	}
	return m.id
}

// mutate carries out m. If another writer came between and the guard names no revision, it reads again and applies m again, until the
// context ends.
func (s *Service) mutate(ctx context.Context, m mutation) (*Result, error) {
	if err := s.admit(anID(m.id), m.guard.wellFormed, m.check); err != nil {
		return nil, m.explain(err)
	}
	var op [16]byte
	rand.Read(op[:]) // never fails since Go 1.24
	var turn turns
	for read := !m.minted; ; read = true {
		if err := ctx.Err(); err != nil {
			return nil, m.explain(err)
		}
		res, err := s.try(ctx, m, op, read)
		if lost, ok := errors.AsType[lostRace](err); ok {
			if err = turn.wait(ctx, lost); err == nil {
				continue
			}
		}
		if err != nil && m.guard.IdempotencyKey != "" && refusal(err) {
			res, err = s.recheck(ctx, m, err)
		}
		return res, m.explain(err)
	}
}

// recheck looks whether a request was refused because its first try had succeeded, and gives the first answer then.
func (s *Service) recheck(ctx context.Context, m mutation, refused error) (*Result, error) {
	first, err := s.outcome(ctx, m)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, refused
	case err != nil:
		return nil, err // whether the refusal is the true answer cannot be known
	}
	return s.replay(ctx, m, first)
}

// explain puts the operation and the id before an error, but for a refused code, about which there is nothing to say.
func (m mutation) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrInvitation):
		return err
	case errors.Is(err, ErrInvalid), m.minted:
		return fmt.Errorf("%s: %w", m.method, err)
	default:
		return fmt.Errorf("%s %s: %w", m.method, m.id, err)
	}
}

// refusal reports whether err is an answer that a request may have got because its first try succeeded.
func refusal(err error) bool {
	for _, target := range []error{ErrInvalid, ErrNotFound, ErrExists, ErrConflict, ErrStale, ErrInvitation, ErrShredded} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// try reads, unless nothing can be there, applies and commits once.
func (s *Service) try(ctx context.Context, m mutation, op [16]byte, read bool) (*Result, error) {
	now := s.now()
	st := &state{key: Key{s.tenant, m.id}}
	if read {
		var err error
		if st, err = s.load(ctx, m.id); err != nil {
			return nil, err
		}
	}
	defer func() { st.wipe() }() // of the state that it is by then
	if err := s.authorize(st, m, now); err != nil {
		return nil, err
	}
	if m.reach != reachOutsider {
		if err := m.guard.holds(st); err != nil {
			return nil, err
		}
	}
	done, err := m.apply(ctx, st, now)
	if err != nil {
		return nil, err
	}
	c := Change{Op: op, Now: now, Key: st.key, If: st.revision()}
	if done == nil {
		st.wipe()
		st = s.open(ctx, st.key, st.record) // apply may have left the request's own memory in it
	} else {
		if err := s.fill(ctx, &c, st, m, done, now); err != nil {
			return nil, err
		}
	}
	if m.guard.IdempotencyKey != "" {
		if c.Idempotency, err = s.newOutcome(ctx, m, st, done, c); err != nil {
			return nil, err
		}
	}
	res := s.result(ctx, st, c, done, now)
	if c.Record == nil && c.Idempotency == nil && c.Events == nil {
		return res, nil
	}
	receipt, err := s.store.Commit(ctx, c)
	switch {
	case err == nil && receipt.Outcome != nil:
		return s.replay(ctx, m, receipt.Outcome)
	case err == nil, errors.Is(err, ErrNotReplicated):
		return res, err
	case errors.Is(err, ErrConflict) && m.guard.Revision == 0:
		return nil, lostRace{st.revision()}
	default:
		return nil, err
	}
}

// fill completes a change with the record and the events of a step.
func (s *Service) fill(ctx context.Context, c *Change, st *state, m mutation, done *step, now time.Time) (err error) {
	switch done.effect {
	case effectTombstone:
		c.Record = &Record{Key: st.key, Revision: st.revision() + 1, Generation: st.generation(), Deleted: true, Deadline: moment(now.Add(s.opts.TombstoneTTL))}
	case effectPlain:
		c.Record = st.buildPlain()
	case effectSealed:
		if err := s.refresh(ctx, st); err != nil {
			return err
		}
		st.touch(s, now)
		if c.Record, err = s.build(st); err != nil {
			return err
		}
		if seen := *st.inst; m.reach != reachOutsider && s.allow(&seen, m.actions...) != nil {
			return ErrForbidden // what would become of it is not the actor's to have
		}
	}
	c.Events = s.events(c, st, done, now)
	return nil
}

// events are what the change log says of a step.
func (s *Service) events(c *Change, st *state, done *step, now time.Time) []Event {
	about := st.inst
	if about == nil {
		about = st.partial(now)
	}
	e := Event{
		Key: st.key, Revision: st.revision(), Generation: st.generation(), Time: now, Extension: about.Extension.ID, Account: about.Account.ID,
		Actor: s.actor, Reason: done.reason, Changed: done.changed[:min(len(done.changed), maxChanged)],
	}
	if c.Record != nil {
		e.Revision, e.Generation = c.Record.Revision, c.Record.Generation
	}
	events := make([]Event, len(done.events))
	for i, t := range done.events {
		e.Type = t
		events[i] = e
		e.Changed = nil
	}
	return events
}

// touch records in the audit that something changed.
func (st *state) touch(s *Service, now time.Time) {
	entry := s.audit(st, now)
	if st.inst.Audit.Created == nil {
		st.inst.Audit.Created = entry
		return
	}
	st.inst.Audit.Updated = entry
}

// audit is an entry for now, by the actor, for the installation's account.
func (s *Service) audit(st *state, now time.Time) *AuditEntry {
	e := &AuditEntry{At: now, Kind: s.actor.Kind, By: s.actor.User}
	if st.inst != nil {
		a := st.inst.Account
		e.Of = Reference{ID: a.ID, Name: a.Name, Icon: a.Icon}
	}
	return e
}

// authorize asks the policy about what is stored. Where nothing is, the result alone decides; see fill.
func (s *Service) authorize(st *state, m mutation, now time.Time) error {
	switch {
	case s.actor.Kind == "":
		return ErrForbidden
	case m.reach == reachOutsider || !st.exists():
		return nil
	case st.closed == nil:
		seen := *st.inst // what a policy does to it does not reach the store
		return s.allow(&seen, m.actions...)
	case !s.can(ActionSee, st.partial(now)):
		return ErrNotFound
	case (m.reach == reachBlind || m.reach == reachKeyless && st.body != nil) && (s.actor.Kind == Host || s.actor.Kind == Platform):
		return s.allow(st.partial(now), m.actions...)
	default:
		return st.closed
	}
}

// holds holds the guard against what is stored.
func (g Guard) holds(st *state) error {
	switch {
	case g.Absent && st.exists():
		return &ExistsError{Key: st.key, Holder: st.key.ID}
	case g.Present && !st.exists():
		return ErrNotFound
	case g.Generation != 0 && g.Generation < st.generation():
		return ErrStale
	case st.record != nil && st.record.Deleted && (g.Generation == st.generation() || !g.InstalledBefore.IsZero()):
		return ErrStale // what the request speaks of was deleted
	case g.Generation > st.generation(), g.Revision != 0 && g.Revision != st.revision():
		return &ConflictError{Key: st.key, Revision: st.revision(), Generation: st.generation()}
	case g.InstalledBefore.IsZero() || !st.exists():
		return nil
	case st.closed != nil:
		return st.closed // when it was installed cannot be known
	}
	began := cmp.Or(st.inst.Audit.Installed, st.inst.Audit.Invited)
	if began != nil && !began.At.Before(moment(g.InstalledBefore)) {
		return ErrStale
	}
	return nil
}

// result is the answer to a write, as the actor may see it.
func (s *Service) result(ctx context.Context, st *state, c Change, done *step, now time.Time) *Result {
	res := &Result{Installation: s.show(ctx, st, now)}
	if done == nil {
		return res
	}
	res.Changed, res.Created = c.Record != nil, done.created
	if done.effect == effectTombstone {
		res.Installation = removed(st.key, c.Record.Revision, c.Record.Generation)
	} else if c.Record != nil {
		res.Installation.Revision = c.Record.Revision
	}
	res.Code, res.AcceptURL = done.code, acceptURL(s.accept, st.key, done.code)
	return res
}

// removed is what is left to say of a deleted installation.
func removed(key Key, revision, generation int64) *Installation {
	return &Installation{ID: key.ID, Tenant: key.Tenant, Revision: revision, Generation: generation}
}

// lostRace says that the record moved under a write, which may be applied again to what it is now.
type lostRace struct {
	read int64 // revision that the write was applied to
}

func (lostRace) Error() string { return "installation: changed meanwhile" }

// turns are the tries of one write.
type turns struct {
	last  lostRace
	stuck int // tries in a row that read nothing newer
}

// maxStuck is how many tries may read a revision that the store then says is not the stored one. Whoever loses a race reads a newer revision
// the next time, unless reads come from a replica that lags; at these pauses, it may lag for some five seconds.
const maxStuck = 60

// wait pauses before the next try: not at all after a race that was lost, longer and longer while reading does not catch up.
func (t *turns) wait(ctx context.Context, lost lostRace) error {
	if lost.read > t.last.read {
		t.last, t.stuck = lost, 0
		return nil
	}
	if t.stuck++; t.stuck > maxStuck {
		return fmt.Errorf("%w: it keeps reading revision %d and refusing it as not the stored one", ErrUnavailable, lost.read)
	}
	pause := min(time.Duration(1)<<min(t.stuck, 20)*time.Microsecond*100, 100*time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause/2 + mathrand.N(pause/2)):
		return nil
	}
}

// withKeyTimeout returns the service for a write that can do without a key: it waits for keys
// during half of the caller's time, so that the other half is left to do without. With skip it
// never unwraps. Only the host and the platform can do without a key, since what others may do
// depends on what is sealed.
func (s *Service) withKeyTimeout(skip bool) *Service {
	if s.actor.Kind != Host && s.actor.Kind != Platform {
		return s
	}
	c := *s
	if skip {
		c.keys = keytimeout.Skip(s.keys)
	} else {
		c.keys = keytimeout.Half(s.keys)
	}
	return &c
}
