package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"github.com/go-installation/installation/internal/record"
	"iter"
	"slices"
	"strings"

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
// Findings about keys: "key-does-not-open" and "key-missing" are errors; "some-records-do-not-open" warns that a key opens some of the
// records it was tried on, oldest and newest, but not all: those are damaged, or two keys went by one id. "key-unavailable" says that a
// key service could not be asked, and "records-without-key" that some records are under keys not at hand which a look at the first ten
// thousand did not find.
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
		tried, err := tryKey(ctx, keys, k, stored)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrKeyUnavailable):
			report.add(LevelUnknown, "key-unavailable", "the service of key %s did not answer: whether it is the right key is not known", k.ID)
		case err != nil:
			report.add(LevelError, "key-does-not-open", "key %s does not open what is wrapped under its id: it is another key, or may not be used here", k.ID)
		case tried.opened < tried.records:
			report.add(LevelWarning, "some-records-do-not-open", "%d of %d records that are listed under key %s and were tried do not open with it: they are damaged, or under another key of that id", tried.records-tried.opened, tried.records, k.ID)
		}
	}
	if c.elsewhere == 0 {
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
		report.add(LevelWarning, "records-without-key", "%d records are under none of the keys at hand", c.elsewhere)
	}
	return nil
}

func (r *Report) add(level Level, rule, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)})
}

// canaries is how many stored records a key is tried on, from either end of the list: some may be damaged themselves, and a key that was
// exchanged for another under its id shows at one end or the other.
const canaries = 10

// maxUnavailable is how many records in a row a key service may fail on before it is taken to be out of reach: some services say of a
// damaged record what they say when they are down.
const maxUnavailable = 5

// trial is how a key did on stored records.
type trial struct {
	records int // it was tried on, with those that say nothing of it, being unreadable or under another key
	opened  int
}

// tryKey opens something under a key: what it wraps now if it is the primary, and records stored under it. The error is nil if it opens
// some, or if none says anything of it.
func tryKey(ctx context.Context, keys crypto.KeyWrapper, k KeyCount, stored []*Record) (tried trial, err error) {
	if k.Primary {
		if err := tryPrimary(ctx, keys); err != nil {
			return tried, err
		}
	}
	var sealed, unavailable error
	row := 0
	for _, r := range stored {
		tried.records++
		body, _, err := decodeBody(r.Body)
		if err != nil || body.Key.KeyID != k.ID {
			continue
		}
		switch err := tryStored(ctx, keys, r, body); {
		case ctx.Err() != nil:
			return tried, ctx.Err()
		case err == nil:
			tried.opened++
			row = 0
		case errors.Is(err, ErrKeyUnavailable):
			unavailable = err
			if row++; row == maxUnavailable {
				return tried, err
			}
		default:
			sealed, row = err, 0
		}
	}
	if tried.opened > 0 {
		return tried, nil
	}
	return tried, cmp.Or(sealed, unavailable)
}

// sample returns records with a global term, from both ends of the list.
func (s *Service) sample(ctx context.Context, term string) (sample []*Record, err error) {
	seen := make(map[Key]bool)
	for _, reverse := range []bool{false, true} {
		n := 0
		for r, err := range s.records(ctx, Query{AllTenants: true, Term: term, Limit: canaries, Reverse: reverse}) {
			if err != nil {
				return nil, err
			}
			if !seen[r.Key] {
				seen[r.Key] = true
				sample = append(sample, r)
			}
			if n++; n == canaries {
				break
			}
		}
	}
	return sample, nil
}

