package installation

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/backoff"
	"github.com/go-installation/installation/internal/keycheck"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/validate"
)

// RewrapRequest is the request of [Service.Rewrap].
type RewrapRequest struct {
	Limit    int           // records rewrapped at most; 0 = all
	Interval time.Duration // pause between records, to spare store and key service; 0 = none

	// Progress, if set, is called after each record, before the next one.
	Progress func(RewrapReport)
}

// RewrapReport says what [Service.Rewrap] did, and how many records each key protects.
type RewrapReport struct {
	Before []KeyCount // of the available keys, by ID
	After  []KeyCount // counted again at the end; nil if the run ended before
	// Elsewhere is how many records are under no available key at the end: this process lacks the
	// key, or they lost their place in the index. See Check.
	Elsewhere int64

	Rewrapped int // now under the primary key
	Skipped   int // rewrapped or deleted by someone else meanwhile
	Failed    int // not known to be under the primary key; see the error
}

// Done reports whether every record is under the primary key. Before you remove a key, call
// [Service.CanRetire], which reads every record.
func (r RewrapReport) Done() bool {
	needed := func(k KeyCount) bool { return !k.Primary && k.Records > 0 }
	return r.After != nil && r.Elsewhere == 0 && !slices.ContainsFunc(r.After, needed)
}

// KeyCount says how many records have their data key wrapped under a key-encryption key.
type KeyCount struct {
	ID      string
	Primary bool
	Records int64
}

// keyCounts returns counts as the type that callers know.
func keyCounts(counts []keycheck.Count) (out []KeyCount) {
	for _, c := range counts {
		out = append(out, KeyCount(c))
	}
	return out
}

// maxReasons is how many failures of one run the error names.
const maxReasons = 100

// Rewrap wraps the data keys of all tenants under the primary key: step 3 of a rotation.
//
//  1. Add: give the new key to every process, beside the old primary. From then on every process
//     can unwrap with the new key; none wraps with it.
//  2. Promote: make the new key the primary, first in one process. If [Service.Check] in the other
//     processes finds no wrong key, make it the primary there too. New writes then use the new key.
//  3. Rewrap: bring the existing records under the new key.
//  4. Retire: call [Service.CanRetire], then remove the old key. Outcomes of idempotency keys are
//     not rewrapped: keep the key for Options.IdempotencyTTL after the last process that had it as
//     its primary.
//
// The secrets and their data keys stay as they are. Revisions grow. Rewrap writes no events, since
// one for each record would push all others out of the log. A data key keeps its cipher suite. To
// change the suite, call [Service.Rekey].
//
// Rewrap can run beside readers and writers and on several nodes at once. It can be stopped at any
// time and started again. Each record is one compare-and-swap. Rewrap opens the record under the
// new key before it writes the record, and reads the record back afterwards. It goes on after a
// record that cannot be opened. If a key service fails on five records in a row, Rewrap skips the
// other records under that key. If a record does not read back, the store cannot be trusted, and
// Rewrap ends. If the primary key opens none of the sampled records under its ID, other processes
// have another key under that ID, and Rewrap changes nothing.
//
// It is for the host. The report is valid even with an error. Errors: [ErrForbidden], [ErrInvalid],
// those of the context, of the store and of the primary key, and, joined, one for each of the first
// hundred records that failed.
func (s *Service) Rewrap(ctx context.Context, req RewrapRequest) (RewrapReport, error) {
	r := &rewrap{Service: s, keys: crypto.Uncached(s.keys), req: req}
	if err := r.run(ctx); err != nil {
		r.failures = append(r.failures, fmt.Errorf("rewrap: %w", err))
	}
	return r.report, errors.Join(r.failures...)
}

// rewrap is one run of Rewrap.
type rewrap struct {
	*Service
	keys     crypto.KeyWrapper
	req      RewrapRequest
	report   RewrapReport
	failures []error
	started  bool // a record was worked on, so the next one waits
}

