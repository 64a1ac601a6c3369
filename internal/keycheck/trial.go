package keycheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/record"
)

// sampleSize is how many records from each end of the list a key is tested on. One record is not
// enough, because it can be damaged. One end is not enough, because a key that was replaced under
// its ID opens only older or only newer records.
const sampleSize = 10

// MaxUnavailable is how many records in a row a key service can fail on before it counts as
// unavailable. Some services answer for a damaged record as they do when they are down.
const MaxUnavailable = 5

// trial is the result of trying a key on stored records.
type trial struct {
	records int // that were tried, unreadable ones included
	opened  int
}

// finding returns what the result of testing a key says, and err, which is the error of try. It is
// zero if there is no problem.
func (t trial) finding(id string, err error) health.Finding {
	_, wrong := errors.AsType[*crypto.WrongKeyError](err)
	switch {
	case errors.Is(err, crypto.ErrKeyUnavailable):
		return finding(health.Unknown, "key-unavailable",
			"the service of key %s did not answer, so whether it is the right key is unknown", id)
	case wrong:
		return finding(health.Error, "wrong-key",
			"key %s is not the key that the records under its ID were wrapped with", id)
	case err != nil:
		return finding(health.Error, "key-does-not-open",
			"key %s does not open the records under its ID: "+
				"it is another key, or may not be used here", id)
	case t.opened < t.records:
		return finding(health.Warning, "some-records-do-not-open",
			"%d of %d records tried under key %s do not open: "+
				"they are damaged, or under another key of that ID",
			t.records-t.opened, t.records, id)
	}
	return health.Finding{}
}

// TryPrimary returns an error if the primary key does not open what is stored under its ID. No
// other process could open what such a key wraps.
func (c Check) TryPrimary(ctx context.Context) error {
	id := c.Keys.Primary()
	sample, err := c.sample(ctx, id)
	if err != nil {
		return err
	}
	if _, err := c.try(ctx, id, true, sample); err != nil {
		return fmt.Errorf("primary key %s, tried on the records under its ID: %w", id, err)
	}
	return nil
}

// try tests a key. If the key is the primary, try wraps and unwraps a new data key. It then unwraps
// the data keys of records stored under the key. The error is nil if the key opens one of the
// records, or if there is no record to test it on.
func (c Check) try(
	ctx context.Context, id string, primary bool, sample []Record,
) (t trial, err error) {
	if primary {
		if err := c.wrapAndUnwrap(ctx); err != nil {
			return t, err
		}
	}
	var sealed, unavailable error
	failures := 0 // of the service, in a row
	for _, r := range sample {
		t.records++
		if r.Err != nil || r.Wrapped.KeyID != id {
			continue
		}
		switch err := c.unwrap(ctx, r); {
		case ctx.Err() != nil:
			return t, ctx.Err()
		case err == nil:
			t.opened++
			failures = 0
		case errors.Is(err, crypto.ErrKeyUnavailable):
			unavailable = err
			if failures++; failures == MaxUnavailable {
				return t, err
			}
		default:
			sealed, failures = err, 0
		}
	}
	if t.opened > 0 {
		return t, nil
	}
	return t, cmp.Or(sealed, unavailable)
}

// wrapAndUnwrap wraps and unwraps a new data key. It checks that the unwrapped key opens what the
// data key sealed.
func (c Check) wrapAndUnwrap(ctx context.Context) error {
	k, err := crypto.NewDataKey(1, c.Keys.Suite())
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
	w, err := c.Keys.Wrap(ctx, k, binding)
	if err != nil {
		return err
	}
	again, err := c.Keys.Unwrap(ctx, w, binding)
	if err != nil {
		return err
	}
	defer again.Destroy()
	_, err = again.OpenBinary(nil, place, sealed)
	return err
}

// unwrap unwraps the data key of a record.
func (c Check) unwrap(ctx context.Context, r Record) error {
	k, err := c.Keys.Unwrap(ctx, r.Wrapped, r.Binding)
	k.Destroy()
	return err
}

// sample returns records under a key, from both ends of the list.
func (c Check) sample(ctx context.Context, keyID string) (sample []Record, err error) {
	seen := make(map[crypto.Binding]bool)
	for _, reverse := range []bool{false, true} {
		n := 0
		for r, err := range c.Records(ctx, record.TermKey+keyID, sampleSize, reverse) {
			if err != nil {
				return nil, err
			}
			if !seen[r.Binding] {
				seen[r.Binding] = true
				sample = append(sample, r)
			}
			if n++; n == sampleSize {
				break
			}
		}
	}
	return sample, nil
}
