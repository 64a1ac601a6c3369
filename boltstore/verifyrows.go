package boltstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// value checks an element of a leaf: its checksum, and the keys that belong to it.
func (v *verification) value(b bucket, n page, i int) {
	key := storekey.Key(n.key(i))
	if n.isBucket(i) {
		v.add(ProblemDamagedValue, b, installation.Key{}, "%v", errBucket)
		return
	}
	value, err := unseal(b, key, n.value(i))
	if err == nil && !bytes.Equal(key, keyFirst) && !bytes.Equal(key, keyLast) {
		v.keys[b]++
		v.sums[b] -= v.hash(key, value)
		err = v.content(b, key, value)
	}
	if err != nil {
		v.add(ProblemDamagedValue, b, installation.Key{}, "%s: %v", describe(b, key), err)
	}
}

// content checks what a value says.
func (v *verification) content(b bucket, key storekey.Key, value []byte) error {
	switch b {
	case bucketMeta:
		return json.Unmarshal(value, new(meta))
	case bucketRecords, bucketOutcomes:
		return v.row(b, key, value)
	case bucketEvents:
		var e installation.Event
		if err := e.UnmarshalBinary(value); err != nil {
			return err
		}
		v.report.Events++
		v.expect(bucketLogs, e.Key, storekey.TenantEvent(e.Key.Tenant, number(key)), nil)
	case bucketLogs:
		if len(value) > 0 { // how far the log of a tenant was trimmed
			v.proven[b]++
			v.sums[b] += v.hash(key, value)
		}
	}
	return nil
}

// row checks a record or an outcome.
func (v *verification) row(b bucket, key storekey.Key, value []byte) error {
	var row installation.Row
	if err := row.UnmarshalBinary(value); err != nil {
		return err
	}
	if err := row.Validate(); err != nil {
		return err
	}
	if row.Outcome != nil {
		v.report.Outcomes++
		at := storekey.Outcome(row.Tenant, row.Outcome.Digest)
		if b != bucketOutcomes || !bytes.Equal(at, key) {
			return errMisplaced
		}
		for _, k := range expiryOf(row) {
			v.expect(bucketExpiry, installation.Key{Tenant: row.Tenant}, k, nil)
		}
		return nil
	}
	v.report.Records++
	r := row.Record
	if b != bucketRecords || !bytes.Equal(storekey.Record(r.Key), key) {
		return errMisplaced
	}
	for _, k := range listsOf(r) {
		v.expect(bucketLists, r.Key, k, nil)
	}
	for _, k := range claimsOf(r) {
		v.expect(bucketClaims, r.Key, k, []byte(r.Key.ID))
	}
	return nil
}

var errMisplaced = errors.New("the row belongs to another key")

// expect checks that a bucket has a key with a value.
func (v *verification) expect(b bucket, of installation.Key, key storekey.Key, value []byte) {
	if !v.exact {
		v.sums[b] += v.hash(key, value)
		return
	}
	found, err := v.s.get(b, key)
	switch {
	case err != nil: // the walk over that bucket reports the page
	case found == nil:
		v.add(ProblemMissingKey, b, of, "%s is missing", describe(b, key))
	case !bytes.Equal(found, value):
		v.add(ProblemStaleKey, b, of, "%s belongs to another record", describe(b, key))
	default:
		v.proven[b]++
	}
}

// derived are the buckets whose keys follow from other buckets.
var derived = []bucket{bucketLists, bucketClaims, bucketExpiry, bucketLogs}

// hash returns the hash of a key with its value.
func (v *verification) hash(key, value []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(v.seed)
	_, _ = h.Write(key)
	_ = h.WriteByte(0)
	_, _ = h.Write(value)
	return h.Sum64()
}

// sumsAgree reports whether the derived buckets have the keys that they should have.
func (v *verification) sumsAgree() bool {
	return !slices.ContainsFunc(derived, func(b bucket) bool { return v.sums[b] != 0 })
}

// staleKeys reports keys that belong to nothing.
func (v *verification) staleKeys() error {
	if !v.exact {
		return v.ctx.Err()
	}
	for _, b := range derived {
		if more := v.keys[b] - v.proven[b]; more > 0 {
			v.add(ProblemStaleKey, b, installation.Key{},
				"%d keys belong to no record, outcome or event", more)
		}
	}
	return v.ctx.Err()
}

// describe names a key in a message. It cuts a long key, and leaves out a claim, because the host
// may take claims from personal data.
func describe(b bucket, key storekey.Key) string {
	if b != bucketClaims {
		return fmt.Sprintf("the key %q", key[:min(len(key), 100)])
	}
	tenant, _, ok := bytes.Cut(key, []byte{0})
	if !ok { // the key is damaged, and all of it may be a claim
		return "a claim"
	}
	return fmt.Sprintf("a claim of the tenant %q", tenant)
}
