package faults

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-installation/installation"
)

// rules says which rules of the design a store breaks. The zero value breaks none. Each field is
// one line of the tables in docs/faults.md: the walk has to notice each of them.
type rules struct {
	newChange     bool // after a lost answer, the service builds a new change
	ifProves      bool // stored revision = If counts as "not applied"
	countIgnored  bool // only the oldest op entry is looked at, not the number of entries
	oldestIgnored bool // a full memory without the token counts as "not applied"
	markIgnored   bool // a change with a record and one without look the same
	retryOfEvent  bool // a retry of an event alone is applied again if the token may be forgotten

	epochProves  bool // another epoch counts as "not applied" although the token may be forgotten
	epochIgnored bool // Commit does not compare Change.Epoch
	countedEpoch bool // the new epoch is the old one plus 1, whatever the time
	noEra        bool // the era is only the number of the epoch
	blindAccept  bool // an accept writes its epoch without a comparison
	ownTarget    bool // each bucket gets an epoch of its own
}

// buckets is the number of parts of a server. Each part has an epoch of its own.
const buckets = 2

func bucketOf(tenant string) int { return len(tenant) % buckets }

// entry is what a record remembers of one change.
type entry struct {
	op         [16]byte
	revision   int64
	withRecord bool
}

// row is a stored record and the last changes of it, the oldest first.
type row struct {
	record  *installation.Record
	entries []entry
}

type outcomeKey struct {
	tenant string
	digest installation.Digest
}

// state is everything that a backup contains. Rows, outcomes and events are never changed in place,
// so a copy shares them.
type state struct {
	rows     map[installation.Key]row
	outcomes map[outcomeKey]installation.Outcome
	log      []installation.Event
	meta     [buckets]installation.Namespace
}

func (s state) copy() state {
	s.rows, s.outcomes = maps.Clone(s.rows), maps.Clone(s.outcomes)
	s.log = slices.Clip(s.log)
	return s
}

// applied is a change as the server applied it, with the epoch of the moment. No restore removes
// it.
type applied struct {
	installation.Change
	epoch int64
	life  int // how many restores came before
}

// server is a store in memory without a network. Only the walks of this package use it: it is
// written for them, so that a fault of another store cannot hide in it.
type server struct {
	mu    sync.Mutex
	broke rules
	state
	history []applied
	lives   int  // restores so far
	eras    int  // eras given out so far
	lowered bool // an accept has lowered an epoch
}

func newServer(broke rules) *server {
	s := &server{broke: broke}
	s.rows = map[installation.Key]row{}
	s.outcomes = map[outcomeKey]installation.Outcome{}
	for b := range s.meta {
		s.meta[b].ID = "namespace"
	}
	return s
}

// fork returns another server with the same content. It has no history.
func (s *server) fork(broke rules) *server {
	return &server{broke: broke, state: s.copy(), lives: s.lives, eras: s.eras}
}

// backup returns the present state.
func (s *server) backup() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copy()
}

// restore puts an earlier state back.
func (s *server) restore(b state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = b.copy()
	s.lives++
}

func (s *server) get(key installation.Key) (*installation.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[key]
	if !ok {
		return nil, installation.ErrNotFound
	}
	return copyRecord(r.record), nil
}

func (s *server) outcome(tenant string, d installation.Digest) (*installation.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.outcomes[outcomeKey{tenant, d}]
	if !ok {
		return nil, installation.ErrNotFound
	}
	o.Data = slices.Clone(o.Data)
	return &o, nil
}

// list returns one page. The cursor is the key of the last record in it.
func (s *server) list(q installation.Query) installation.Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*installation.Record
	for key, r := range s.rows {
		due := !r.record.Deadline.IsZero() && !r.record.Deadline.After(q.DueBefore)
		wanted := due
		if q.Term != "" {
			wanted = slices.Contains(r.record.Index, q.Term) &&
				q.AllTenants == installation.GlobalTerm(q.Term)
		}
		if !r.record.Deleted && wanted && (q.AllTenants || key.Tenant == q.Tenant) {
			found = append(found, copyRecord(r.record))
		}
	}
	slices.SortFunc(found, func(a, b *installation.Record) int { return byPlace(q, a, b) })
	if q.Reverse && q.Term != "" {
		slices.Reverse(found)
	}
	if q.After != "" {
		for i, r := range found {
			if place(r) == q.After {
				found = found[i+1:]
				break
			}
		}
	}
	found = found[min(q.Skip, len(found)):]
	var page installation.Page
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = place(found[q.Limit-1])
	}
	page.Records = found
	return page
}

// place returns the position of a record in a list, in printable form. It sorts as the key does.
func place(r *installation.Record) string {
	return hex.EncodeToString([]byte(r.Key.Tenant + "\x00" + r.Key.ID))
}

func byPlace(q installation.Query, a, b *installation.Record) int {
	at, bt := a.Created, b.Created
	if q.Term == "" {
		at, bt = a.Deadline, b.Deadline
	}
	return cmp.Or(at.Compare(bt), strings.Compare(place(a), place(b)))
}

// events returns one page of the log. A cursor is the ID of an event.
func (s *server) events(q installation.EventQuery) (page installation.EventPage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := q.Validate(); err != nil {
		return page, err
	}
	page.Next = q.After
	passed := q.After == ""
	for _, e := range s.log {
		switch {
		case !passed:
			passed = e.ID == q.After
		case q.AllTenants || e.Key.Tenant == q.Tenant:
			if len(page.Events) == q.Limit {
				return page, nil
			}
			page.Events, page.Next = append(page.Events, copyEvent(e)), e.ID
		}
	}
	if !passed {
		return page, installation.ErrTrimmed
	}
	return page, nil
}

func copyRecord(r *installation.Record) *installation.Record {
	c := *r
	c.Index, c.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
	return &c
}

func copyEvent(e installation.Event) installation.Event {
	e.Changed = slices.Clone(e.Changed)
	return e
}

// expired reports whether a server may forget a tombstone.
func (r row) expired(now time.Time) bool {
	return r.record.Deleted && !r.record.Deadline.IsZero() && !now.Before(r.record.Deadline)
}
