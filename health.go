package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/record"
)

// Report is what [Service.Check] found.
type Report struct {
	Findings []health.Finding // about the store and the keys
	Keys     []KeyCount       // of the available keys, by ID
	Records  int64            // installations of all tenants
}

// KeyCount says how many records have their data key wrapped under a key-encryption key.
type KeyCount struct {
	ID      string
	Primary bool
	Records int64
}

// OK reports whether no finding is an error.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f health.Finding) bool {
		return f.Level == health.Error
	})
}

func (r *Report) add(level health.Level, rule, format string, args ...any) {
	f := health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
	r.Findings = append(r.Findings, f)
}

// Check reports whether the store can be reached and is safe, how many records each key protects,
// and whether the keys are the right ones. To test the keys, it wraps and unwraps a new data key,
// and unwraps some stored data keys under each key, without a cache. So a wrong, missing or changed
// key is found before the first request needs it. Findings name a key by its ID alone.
//
// Call it at start-up and for a health endpoint. It is for the host and writes nothing.
//
// Findings about keys: "wrong-key", "key-does-not-open" and "key-missing" are errors.
// "some-records-do-not-open" warns that a key opens only some of the oldest and newest records
// under its ID: the others are damaged, or two keys had one ID. "key-unavailable" means that a key
// service did not answer. "records-without-key" means that some records are under keys that are not
// available, and that the first ten thousand records do not name these keys. "unvouched-ends" names
// uninstalled installations that wait for a key before [Service.Sweep] purges them.
//
// Errors: [ErrForbidden], those of the context, and [ErrUnavailable] if the store does not answer.
func (s *Service) Check(ctx context.Context) (report *Report, err error) {
	defer inMethod("check", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return nil, err
	}
	report = &Report{}
	if report.Findings, err = s.storeHealth(ctx); err == nil {
		err = s.checkKeys(ctx, report)
	}
	if err == nil {
		err = s.checkEnds(ctx, report)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// storeHealth returns what the store reports of itself. If the store has no reports, one read shows
// whether it answers.
func (s *Service) storeHealth(ctx context.Context) ([]health.Finding, error) {
	found, err := s.store.Health(ctx)
	if !errors.Is(err, ErrUnsupported) {
		return found, err
	}
	if _, err = s.store.Get(ctx, Key{ID: "check"}); errors.Is(err, ErrNotFound) {
		err = nil // a healthy store said so
	}
	return nil, err
}

// checkKeys counts the records under each key and tries the keys.
func (s *Service) checkKeys(ctx context.Context, report *Report) error {
	c, err := s.census(ctx)
	if err != nil {
		return err
	}
	report.Keys, report.Records = c.keys, c.records
	keys := crypto.Uncached(s.keys)
	for _, k := range report.Keys {
		stored, err := s.sample(ctx, record.TermKey+k.ID)
		if err != nil {
			return err
		}
		result, err := tryKey(ctx, keys, k, stored)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report.addKey(k.ID, result, err)
	}
	if c.elsewhere == 0 {
		return nil
	}
	missing, all, err := s.missingKeys(ctx, keys)
	if err != nil {
		return err
	}
	for _, id := range missing {
		report.add(health.Error, "key-missing",
			"records are under key %s, which is not available", id)
	}
	if len(missing) == 0 && !all {
		report.add(health.Warning, "records-without-key",
			"%d records are under none of the available keys", c.elsewhere)
	}
	return nil
}

// addKey adds a finding if testing a key found a problem.
func (r *Report) addKey(id string, result keyTrial, err error) {
	_, wrong := errors.AsType[*crypto.WrongKeyError](err)
	switch {
	case errors.Is(err, ErrKeyUnavailable):
		r.add(health.Unknown, "key-unavailable",
			"the service of key %s did not answer, so whether it is the right key is unknown", id)
	case wrong:
		r.add(health.Error, "wrong-key",
			"key %s is not the key that the records under its ID were wrapped with", id)
	case err != nil:
		r.add(health.Error, "key-does-not-open",
			"key %s does not open the records under its ID: "+
				"it is another key, or may not be used here", id)
	case result.opened < result.records:
		r.add(health.Warning, "some-records-do-not-open",
			"%d of %d records tried under key %s do not open: "+
				"they are damaged, or under another key of that ID",
			result.records-result.opened, result.records, id)
	}
}

// sampleSize is how many records from each end of the list a key is tested on. One record is not
// enough, because it can be damaged. One end is not enough, because a key that was replaced under
// its ID opens only older or only newer records.
const sampleSize = 10

// maxUnavailable is how many records in a row a key service can fail on before it counts as
// unavailable. Some services answer for a damaged record as they do when they are down.
const maxUnavailable = 5

// keyTrial is the result of trying a key on stored records.
type keyTrial struct {
	records int // that were tried, unreadable ones included
	opened  int
}

// tryKey tests a key. If the key is the primary, tryKey wraps and unwraps a new data key. It then
// unwraps the data keys of records stored under the key. The error is nil if the key opens one of
// the records, or if there is no record to test it on.
func tryKey(
	ctx context.Context, keys crypto.KeyWrapper, k KeyCount, stored []*Record,
) (result keyTrial, err error) {
	if k.Primary {
		if err := wrapAndUnwrap(ctx, keys); err != nil {
			return result, err
		}
	}
	var sealed, unavailable error
	failures := 0 // of the service, in a row
	for _, r := range stored {
		result.records++
		body, _, err := decodeBody(r.Body)
		if err != nil || body.Key.KeyID != k.ID {
			continue
		}
		switch err := unwrapStored(ctx, keys, r, body); {
		case ctx.Err() != nil:
			return result, ctx.Err()
		case err == nil:
			result.opened++
			failures = 0
		case errors.Is(err, ErrKeyUnavailable):
			unavailable = err
			if failures++; failures == maxUnavailable {
				return result, err
			}
		default:
			sealed, failures = err, 0
		}
	}
	if result.opened > 0 {
		return result, nil
	}
	return result, cmp.Or(sealed, unavailable)
}

// tryPrimaryKey returns an error if the primary key does not open what is stored under its ID. No
// other process could open what such a key wraps.
func (s *Service) tryPrimaryKey(ctx context.Context, keys crypto.KeyWrapper) error {
	id := keys.Primary()
	stored, err := s.sample(ctx, record.TermKey+id)
	if err != nil {
		return err
	}
	if _, err := tryKey(ctx, keys, KeyCount{ID: id, Primary: true}, stored); err != nil {
		return fmt.Errorf("primary key %s, tried on the records under its ID: %w", id, err)
	}
	return nil
}

// wrapAndUnwrap wraps and unwraps a new data key. It checks that the unwrapped key opens what the
// data key sealed.
func wrapAndUnwrap(ctx context.Context, keys crypto.KeyWrapper) error {
	k, err := crypto.NewDataKey(1, keys.Suite())
	if err != nil {
		return err
	}
	defer k.Destroy()
	place := crypto.Place{Record: "check", Kind: "check"}
	sealed, err := k.SealBinary(nil, place, nil)
	if err != nil {
		return err
	}
	binding := crypto.Binding{Record: place.Record}
	w, err := keys.Wrap(ctx, k, binding)
	if err != nil {
		return err
	}
	again, err := keys.Unwrap(ctx, w, binding)
	if err != nil {
		return err
	}
	defer again.Destroy()
	_, err = again.OpenBinary(nil, place, sealed)
	return err
}

// unwrapStored unwraps the data key of a record.
func unwrapStored(ctx context.Context, keys crypto.KeyWrapper, r *Record, body *record.Body) error {
	k, err := keys.Unwrap(ctx, body.Key, bindingOf(r.Key))
	k.Destroy()
	return err
}

// sample returns records with a global term, from both ends of the list.
func (s *Service) sample(ctx context.Context, term string) (sample []*Record, err error) {
	seen := make(map[Key]bool)
	for _, reverse := range []bool{false, true} {
		n := 0
		q := Query{AllTenants: true, Term: term, Limit: sampleSize, Reverse: reverse}
		for r, err := range s.records(ctx, q) {
			if err != nil {
				return nil, err
			}
			if !seen[r.Key] {
				seen[r.Key] = true
				sample = append(sample, r)
			}
			if n++; n == sampleSize {
				break
			}
		}
	}
	return sample, nil
}

// missingKeys finds the IDs of keys that records need and that are not available. all is false if
// it stopped before the last record.
func (s *Service) missingKeys(
	ctx context.Context, keys crypto.KeyWrapper,
) (ids []string, all bool, err error) {
	known := append(keys.KeyIDs(), record.KeyDestroyed)
	scanned := 0
	for r, err := range s.records(ctx, everywhere) {
		if err != nil {
			return nil, false, err
		}
		if scanned++; scanned > maxScan {
			return ids, false, nil
		}
		if slices.Contains(known, record.TermValue(r.Index, record.TermKey)) {
			continue
		}
		body, _, err := decodeBody(r.Body)
		if err != nil {
			continue
		}
		// Report the ID from the error, which is valid. The ID in a damaged store could be
		// anything.
		unknown, ok := errors.AsType[*crypto.UnknownKeyError](unwrapStored(ctx, keys, r, body))
		if ok && !slices.Contains(ids, unknown.KeyID) {
			ids = append(ids, unknown.KeyID)
		}
	}
	return ids, true, nil
}

// census says which keys all records are under.
type census struct {
	keys      []KeyCount // of the available keys, by ID
	records   int64      // of all tenants
	elsewhere int64      // under a key that is not available
}

// census counts all records and those under each available key. If records come or go between these
// counts, the sums can differ. census then counts again.
func (s *Service) census(ctx context.Context) (c census, err error) {
	for range 3 {
		if c.keys, err = s.countKeys(ctx); err != nil {
			return census{}, err
		}
		counted, err := s.countTerm(ctx, record.TermKey+record.KeyDestroyed)
		if err != nil {
			return census{}, err
		}
		if c.records, err = s.countTerm(ctx, record.TermEverywhere); err != nil {
			return census{}, err
		}
		for _, k := range c.keys {
			counted += k.Records
		}
		if c.elsewhere = max(0, c.records-counted); c.records == counted {
			break
		}
	}
	return c, nil
}

// countKeys counts the records under each available key, by ID.
func (s *Service) countKeys(ctx context.Context) ([]KeyCount, error) {
	var counts []KeyCount
	for _, id := range s.keys.KeyIDs() {
		n, err := s.countTerm(ctx, record.TermKey+id)
		if err != nil {
			return nil, err
		}
		counts = append(counts, KeyCount{ID: id, Primary: id == s.keys.Primary(), Records: n})
	}
	return counts, nil
}

// CanRetire returns nil if no record needs a key. The key can then be removed from every process:
// the fourth step of a rotation. CanRetire reads every record that the store lists across tenants.
// So a record that lost its place under the key still counts, and an unreadable body is an error.
// It cannot see a record that the store lists nowhere. Promote the new key everywhere first: a
// process that still has the old key as its primary can put a record under it at any time.
//
// It looks only at the store. Backups that need the key cannot be opened once the key is gone.
//
// It is for the host. Errors: [ErrForbidden]; [ErrKeyInUse] for the primary key and for a key that
// a record needs; [ErrUnknownKey] for a key that is not available; an error of the primary key if
// that key does not open what is stored under its ID, since other processes then cannot open what
// this process rewrapped; and any error of the store or of a record that prevents counting.
func (s *Service) CanRetire(ctx context.Context, keyID string) (err error) {
	defer inMethod("can retire", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return err
	}
	switch ids := s.keys.KeyIDs(); {
	case !slices.Contains(ids, keyID):
		// Do not repeat the argument: by mistake it could be the key itself.
		return fmt.Errorf("%w: there are %s", ErrUnknownKey, strings.Join(ids, ", "))
	case keyID == s.keys.Primary():
		return &KeyInUseError{KeyID: keyID, Primary: true}
	}
	if err := s.tryPrimaryKey(ctx, crypto.Uncached(s.keys)); err != nil {
		return err
	}
	listed, err := s.countTerm(ctx, record.TermKey+keyID)
	if err != nil {
		return err
	}
	found := int64(0)
	for r, err := range s.records(ctx, everywhere) {
		if err != nil {
			return err
		}
		body, _, err := decodeBody(r.Body)
		if err != nil {
			return fmt.Errorf("record %q of tenant %q does not show which key it needs: %w",
				r.Key.ID, r.Key.Tenant, err)
		}
		if body.Key.KeyID == keyID {
			found++
		}
	}
	if n := max(listed, found); n > 0 {
		return &KeyInUseError{KeyID: keyID, Records: n}
	}
	return nil
}
