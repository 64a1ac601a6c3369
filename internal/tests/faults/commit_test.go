package faults

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-installation/installation"
)

// commit applies one try of c. If uncertain, an earlier try of c may have been applied.
func (s *server) commit(
	c installation.Change, uncertain bool,
) (receipt installation.Receipt, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[c.Key]
	for _, e := range r.entries {
		if e.op == c.Op {
			return installation.Receipt{Revision: e.revision, Replayed: true}, nil
		}
	}
	if c.Epoch != s.meta[bucketOf(c.Key.Tenant)].Epoch && !s.broke.epochIgnored {
		if uncertain && !s.broke.epochProves && !reachesBack(c, r.entries) {
			return receipt, installation.ErrUnknownOutcome
		}
		return receipt, installation.ErrEpoch
	}
	if c.Idempotency != nil {
		o, ok := s.outcomes[outcomeKey{c.Key.Tenant, c.Idempotency.Digest}]
		if ok && c.Now.Before(o.Until) {
			o.Data = slices.Clone(o.Data)
			return installation.Receipt{Outcome: &o}, nil
		}
	}
	if err := s.checkRevision(r, c, uncertain); err != nil {
		return receipt, err
	}
	if c.Record != nil {
		for _, claim := range c.Record.Claims {
			if holder := s.holder(c.Key.Tenant, claim); holder != "" && holder != c.Key.ID {
				return receipt, &installation.ExistsError{Key: c.Key, Holder: holder}
			}
		}
	}
	return installation.Receipt{Revision: s.apply(r, c)}, nil
}

func (s *server) checkRevision(r row, c installation.Change, uncertain bool) error {
	var stored int64
	if r.record != nil {
		stored = r.record.Revision
	}
	if stored != c.If || r.record == nil && c.Record == nil {
		return &installation.ConflictError{
			Key: c.Key, Revision: stored, NotApplied: s.neverApplied(c, stored, r.entries),
		}
	}
	if c.Record != nil && c.Record.Revision <= c.If {
		return fmt.Errorf("%w: revision %d does not follow %d",
			installation.ErrInvalid, c.Record.Revision, c.If)
	}
	if uncertain && c.Record == nil && !s.broke.retryOfEvent && !reachesBack(c, r.entries) {
		return installation.ErrUnknownOutcome
	}
	return nil
}

// reachesBack reports whether the memory of a record reaches back to before c. If it does and lacks
// the token of c, no try of c was applied.
func reachesBack(c installation.Change, entries []entry) bool {
	if len(entries) < installation.RememberedOps {
		return true
	}
	oldest := entries[0]
	if c.Record != nil {
		return oldest.revision <= c.If
	}
	return oldest.revision < c.If || oldest.revision == c.If && oldest.withRecord
}

// neverApplied reports whether the entries of a record prove that no try of c was applied, and that
// none will be.
func (s *server) neverApplied(c installation.Change, stored int64, entries []entry) bool {
	switch {
	case stored <= c.If:
		return false
	case s.broke.oldestIgnored:
		return true
	case s.broke.countIgnored && len(entries) > 0:
		return entries[0].revision <= c.If
	case s.broke.markIgnored && len(entries) == installation.RememberedOps:
		return entries[0].revision <= c.If
	}
	return reachesBack(c, entries)
}

// holder returns the ID of the record that has a claim, or "".
func (s *server) holder(tenant, claim string) string {
	for key, r := range s.rows {
		if key.Tenant == tenant && slices.Contains(r.record.Claims, claim) {
			return key.ID
		}
	}
	return ""
}

// apply stores c and returns the revision after it.
func (s *server) apply(old row, c installation.Change) int64 {
	for key, r := range s.rows {
		if r.expired(c.Now) && key != c.Key {
			delete(s.rows, key)
		}
	}
	next := old.record
	if c.Record != nil {
		next = copyRecord(c.Record)
	}
	entries := append(slices.Clone(old.entries), entry{c.Op, next.Revision, c.Record != nil})
	entries = entries[max(0, len(entries)-installation.RememberedOps):]
	s.rows[c.Key] = row{next, entries}
	if o := c.Idempotency; o != nil {
		kept := *o
		kept.Data = slices.Clone(o.Data)
		s.outcomes[outcomeKey{c.Key.Tenant, o.Digest}] = kept
	}
	for _, e := range c.Events {
		e = copyEvent(e)
		e.ID = strconv.Itoa(len(s.log) + 1)
		s.log = append(s.log, e)
	}
	epoch := s.meta[bucketOf(c.Key.Tenant)].Epoch
	s.history = append(s.history, applied{Change: c, epoch: epoch, life: s.lives})
	return next.Revision
}
