package installation

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"github.com/go-installation/installation/internal/record"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// RewrapRequest is the request of [Service.Rewrap].
type RewrapRequest struct {
	Limit    int           // records rewrapped at most; 0 = all
	Interval time.Duration // pause between two records, to spare the store and the key service; 0 = none

	// Progress, if set, is told how far it is, after each record. It holds up the next one.
	Progress func(RewrapReport)
}

// RewrapReport says what [Service.Rewrap] did, and where the keys stand.
type RewrapReport struct {
	Before []KeyCount // of the keys at hand, by id
	After  []KeyCount // counted again at the end; nil if that was not reached
	// Elsewhere is how many records, at the end, are under no key at hand: they need one that this process was not given, or lost their
	// place in the index. Check names the keys that are missing.
	Elsewhere int64

	Rewrapped int // now under the primary key
	Skipped   int // moved or removed by someone else meanwhile
	Failed    int // not known to be under the primary key; see the error
}

// Done reports whether no record is left under any key but the primary, at hand or not. Before a key is thrown away ask
// [Service.CanRetire], which looks closer.
func (r RewrapReport) Done() bool {
	for _, k := range r.After {
		if !k.Primary && k.Records > 0 {
			return false
		}
	}
	return r.After != nil && r.Elsewhere == 0
}

// maxReasons is how many failures of one run the error names.
const maxReasons = 100

// Rewrap wraps the data keys of all tenants under the primary key: the third of the four steps of a rotation.
//
//  1. Add: give the new key to every process, beside the old primary. Nothing changes, but all can read it.
//  2. Promote: make it the primary of every process, of one at first: [Service.Check] on the others then says whether they were given
//     the same key. What is written from now on is under it.
//  3. Rewrap: bring what is there under it.
//  4. Retire: ask [Service.CanRetire], then leave the old key out.
//
// The secrets themselves and their data keys stay as they are, and so do the answers kept for idempotency keys; revisions grow by one. No
// event tells of it: nothing changed for a customer, and as many events as there are records would push everything else out of the log.
//
// Values keep the cipher suite that they were sealed with, whatever the suite of the keys is now. To bring those of an installation under
// another suite, so that a process may read them which must not use the first, call [Service.Rekey] for it.
//
// It can run beside readers and writers, on several nodes at once, be stopped anywhere and started again: each record is one
// compare-and-swap, opened under its new key before it is written and read back after. A record that cannot be opened stops nothing. A
// key service that fails on five records in a row ends the walk over its records; a record that does not read back ends the run, since
// then the store is not to be trusted. Nothing is rewrapped under a primary key that opens none of the records tried which are stored
// under its id: it is another key than the one that the other processes have.
//
// It is for the host. The report is good beside an error too. Errors: [ErrForbidden], [ErrInvalid], that of the context, those of the
// store and of the primary key; and, joined, one for each of the first hundred records that failed.
func (s *Service) Rewrap(ctx context.Context, req RewrapRequest) (RewrapReport, error) {
	r := &rewrap{Service: s, keys: crypto.Uncached(s.keys), req: req}
	err := r.run(ctx)
	if err != nil {
		r.reasons = append(r.reasons, fmt.Errorf("rewrap: %w", err))
	}
	return r.report, errors.Join(r.reasons...)
}

// rewrap is one run of Rewrap.
type rewrap struct {
	*Service
	keys    crypto.KeyWrapper
	req     RewrapRequest
	report  RewrapReport
	reasons []error
	paced   bool // a record was worked on, so the next one waits
}

func (r *rewrap) run(ctx context.Context) (err error) {
	err = r.maintains(func(l *validate.List) {
		l.Range("limit", int64(r.req.Limit), 0, math.MaxInt)
		l.Range("interval", int64(r.req.Interval), 0, int64(time.Hour))
	})
	if err != nil {
		return err
	}
	if r.report.Before, err = r.countKeys(ctx); err != nil {
		return err
	}
	if err := r.tryToWrap(ctx, r.keys); err != nil {
		return err
	}
	for _, k := range r.report.Before {
		if k.Primary {
			continue
		}
		if err := r.walk(ctx, k.ID); err != nil {
			return err
		}
	}
	after, err := r.census(ctx)
	r.report.After, r.report.Elsewhere = after.keys, after.elsewhere
	return err
}