func (r *rewrap) run(ctx context.Context) (err error) {
	err = r.admitMaintenance(func(l *validate.List) {
		l.Range("limit", int64(r.req.Limit), 0, math.MaxInt)
		l.Range("interval", int64(r.req.Interval), 0, int64(time.Hour))
	})
	if err != nil {
		return err
	}
	check := r.keyCheck()
	before, err := check.Counts(ctx)
	if err != nil {
		return err
	}
	r.report.Before = keyCounts(before)
	if err := check.TryPrimary(ctx); err != nil {
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
	after, err := check.Census(ctx)
	r.report.After, r.report.Elsewhere = keyCounts(after.Keys), after.Elsewhere
	return err
}

// walk rewraps the records under one key. The cursor moves past those that failed.
func (r *rewrap) walk(ctx context.Context, id string) error {
	in, err := r.namespace(ctx)
	if err != nil {
		return err
	}
	unavailable := 0 // in a row
	q := Query{AllTenants: true, Term: record.TermKey + id, Limit: sweepPage}
	for stored, err := range r.records(ctx, q) {
		if err != nil {
			return err
		}
		if r.req.Limit > 0 && r.report.Rewrapped >= r.req.Limit {
			return nil
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
		err := r.rewrapRecord(ctx, stored, in)
		if stop := r.count(ctx, stored.Key, err); stop != nil {
			return stop
		}
		if !errors.Is(err, ErrKeyUnavailable) {
			unavailable = 0
		} else if unavailable++; unavailable == keycheck.MaxUnavailable {
			return nil // the other records under this key would fail too
		}
	}
	return nil
}

// pause waits between two records, and between two attempts at one.
func (r *rewrap) pause(ctx context.Context) error {
	if !r.started || r.req.Interval == 0 {
		r.started = true
		return ctx.Err()
	}
	return backoff.Sleep(ctx, r.req.Interval)
}

var (
	// errMoved means that a record does not need to be rewrapped any more.
	errMoved = errors.New("installation: moved or removed meanwhile")
	// errReadBack means that the store cannot be trusted.
	errReadBack = errors.New("installation: the store does not return what was written")
)

// count adds the result for a record to the report. It returns an error if the run must end.
func (r *rewrap) count(ctx context.Context, key Key, err error) (stop error) {
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
		if len(r.failures) < maxReasons {
			r.failures = append(r.failures, failure)
		}
	}
	if r.req.Progress != nil {
		report := r.report
		report.Before = slices.Clone(report.Before)
		r.req.Progress(report)
	}
	return nil
}

// rewrapRecord rewraps one record, and tries again after a conflict if the record is still under
// its old key.
func (r *rewrap) rewrapRecord(ctx context.Context, stored *Record, in Namespace) error {
	key := stored.Key
	retry := backoff.Conflicts{GiveUp: ErrUnavailable}
	for {
		err := r.commitRewrapped(ctx, stored, in.Epoch)
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrEpoch) {
			return err
		}
		if err := retry.Wait(ctx, stored.Revision); err != nil {
			return err
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
		if in, err = r.namespace(ctx); err != nil {
			return err
		}
		stored, err = r.store.Get(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			return errReadBack // it was listed, and a deletion leaves a tombstone
		case err != nil:
			return err
		case stored.Deleted, record.TermValue(stored.Index, record.TermKey) == r.keys.Primary():
			return errMoved
		}
	}
}

// commitRewrapped wraps the data key of a record under the primary key, and commits the record if
// it has not changed since it was read.
func (r *rewrap) commitRewrapped(ctx context.Context, stored *Record, epoch int64) error {
	body, life, err := decodeBody(stored.Body)
	if err != nil {
		return err
	}
	if body.Manifest == nil {
		return missingManifest(body, life)
	}
	k, err := r.keys.Unwrap(ctx, body.Key, bindingOf(stored.Key))
	if err != nil {
		return err
	}
	defer k.Destroy()
	m, err := verify(stored, body, life, k)
	if err != nil {
		return err
	}
	w, err := r.keys.Wrap(ctx, k, bindingOf(stored.Key))
	if err != nil {
		return err
	}
	again, err := r.keys.Unwrap(ctx, w, bindingOf(stored.Key))
	if err != nil {
		return err
	}
	defer again.Destroy()
	m.Epoch = epoch
	next, err := m.rewrapped(stored, body, life, w, k, again)
	if err != nil {
		return err
	}
	c := Change{
		Now: r.now(), Epoch: epoch, Key: stored.Key, If: stored.Revision, Record: next,
	}
	rand.Read(c.Op[:]) // never fails since Go 1.24
	_, err = r.store.Commit(ctx, c)
	unknown := errors.Is(err, ErrUnknownOutcome)
	if err != nil && !unknown && !errors.Is(err, ErrNotReplicated) {
		return err
	}
	missing := r.readBack(ctx, next, w, again)
	if unknown && missing == nil || !unknown && missing != nil {
		return missing // nil means that it was applied
	}
	return err
}

// rewrapped returns the record that follows r, with the data key k in a new wrapping. The manifest
// is sealed again, since it contains the revision. It verifies the result with again, the key that
// came out of the new wrapping. So if a key service wrapped another key, the old wrapping stays.
func (m *manifest) rewrapped(
	r *Record, body *record.Body, life lifecycle, w crypto.Wrapped, k, again *crypto.DataKey,
) (*Record, error) {
	next, nextBody := *r, *body
	next.Revision = max(next.Revision+1, m.Epoch)
	if m.inst.Revision = next.Revision; m.unvouched {
		m.inst.Revision = m.Revision // the seal does not say the end, so it stays as old as it is
	}
	sealed, err := k.SealBinary(nil, manifestPlace(r.Key), m.encode())
	if err != nil {
		return nil, err
	}
	nextBody.Key, nextBody.Manifest = w, sealed
	next.Index = termsOf(m.inst, w.KeyID).List()
	next.Body = Body{nextBody.Append(nil)}
	_, err = verify(&next, &nextBody, life, again)
	return &next, err
}

// readBack reads what was written and opens it again. If someone else wrote the record since, that
// writer has opened it, so only the key ID is compared.
func (r *rewrap) readBack(
	ctx context.Context, wrote *Record, w crypto.Wrapped, k *crypto.DataKey,
) error {
	got, err := r.store.Get(ctx, wrote.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return errReadBack // a deletion leaves a tombstone
	case err != nil:
		return err
	case got.Deleted:
		return errMoved
	}
	body, life, err := decodeBody(got.Body)
	if got.Revision > wrote.Revision {
		if err == nil && body.Key.KeyID != w.KeyID {
			return errMoved
		}
		return err
	}
	if err != nil || body.Key.KeyID != w.KeyID || !bytes.Equal(body.Key.Bytes, w.Bytes) {
		return errReadBack
	}
	if _, err := verify(got, body, life, k); err != nil {
		return errReadBack
	}
	return nil
}

// Rekey gives an installation a new data key, and seals every secret and the manifest again under
// it in one commit. Use it if someone may have seen a data key or a key-encryption key.
// [Service.Rewrap] is not enough then, because it keeps the data key. After Rekey the old data key
// opens only backups. Rekey can also change the cipher suite. Nothing else changes; the claims
// stay. The revision grows, and Rekey writes an event.
//
// A repeat of an earlier request with an idempotency key then gets the present state. A repeated
// Invite returns no code; the code that was given out stays valid.
//
// It is for the host. Errors: [ErrNotFound], [ErrForbidden], [ErrSealed] if a secret does not open
// (Rekey drops no damaged secret) or if the primary key opens none of the sampled records under its
// ID, [crypto.ErrSuite] if this process cannot use the suite of the old data key, [ErrShredded],
// and those of keys, guards and the store.
func (s *Service) Rekey(ctx context.Context, req RekeyRequest) (*Result, error) {
	req.Present = true
	return s.write(ctx, write{
		method: "rekey", request: req, guard: req.Guard, id: req.ID,
		check:   func(l *validate.List) { l.Text("reason", req.Reason, validate.MaxMessage) },
		actions: []Action{ActionMaintain},
		apply: func(ctx context.Context, d *draft) error {
			d.sealEnd()
			d.reason, d.effect = req.Reason, effectKept
			d.events = append(d.events, event.Rekeyed)
			return s.rekey(ctx, d)
		},
	})
}

func (s *Service) rekey(ctx context.Context, d *draft) error {
	plain, failed, err := d.vault().OpenAll()
	defer plain.Wipe()
	if err != nil {
		return fmt.Errorf("%s: %w", redact.Path(failed), err)
	}
	// If the record is under the primary key, that key has just opened it and is the right one.
	if d.wrapped.KeyID != s.keys.Primary() {
		if err := s.keyCheck().TryPrimary(ctx); err != nil {
			return err
		}
	}
	if err := s.newDataKey(ctx, d); err != nil {
		return err
	}
	return d.vault().SealAgain(plain)
}
