package installation

import (
	"context"
	"errors"
	"fmt"
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

// Check reports whether the store can be reached and is safe, and how many records each key protects. Records under none of the keys at hand
// cannot be opened, or were purged without a key; there is a finding if there are any. It is for the host, at start-up and for a
// health endpoint; it writes nothing.
//
// Errors: [ErrForbidden], that of the context, [ErrUnavailable] if the store cannot be asked.
func (s *Service) Check(ctx context.Context) (*Report, error) {
	if !s.can(ActionMaintain, nil) {
		return nil, ErrForbidden
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
	var err error
	if report.Records, err = s.countTerm(ctx, termEverywhere); err != nil {
		return nil, err
	}
	known := int64(0)
	for _, id := range s.keys.KeyIDs() {
		n, err := s.countTerm(ctx, termKey+id)
		if err != nil {
			return nil, err
		}
		known += n
		report.Keys = append(report.Keys, KeyCount{ID: id, Primary: id == s.keys.Primary(), Records: n})
	}
	if other := report.Records - known; other > 0 {
		report.Findings = append(report.Findings, Finding{
			Level: LevelWarning, Rule: "records-without-key",
			Detail: fmt.Sprintf("%d records are under no key at hand: purged without a key, or a key is missing from the keyring", other),
		})
	}
	return report, nil
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