// walk rewraps the records under one key. Those that are done leave the list, and the cursor passes over those that failed.
func (r *rewrap) walk(ctx context.Context, id string) error {
	unavailable := 0 // in a row
	for stored, err := range r.records(ctx, Query{AllTenants: true, Term: record.TermKey + id, Limit: sweepPage}) {
		if err != nil {
			return err
		}
		if r.req.Limit > 0 && r.report.Rewrapped >= r.req.Limit {
			return nil
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
		err := r.rewrapRecord(ctx, stored)
		if stop := r.note(ctx, stored.Key, err); stop != nil {
			return stop
		}
		if !errors.Is(err, ErrKeyUnavailable) {
			unavailable = 0
		} else if unavailable++; unavailable == maxUnavailable {
			return nil // as the others under this key would fail; for the primary, as all would
		}
	}
	return nil
}

// pause waits between two records, and between two tries of one.
func (r *rewrap) pause(ctx context.Context) error {
	if !r.paced || r.req.Interval == 0 {
		r.paced = true
		return ctx.Err()
	}
	timer := time.NewTimer(r.req.Interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Reasons not to rewrap a record, and one not to go on at all.
var (
	errMoved    = errors.New("installation: moved or removed meanwhile")
	errReadBack = errors.New("installation: the store does not return what was written to it")
)

// note counts how a record went, and returns an error if the run is to end with it.
func (r *rewrap) note(ctx context.Context, key Key, err error) (stop error) {
	switch {
	case err == nil:
		r.report.Rewrapped++
	case errors.Is(err, errMoved):
		r.report.Skipped++
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		failure := fmt.Errorf("rewrap %q of tenant %q: %w", key.ID, key.Tenant, err)
		if errors.Is(err, ErrNotReplicated) {
			r.report.Rewrapped++
		} else {
			r.report.Failed++
		}
		if errors.Is(err, ErrUnavailable) || errors.Is(err, errReadBack) {
			return failure
		}
		if len(r.reasons) < maxReasons {
			r.reasons = append(r.reasons, failure)
		}
	}
	if r.req.Progress != nil {
		report := r.report
		report.Before = slices.Clone(report.Before)
		r.req.Progress(report)
	}
	return nil
}

// rewrapRecord rewraps one record. Whoever else writes it meanwhile wins, and it is tried again as long as it stays under its old key.
func (r *rewrap) rewrapRecord(ctx context.Context, stored *Record) error {
	key := stored.Key
	var turn turns
	for {
		err := r.commitRewrapped(ctx, stored)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if err := turn.wait(ctx, lostRace{stored.Revision}); err != nil {
			return err
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
		stored, err = r.store.Get(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			return errReadBack // it was listed, and what is deleted leaves a tombstone
		case err != nil:
			return err
		case stored.Deleted, record.TermValue(stored.Index, record.TermKey) == r.keys.Primary():
			return errMoved
		}
	}
}

// commitRewrapped wraps the data key of a record under the primary key, and commits the record if
// it has not changed since it was read.
func (r *rewrap) commitRewrapped(ctx context.Context, stored *Record) error {
	body, life, err := decodeBody(stored.Body)
	if err != nil {
		return err
	}
	if body.Manifest == nil {
		return missingManifest(body, life)
	}
	binding := crypto.Binding{Tenant: stored.Key.Tenant, Record: stored.Key.ID}
	k, err := r.keys.Unwrap(ctx, body.Key, binding)
	if err != nil {
		return err
	}
	defer k.Destroy()
	m, err := verify(stored, body, life, k)
	if err != nil {
		return err
	}
	w, err := r.keys.Wrap(ctx, k, binding)
	if err != nil {
		return err
	}
	again, err := r.keys.Unwrap(ctx, w, binding)
	if err != nil {
		return err
	}
	defer again.Destroy()
	next, err := m.rewrapped(stored, body, life, w, again)
	if err != nil {
		return err
	}

	c := Change{Now: r.now(), Key: stored.Key, If: stored.Revision, Record: next}
	rand.Read(c.Op[:]) // never fails since Go 1.24
	_, err = r.store.Commit(ctx, c)
	if err != nil && !errors.Is(err, ErrNotReplicated) && !errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	missing := r.readBack(ctx, next, w, again)
	switch {
	case missing == nil && errors.Is(err, ErrUnknownOutcome):
		return nil // the outcome is known now
	case missing != nil && !errors.Is(err, ErrUnknownOutcome):
		return missing
	default:
		return err
	}
}

// rewrapped returns the record that follows r, with the same data key in a new wrapping. The
// manifest says the same and is sealed again, since it contains the revision. The result is opened
// once before it is returned.
func (m *manifest) rewrapped(r *Record, body *record.Body, life lifecycle, w crypto.Wrapped, k *crypto.DataKey) (*Record, error) {
	next, nextBody := *r, *body
	next.Revision++
	m.inst.Revision, m.life, m.Claims = next.Revision, life, r.Claims
	sealed, err := k.SealBinary(nil, manifestPlace(r.Key), m.encode())
	if err != nil {
		return nil, err
	}
	nextBody.Key, nextBody.Manifest = w, sealed
	next.Index = record.SetTerm(r.Index, record.TermKey, w.KeyID)
	next.Body = Body{nextBody.Append(nil)}
	_, err = verify(&next, &nextBody, life, k)
	return &next, err
}

// readBack reads a record that was written and opens it again. If someone else wrote it since, they
// opened it, and only the ID of its key is compared.
func (r *rewrap) readBack(ctx context.Context, wrote *Record, w crypto.Wrapped, k *crypto.DataKey) error {
	got, err := r.store.Get(ctx, wrote.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return errReadBack // what is deleted leaves a tombstone
	case err != nil:
		return err
	case got.Deleted:
		return errMoved
	}
	body, life, err := decodeBody(got.Body)
	switch {
	case got.Revision > wrote.Revision && err != nil:
		return err
	case got.Revision > wrote.Revision && body.Key.KeyID != w.KeyID:
		return errMoved
	case got.Revision > wrote.Revision:
		return nil
	case err != nil || body.Key.KeyID != w.KeyID || !bytes.Equal(body.Key.Bytes, w.Bytes):
		return errReadBack
	}
	if _, err := verify(got, body, life, k); err != nil {
		return errReadBack
	}
	return nil
}

// RekeyRequest is the request of [Service.Rekey].
type RekeyRequest struct {
	Guard
	ID     string
	Reason string // for the event
}

// Rekey gives an installation a new data key, and seals every secret and the rest of the record under it in one commit. It is for a data
// key, or a key-encryption key, that someone may have seen, where [Service.Rewrap] is not enough: it takes away what the old
// data key could open, but for backups and, until their time is up, the answers kept for idempotency keys. It is also the way to another
// cipher suite: everything is sealed with that of the keys. Nothing else changes, and neither do the claims, whatever Options.Claims would
// say by now; the revision grows by one and an event tells of it.
//
// Answers that are kept for the idempotency keys of earlier requests were sealed under the old data key: those requests, if sent
// again, are answered with the present state and not compared. An Invite that is sent again gets no code, since that was in the first
// answer alone; the code that was given out still opens.
//
// It is for the host. Errors: [ErrNotFound], [ErrForbidden], [ErrSealed] if a secret does not open, as a damaged one is not dropped
// silently, or if the primary key opens none of the records tried which are stored under its id; [crypto.ErrSuite] if this process may not use the suite of one; [ErrShredded], those of keys, guards and the store.
func (s *Service) Rekey(ctx context.Context, req RekeyRequest) (*Result, error) {
	req.Present = true
	m := mutation{method: "rekey", request: req, guard: req.Guard, id: req.ID, actions: []Action{ActionMaintain}}
	m.check = func(l *validate.List) { l.Text("reason", req.Reason, validate.MaxMessage) }
	m.apply = func(ctx context.Context, st *state, _ time.Time) (*step, error) {
		plain := make(map[Ref][]byte)
		defer func() {
			for _, text := range plain {
				clear(text)
			}
		}()
		for _, ref := range slices.SortedFunc(maps.Keys(st.secrets()), compareRefs) {
			text, err := st.unsealValue(ref)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", ref, err)
			}
			plain[ref] = text
		}
		if st.wrapped.KeyID != s.keys.Primary() { // else the record has just shown that it is the right one
			if err := s.tryToWrap(ctx, crypto.Uncached(s.keys)); err != nil {
				return nil, err
			}
		}
		if err := s.newDataKey(ctx, st); err != nil {
			return nil, err
		}
		last := st.number
		for ref, text := range plain {
			number := st.secrets()[ref].number
			if err := st.seal(ref, text); err != nil {
				return nil, err
			}
			st.values[ref] = secret{st.values[ref].sealed, number} // the value is the same
		}
		st.number = last
		st.sameClaims = true
		return &step{events: []EventType{EventRekeyed}, reason: req.Reason}, nil
	}
	return s.mutate(ctx, m)
}