// tryToWrap refuses a primary key that does not open what is stored under its id: what is wrapped under such a one, nobody else opens.
func (s *Service) tryToWrap(ctx context.Context, keys crypto.KeyWrapper) error {
	id := keys.Primary()
	stored, err := s.sample(ctx, record.TermKey+id)
	if err != nil {
		return err
	}
	if _, err := tryKey(ctx, keys, KeyCount{ID: id, Primary: true}, stored); err != nil {
		return fmt.Errorf("primary key %s, tried on what is under it: %w", id, err)
	}
	return nil
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
func tryStored(ctx context.Context, keys crypto.KeyWrapper, r *Record, body *record.Body) error {
	k, err := keys.Unwrap(ctx, body.Key, crypto.Binding{Tenant: r.Key.Tenant, Record: r.Key.ID})
	k.Destroy()
	return err
}

// missingKeys looks for keys that records need and that are not at hand. all is false if it gave up before the last record.
func (s *Service) missingKeys(ctx context.Context, keys crypto.KeyWrapper) (ids []string, all bool, err error) {
	known := append(keys.KeyIDs(), record.KeyDestroyed)
	scanned := 0
	for r, err := range s.records(ctx, Query{AllTenants: true, Term: record.TermEverywhere, Limit: MaxPage}) {
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
		// The keys themselves say so: what a damaged store has for an id is not repeated.
		if unknown, ok := errors.AsType[*crypto.UnknownKeyError](tryStored(ctx, keys, r, body)); ok && !slices.Contains(ids, unknown.KeyID) {
			ids = append(ids, unknown.KeyID)
		}
	}
	return ids, true, nil
}

// census says what all records are under.
type census struct {
	keys      []KeyCount // of the keys at hand, by id
	records   int64      // of all tenants
	elsewhere int64      // neither under a key at hand, nor without need of one
}

// census counts all records and those under each key at hand. These are several counts, so records that come or go meanwhile can make up
// a difference: one is counted again.
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

// countKeys counts the records under each key at hand, by id.
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

// countTerm counts the records of all tenants that have a global term.
func (s *Service) countTerm(ctx context.Context, term string) (n int64, err error) {
	q := Query{AllTenants: true, Term: term, Limit: MaxPage}
	if counter, ok := s.store.(Counter); ok {
		return counter.Count(ctx, q)
	}
	for _, err := range s.records(ctx, q) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// records are all records that q names, page by page. After an error there are no more.
func (s *Service) records(ctx context.Context, q Query) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		q := q
		for {
			page, err := s.store.List(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == "" {
				return
			}
		}
	}
}

// CanRetire says whether a key may be left out of the keys of every process, the fourth step of a rotation: nil means that no record needs
// it. It reads every record that the store lists across tenants, so that neither a record which is no longer listed under its key nor a
// body that cannot be read passes for "none"; a record that the store lists nowhere, it cannot see. A process that still has the key as
// its primary could put a record under it at any time: promote everywhere first.
//
// It knows of the store alone. What a backup holds under the key is lost with the key.
//
// It is for the host. Errors: [ErrForbidden], [ErrKeyInUse] for the primary and for a key that a record needs, [ErrUnknownKey] for one
// that is not at hand; that of the primary if it does not open what is stored under its id, as then nobody else opens what this process
// rewrapped; whatever keeps it from counting, be it the store or a record that cannot be read.
func (s *Service) CanRetire(ctx context.Context, keyID string) error {
	if err := s.canRetire(ctx, keyID); err != nil {
		return fmt.Errorf("retire: %w", err)
	}
	return nil
}

func (s *Service) canRetire(ctx context.Context, keyID string) error {
	if err := s.maintains(nil); err != nil {
		return err
	}
	switch ids := s.keys.KeyIDs(); {
	case !slices.Contains(ids, keyID):
		// What was given is not repeated: it may be the key itself, by mistake.
		return fmt.Errorf("%w: there are %s", ErrUnknownKey, strings.Join(ids, ", "))
	case keyID == s.keys.Primary():
		return &KeyInUseError{KeyID: keyID, Primary: true}
	}
	if err := s.tryToWrap(ctx, crypto.Uncached(s.keys)); err != nil {
		return err
	}
	inUse, err := s.countTerm(ctx, record.TermKey+keyID)
	if err != nil {
		return err
	}
	found := int64(0)
	for r, err := range s.records(ctx, Query{AllTenants: true, Term: record.TermEverywhere, Limit: MaxPage}) {
		if err != nil {
			return err
		}
		body, _, err := decodeBody(r.Body)
		if err != nil {
			return fmt.Errorf("cannot tell which key %q of tenant %q needs: %w", r.Key.ID, r.Key.Tenant, err)
		}
		if body.Key.KeyID == keyID {
			found++
		}
	}
	if inUse = max(inUse, found); inUse > 0 {
		return &KeyInUseError{KeyID: keyID, Records: inUse}
	}
	return nil
}
