package boltstore

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// TestVerifyNamesKeys removes, adds and changes keys that follow from a record, an outcome and an
// event. Verify counts each of them.
func TestVerifyNamesKeys(t *testing.T) {
	key := installation.Key{Tenant: "tenant", ID: "a"}
	now := time.Date(2100, 1, 2, 0, 0, 0, 0, time.UTC)
	change := installation.Change{
		Op: [16]byte{1}, Now: now, Key: key,
		Record: &installation.Record{Key: key, Revision: 1, Created: now, Index: []string{"all"},
			Claims: []string{"claim"}},
		Idempotency: &installation.Outcome{Until: now.Add(time.Hour)},
		Events:      []installation.Event{{Key: key}},
	}
	listed := listsOf(change.Record)[0]
	claim := claimsOf(change.Record)[0]
	expires := storekey.Until(change.Idempotency.Until, key.Tenant, change.Idempotency.Digest)
	stray := storekey.Claim(key.Tenant, "stray")
	for name, c := range map[string]struct {
		edit func(*tx) error
		want map[ProblemKind]int64
	}{
		"nothing": {func(t *tx) error { return nil }, nil},
		"a list position is missing": {
			func(t *tx) error { return t.remove(bucketLists, listed) },
			map[ProblemKind]int64{ProblemMissingKey: 1},
		},
		"an expiry is missing": {
			func(t *tx) error { return t.remove(bucketExpiry, expires) },
			map[ProblemKind]int64{ProblemMissingKey: 1},
		},
		"an event of a tenant is missing": {
			func(t *tx) error {
				return t.remove(bucketLogs, storekey.TenantEvent(key.Tenant, 1))
			},
			map[ProblemKind]int64{ProblemMissingKey: 1},
		},
		"a claim belongs to nobody": {
			func(t *tx) error { return t.put(bucketClaims, stray, []byte("b")) },
			map[ProblemKind]int64{ProblemStaleKey: 1},
		},
		"a claim belongs to another record": { // named by its record, and left over
			func(t *tx) error { return t.put(bucketClaims, claim, []byte("b")) },
			map[ProblemKind]int64{ProblemStaleKey: 2},
		},
		"one is missing and another left over": {
			func(t *tx) error {
				if err := t.remove(bucketClaims, claim); err != nil {
					return err
				}
				return t.put(bucketClaims, stray, []byte("a"))
			},
			map[ProblemKind]int64{ProblemMissingKey: 1, ProblemStaleKey: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "store.db"), &Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Commit(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			if err := s.update(t.Context(), c.edit); err != nil {
				t.Fatal(err)
			}
			report, err := s.Verify(t.Context())
			if err != nil || !maps.Equal(report.Found, c.want) {
				t.Errorf("verify: got %v, error %v, want %v", report, err, c.want)
			}
			if report.Records != 1 || report.Outcomes != 1 || report.Events != 1 {
				t.Errorf("checked %+v, want one of each", report)
			}
		})
	}
}
