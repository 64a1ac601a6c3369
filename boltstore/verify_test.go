package boltstore

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// keyed is the change that the test commits, and the keys that follow from it.
var (
	keyed   = keyedChange()
	listed  = listsOf(keyed.Record)[0]
	claim   = claimsOf(keyed.Record)[0]
	stray   = storekey.Claim(keyed.Key.Tenant, "private b")
	expires = storekey.Until(keyed.Idempotency.Until, keyed.Key.Tenant, keyed.Idempotency.Digest)
)

func keyedChange() installation.Change {
	key := installation.Key{Tenant: "tenant", ID: "a"}
	now := time.Date(2100, 1, 2, 0, 0, 0, 0, time.UTC)
	return installation.Change{
		Op: [16]byte{1}, Now: now, Key: key,
		Record: &installation.Record{Key: key, Revision: 1, Created: now, Index: []string{"all"},
			Claims: []string{"private a"}},
		Idempotency: &installation.Outcome{Until: now.Add(time.Hour)},
		Events:      []installation.Event{{Key: key}},
	}
}

// keyEdits are edits of a file, and what Verify finds then.
var keyEdits = map[string]struct {
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
			return t.remove(bucketLogs, storekey.TenantEvent(keyed.Key.Tenant, 1))
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
	"the value of a claim is damaged": {
		func(t *tx) error {
			in, err := t.in(bucketClaims)
			if err != nil {
				return err
			}
			return in.Put(claim, []byte("bad"))
		},
		map[ProblemKind]int64{ProblemDamagedValue: 1},
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
}

// TestVerifyNamesKeys removes, adds and changes keys that follow from a record, an outcome and an
// event. Verify counts each of them, and its report contains no claim.
func TestVerifyNamesKeys(t *testing.T) {
	for name, c := range keyEdits {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "store.db"), &Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Commit(t.Context(), keyed); err != nil {
				t.Fatal(err)
			}
			if err := s.update(t.Context(), c.edit); err != nil {
				t.Fatal(err)
			}
			report, err := s.Verify(t.Context())
			if err != nil || !maps.Equal(report.Found, c.want) {
				t.Errorf("verify: got %v, error %v, want %v", report, err, c.want)
			}
			for _, p := range report.Problems {
				if strings.Contains(p.String(), "private") {
					t.Errorf("a problem contains a claim: %s", p)
				}
			}
			if report.Records != 1 || report.Outcomes != 1 || report.Events != 1 {
				t.Errorf("checked %+v, want one of each", report)
			}
		})
	}
}
