// Package keycheck counts the stored records under each key-encryption key, and tests the keys on
// stored data keys.
package keycheck

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/record"
)

// Check checks the keys of a process against the records of a store, of all tenants. Its methods
// write nothing. Their errors are those of the context and of Count and Records, unless they say
// otherwise.
type Check struct {
	Keys crypto.KeyWrapper // without a cache, which would hide a failure

	// Count returns how many records have an index term.
	Count func(ctx context.Context, term string) (int64, error)

	// Records returns the records with an index term in the order of the store, or in the opposite
	// order if reverse is true. It ends at the first error. page is how many to read at once, and 0
	// means as many as possible.
	Records func(ctx context.Context, term string, page int, reverse bool) iter.Seq2[Record, error]
}

// Record says which key a stored record needs.
type Record struct {
	Binding crypto.Binding // of the data key
	Wrapped crypto.Wrapped // the data key; zero if Err is set
	Listed  string         // ID of the key in the index terms
	Err     error          // why the body does not decode
}

// Count says how many records have their data key wrapped under a key.
type Count struct {
	ID      string // of the key
	Primary bool
	Records int64
}

// Census says which keys all records are under.
type Census struct {
	Keys      []Count // of the available keys, by ID
	Records   int64   // of all tenants
	Elsewhere int64   // under a key that is not available
}

// Census counts all records and those under each available key. If records come or go between these
// counts, the sums can differ. Census then counts again.
func (c Check) Census(ctx context.Context) (sum Census, err error) {
	for range 3 {
		if sum.Keys, err = c.Counts(ctx); err != nil {
			return Census{}, err
		}
		counted, err := c.Count(ctx, record.TermKey+record.KeyDestroyed)
		if err != nil {
			return Census{}, err
		}
		if sum.Records, err = c.Count(ctx, record.TermEverywhere); err != nil {
			return Census{}, err
		}
		for _, k := range sum.Keys {
			counted += k.Records
		}
		if sum.Elsewhere = max(0, sum.Records-counted); sum.Records == counted {
			break
		}
	}
	return sum, nil
}

// Counts counts the records under each available key, by ID.
func (c Check) Counts(ctx context.Context) ([]Count, error) {
	var counts []Count
	for _, id := range c.Keys.KeyIDs() {
		n, err := c.Count(ctx, record.TermKey+id)
		if err != nil {
			return nil, err
		}
		counts = append(counts, Count{ID: id, Primary: id == c.Keys.Primary(), Records: n})
	}
	return counts, nil
}

// Needing counts the records that need a key. It reads all records, and also counts one that lost
// its place in the index. It returns an error if a body does not decode.
func (c Check) Needing(ctx context.Context, keyID string) (int64, error) {
	listed, err := c.Count(ctx, record.TermKey+keyID)
	if err != nil {
		return 0, err
	}
	found := int64(0)
	for r, err := range c.Records(ctx, record.TermEverywhere, 0, false) {
		if err != nil {
			return 0, err
		}
		if r.Err != nil {
			return 0, fmt.Errorf("record %q of tenant %q does not show which key it needs: %w",
				r.Binding.Record, r.Binding.Tenant, r.Err)
		}
		if r.Wrapped.KeyID == keyID {
			found++
		}
	}
	return max(listed, found), nil
}

// Findings counts the records under each key, and tests every available key on some of its records.
// The findings name a key by its ID alone. A problem of a key is a finding and not an error.
func (c Check) Findings(ctx context.Context) (Census, []health.Finding, error) {
	sum, err := c.Census(ctx)
	if err != nil {
		return Census{}, nil, err
	}
	var found []health.Finding
	for _, k := range sum.Keys {
		sample, err := c.sample(ctx, k.ID)
		if err != nil {
			return Census{}, nil, err
		}
		t, err := c.try(ctx, k.ID, k.Primary, sample)
		if ctx.Err() != nil {
			return Census{}, nil, ctx.Err()
		}
		if f := t.finding(k.ID, err); f.Rule != "" {
			found = append(found, f)
		}
	}
	if sum.Elsewhere == 0 {
		return sum, found, nil
	}
	missing, all, err := c.missing(ctx)
	if err != nil {
		return Census{}, nil, err
	}
	for _, id := range missing {
		found = append(found, finding(health.Error, "key-missing",
			"records are under key %s, which is not available", id))
	}
	if len(missing) == 0 && !all {
		found = append(found, finding(health.Warning, "records-without-key",
			"%d records are under none of the available keys", sum.Elsewhere))
	}
	return sum, found, nil
}

func finding(level health.Level, rule, format string, args ...any) health.Finding {
	return health.Finding{Level: level, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}

// maxScan is how many records missing reads at most.
const maxScan = 10_000

// missing finds the IDs of keys that records need and that are not available. all is false if it
// stopped before the last record.
func (c Check) missing(ctx context.Context) (ids []string, all bool, err error) {
	known := append(c.Keys.KeyIDs(), record.KeyDestroyed)
	scanned := 0
	for r, err := range c.Records(ctx, record.TermEverywhere, 0, false) {
		if err != nil {
			return nil, false, err
		}
		if scanned++; scanned > maxScan {
			return ids, false, nil
		}
		if slices.Contains(known, r.Listed) || r.Err != nil {
			continue
		}
		// Report the ID from the error, which is valid. The ID in a damaged store could be
		// anything.
		unknown, ok := errors.AsType[*crypto.UnknownKeyError](c.unwrap(ctx, r))
		if ok && !slices.Contains(ids, unknown.KeyID) {
			ids = append(ids, unknown.KeyID)
		}
	}
	return ids, true, nil
}
