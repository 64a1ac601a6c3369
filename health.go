package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-installation/installation/crypto"
)

// Report is what [Service.Check] found.
type Report struct {
	Findings []Finding  // of the store and the keys
	Keys     []KeyCount // of the keys at hand, by id
	Records  int64      // installations of all tenants
}

// KeyCount says how many records have their data key wrapped under a key-encryption key.
type KeyCount struct {
	ID      string
	Primary bool
	Records int64
}

// OK reports whether nothing found puts records at risk.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if f.Level == LevelError {
			return false
		}
	}
	return true
}

// Check reports whether the store can be reached and is safe, how many records each key protects, and whether the keys are the right ones:
// it wraps and unwraps a data key made for the purpose, and unwraps some that are stored under each key, past any cache. A key
// that is wrong, missing or not what it was is found before the first request needs it, and named by its id alone. It is for
// the host, at start-up and for a health endpoint; it writes nothing.
//
// Findings about keys: "key-does-not-open" and "key-missing" are errors; "key-unavailable" says that a key service could not be asked, and
// "records-without-key" that some records are under keys not at hand which a look at the first ten thousand did not find.
//
// Errors: [ErrForbidden], that of the context, [ErrUnavailable] if the store cannot be asked.
func (s *Service) Check(ctx context.Context) (*Report, error) {
	if err := s.maintains(nil); err != nil {
		return nil, err
	}
	report := &Report{}
	if checker, ok := s.store.(HealthChecker); ok {
		findings, err := checker.Health(ctx)
		if err != nil {
			return nil, err
		}
		report.Findings = findings
	} else if _, err := s.store.Get(ctx, Key{ID: "check"}); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err := s.checkKeys(ctx, report); err != nil {
		return nil, err
	}
	return report, nil
}

// checkKeys counts the records under each key and tries the keys.
func (s *Service) checkKeys(ctx context.Context, report *Report) (err error) {
	if report.Keys, err = s.countKeys(ctx); err != nil {
		return err
	}
	counted, err := s.countTerm(ctx, termKey+keyGone)
	if err != nil {
		return err
	}
	if report.Records, err = s.countTerm(ctx, termEverywhere); err != nil {
		return err
	}
	keys := s.uncached()
	for _, k := range report.Keys {
		counted += k.Records
		page, err := s.store.List(ctx, Query{AllTenants: true, Term: termKey + k.ID, Limit: canaries})
		if err != nil {
			return err
		}
		switch err := tryKey(ctx, keys, k, page.Records); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrKeyUnavailable):
			report.add(LevelUnknown, "key-unavailable", "the service of key %s did not answer: whether it is the right key is not known", k.ID)
		case err != nil:
			report.add(LevelError, "key-does-not-open", "key %s does not open what is wrapped under its id: it is another key, or may not be used here", k.ID)
		}
	}
	if report.Records == counted {
		return nil
	}
	missing, all, err := s.missingKeys(ctx, keys)
	if err != nil {
		return err
	}
	for _, id := range missing {
		report.add(LevelError, "key-missing", "records are under key %s, which is not at hand", id)
	}
	if len(missing) == 0 && !all {
		report.add(LevelWarning, "records-without-key", "%d records are under none of the keys at hand", report.Records-counted)
	}
	return nil
}

func (r *Report) add(level Level, rule, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)})
}

// canaries is how many stored records a key is tried on: a few may be damaged themselves.
const canaries = 10

// tryKey opens something under a key: what it wraps now if it is the primary, and one of the records stored under it if there are any.
func tryKey(ctx context.Context, keys crypto.KeyWrapper, k KeyCount, stored []*Record) (err error) {
	if k.Primary {
		if err := tryPrimary(ctx, keys); err != nil {
			return err
		}
	}
	for _, r := range stored {
		if err = tryStored(ctx, keys, r); err == nil || errors.Is(err, ErrKeyUnavailable) {
			break
		}
	}
	return err
}

// tryPrimary wraps a data key that nobody needs, and opens with what comes back what was sealed with it.
func tryPrimary(ctx context.Context, keys crypto.KeyWrapper) error {
	k, err := crypto.NewDataKey(1, keys.Suite())
	if err != nil {
		return err
	}
	defer k.Destroy()
	canary := crypto.Place{Record: "canary", Kind: "canary"}
	sealed, err := k.SealBinary(nil, canary, nil)
	if err != nil {
		return err
	}
	w, err := keys.Wrap(ctx, k, crypto.Binding{Record: canary.Record})
	if err != nil {
		return err
	}
	again, err := keys.Unwrap(ctx, w, crypto.Binding{Record: canary.Record})
	if err != nil {
		return err
	}
	defer again.Destroy()
	_, err = again.OpenBinary(nil, canary, sealed)
	return err
}

// tryStored unwraps the data key of a record.
func tryStored(ctx context.Context, keys crypto.KeyWrapper, r *Record) error {
	f, err := r.Body.open()
	if err != nil {
		return err
	}
	k, err := keys.Unwrap(ctx, f.key, crypto.Binding{Tenant: r.Key.Tenant, Record: r.Key.ID})
	k.Destroy()
	return err
}

// missingKeys looks for keys that records need and that are not at hand. all is false if it gave up before the last record.
func (s *Service) missingKeys(ctx context.Context, keys crypto.KeyWrapper) (ids []string, all bool, err error) {
	known := append(keys.KeyIDs(), keyGone)
	q := Query{AllTenants: true, Term: termEverywhere, Limit: MaxPage}
	for scanned := 0; scanned < maxScan; scanned += q.Limit {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, r := range page.Records {
			if slices.Contains(known, termValue(r.Index, termKey)) {
				continue
			}
			// The keys themselves say so: what a damaged store has for an id is not repeated.
			if unknown, ok := errors.AsType[*crypto.UnknownKeyError](tryStored(ctx, keys, r)); ok && !slices.Contains(ids, unknown.KeyID) {
				ids = append(ids, unknown.KeyID)
			}
		}
		if q.After = page.Next; q.After == "" {
			return ids, true, nil
		}
	}
	return ids, false, nil
}

// countKeys counts the records under each key at hand, by id.
func (s *Service) countKeys(ctx context.Context) ([]KeyCount, error) {
	var counts []KeyCount
	for _, id := range s.keys.KeyIDs() {
		n, err := s.countTerm(ctx, termKey+id)
		if err != nil {
			return nil, err
		}
		counts = append(counts, KeyCount{ID: id, Primary: id == s.keys.Primary(), Records: n})
	}
	return counts, nil
}

// uncached returns the keys without a cache, for where the answer must come from the key itself.
func (s *Service) uncached() crypto.KeyWrapper {
	if c, ok := s.keys.(interface{ Uncached() crypto.KeyWrapper }); ok {
		return c.Uncached()
	}
	return s.keys
}

// countTerm counts the records of all tenants that have a global term.
func (s *Service) countTerm(ctx context.Context, term string) (n int64, err error) {
	q := Query{AllTenants: true, Term: term, Limit: MaxPage}
	if counter, ok := s.store.(Counter); ok {
		return counter.Count(ctx, q)
	}
	for {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return 0, err
		}
		n += int64(len(page.Records))
		if q.After = page.Next; q.After == "" {
			return n, nil
		}
	}
}
