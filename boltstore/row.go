package boltstore

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/storekey"
)

// row returns the row at a key of a bucket. If nothing is stored, it returns the zero Row.
func (t *tx) row(b bucket, key storekey.Key) (row installation.Row, err error) {
	value, err := t.get(b, key)
	if err != nil || value == nil {
		return row, err
	}
	return t.decode(b, value)
}

func (t *tx) decode(b bucket, value []byte) (row installation.Row, err error) {
	if err := row.UnmarshalBinary(value); err != nil {
		return row, damaged(t.file.path, "a row in the bucket %q cannot be read: %v", b, err)
	}
	return row, nil
}

// readRecord returns the record at the key of a row, or nil, without the changes that it remembers.
func (t *tx) readRecord(key storekey.Key) (*installation.Record, error) {
	value, err := t.get(bucketRecords, key)
	if err != nil || value == nil {
		return nil, err
	}
	r := new(installation.Record)
	if err := r.UnmarshalRow(value); err != nil {
		return nil, damaged(t.file.path, "a row in the bucket %q cannot be read: %v",
			bucketRecords, err)
	}
	return r, nil
}

func (t *tx) record(key installation.Key) (installation.Row, error) {
	return t.row(bucketRecords, storekey.Record(key))
}

func (t *tx) outcome(tenant string, d installation.Digest) (installation.Row, error) {
	return t.row(bucketOutcomes, storekey.Outcome(tenant, d))
}

// encode returns the stored form of a row, unless it is too long to be read again.
func encode(row installation.Row) ([]byte, error) {
	value, err := row.MarshalBinary()
	if err == nil && len(value) > record.MaxRead {
		err = fmt.Errorf("%w: the row has %d bytes, want at most %d", installation.ErrInvalid,
			len(value), record.MaxRead)
	}
	return value, err
}

// putRecord writes a record or tombstone in place of old, which may be the zero Row, with its
// places in the lists and its claims.
func (t *tx) putRecord(old, row installation.Row) error {
	value, err := encode(row)
	if err != nil {
		return err
	}
	if err := t.put(bucketRecords, storekey.Record(row.Record.Key), value); err != nil {
		return err
	}
	return t.replaceKeys(old.Record, row.Record)
}

// removeRecord removes a record or tombstone, with its places in the lists and its claims.
func (t *tx) removeRecord(old installation.Row) error {
	if err := t.remove(bucketRecords, storekey.Record(old.Record.Key)); err != nil {
		return err
	}
	return t.replaceKeys(old.Record, nil)
}

// replaceKeys replaces the list positions and claims of a record by those of another. Both may be
// nil.
func (t *tx) replaceKeys(old, record *installation.Record) error {
	if err := t.replace(bucketLists, listsOf(old), listsOf(record), nil); err != nil {
		return err
	}
	var holder []byte
	if record != nil {
		holder = []byte(record.Key.ID)
	}
	return t.replace(bucketClaims, claimsOf(old), claimsOf(record), holder)
}

// replace removes the keys of old that are not in keys, and writes value under the keys that are
// not in old.
func (t *tx) replace(b bucket, old, keys []storekey.Key, value []byte) error {
	for _, k := range old {
		if !contains(keys, k) {
			if err := t.remove(b, k); err != nil {
				return err
			}
		}
	}
	for _, k := range keys {
		if !contains(old, k) {
			if err := t.put(b, k, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func contains(keys []storekey.Key, k storekey.Key) bool {
	return slices.ContainsFunc(keys, func(other storekey.Key) bool { return bytes.Equal(other, k) })
}

func listsOf(r *installation.Record) []storekey.Key {
	if r == nil {
		return nil
	}
	return storekey.Lists(r)
}

func claimsOf(r *installation.Record) []storekey.Key {
	if r == nil {
		return nil
	}
	keys := make([]storekey.Key, len(r.Claims))
	for i, claim := range r.Claims {
		keys[i] = storekey.Claim(r.Key.Tenant, claim)
	}
	return keys
}

// checkClaims rejects r, which may be nil, if another record holds one of its claims.
func (t *tx) checkClaims(r *installation.Record) error {
	if r == nil {
		return nil
	}
	for _, k := range claimsOf(r) {
		holder, err := t.get(bucketClaims, k)
		if err != nil {
			return err
		}
		if holder != nil && string(holder) != r.Key.ID {
			return &installation.ExistsError{Key: r.Key, Holder: string(holder)}
		}
	}
	return nil
}

// putOutcome writes an outcome in place of old, which may be the zero Row.
func (t *tx) putOutcome(old, row installation.Row) error {
	value, err := encode(row)
	if err != nil {
		return err
	}
	key := storekey.Outcome(row.Tenant, row.Outcome.Digest)
	if err := t.put(bucketOutcomes, key, value); err != nil {
		return err
	}
	return t.replace(bucketExpiry, expiryOf(old), expiryOf(row), nil)
}

func (t *tx) removeOutcome(old installation.Row) error {
	err := t.remove(bucketOutcomes, storekey.Outcome(old.Tenant, old.Outcome.Digest))
	if err != nil {
		return err
	}
	return t.replace(bucketExpiry, expiryOf(old), nil, nil)
}

// expiryOf returns the position of an outcome in the order of expiry.
func expiryOf(row installation.Row) []storekey.Key {
	if row.Outcome == nil {
		return nil
	}
	return []storekey.Key{storekey.Until(row.Outcome.Until, row.Tenant, row.Outcome.Digest)}
}

// canonical returns a copy of row in which all times are in UTC and cut to microseconds, and a
// tombstone has only the fields of one.
func canonical(row installation.Row) installation.Row {
	if row.Outcome != nil {
		o := *row.Outcome
		o.Until = utcMicros(o.Until)
		row.Outcome = &o
		return row
	}
	r := *row.Record
	if r.Deleted {
		r = installation.Record{Key: r.Key, Revision: r.Revision, Generation: r.Generation,
			Deleted: true, Deadline: r.Deadline}
	}
	r.Created, r.Deadline = utcMicros(r.Created), utcMicros(r.Deadline)
	row.Record = &r
	return row
}

// utcMicros returns t in UTC, cut to microseconds, as the store contract requires.
func utcMicros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

var errTooLong = fmt.Errorf("%w: the tenant is longer than %d bytes", installation.ErrInvalid,
	installation.MaxTenant)
