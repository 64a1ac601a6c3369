// Package ownstore is the store that docs/your-own-store.md writes step by step. It keeps sorted
// keys and values, as most databases can. Here they are in a map, and a mutex stands for the
// transaction. It is only an example. For a store in memory, use memstore.
package ownstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-installation/installation"
)

// Store is an [installation.Store]. The zero value is an empty store.
type Store struct {
	mu     sync.Mutex
	values map[string][]byte
	events int64 // number of events in the log
	closed bool
}

var (
	_ installation.Store       = (*Store)(nil)
	_ installation.EventReader = (*Store)(nil)
)

var (
	errDamaged = fmt.Errorf("%w: a row is damaged", installation.ErrUnavailable)
	errCursor  = fmt.Errorf("%w: not a cursor", installation.ErrInvalid)
)

// Close makes the store unavailable.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// begin starts a transaction: it locks the mutex. If it returns nil, the caller has to unlock it.
func (s *Store) begin(ctx context.Context) error {
	s.mu.Lock()
	err := ctx.Err()
	if err == nil && s.closed {
		err = fmt.Errorf("%w: the store is closed", installation.ErrUnavailable)
	}
	if err != nil {
		s.mu.Unlock()
	}
	return err
}

// row returns the row at a key of the database. A key without a value gives the zero Row.
func (s *Store) row(key string) (installation.Row, error) {
	var row installation.Row
	value, ok := s.values[key]
	if !ok {
		return row, nil
	}
	if err := row.UnmarshalBinary(value); err != nil {
		return row, errDamaged
	}
	return row, nil
}

func (s *Store) put(key string, row installation.Row) {
	value, _ := row.MarshalBinary() // never fails
	s.set(key, value)
}

func (s *Store) set(key string, value []byte) {
	if s.values == nil {
		s.values = make(map[string][]byte)
	}
	s.values[key] = value
}

// Get implements [installation.Store].
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	row, err := s.row(recordKey(key))
	if err == nil && row.Record == nil {
		err = installation.ErrNotFound
	}
	return row.Record, err
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	row, err := s.row(outcomeKey(tenant, d))
	if err == nil && row.Outcome == nil {
		err = installation.ErrNotFound
	}
	return row.Outcome, err
}

// Commit implements [installation.Store]. All checks come before the first write.
func (s *Store) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	var none installation.Receipt
	if err := s.begin(ctx); err != nil {
		return none, err
	}
	defer s.mu.Unlock()
	old, err := s.row(recordKey(c.Key))
	if err != nil {
		return none, err
	}
	if receipt, ok := old.Replay(c); ok {
		return receipt, nil
	}
	if c.Epoch != 0 { // a store without Namespacer is in the epoch 0 for ever
		return none, installation.ErrEpoch
	}
	if o := c.Idempotency; o != nil {
		used, err := s.row(outcomeKey(c.Key.Tenant, o.Digest))
		switch {
		case err != nil:
			return none, err
		case used.Outcome != nil && c.Now.Before(used.Outcome.Until):
			return installation.Receipt{Outcome: used.Outcome}, nil
		}
	}
	if err := old.Check(c); err != nil {
		return none, err
	}
	if err := s.checkClaims(c); err != nil {
		return none, err
	}

	row := old.Apply(c)
	if c.Record != nil {
		for _, k := range indexKeys(old.Record) {
			delete(s.values, k)
		}
		for _, k := range indexKeys(c.Record) {
			s.set(k, []byte(recordKey(c.Key)))
		}
	}
	s.put(recordKey(c.Key), row)
	if c.Idempotency != nil {
		o := installation.Row{Tenant: c.Key.Tenant, Outcome: c.Idempotency}
		s.put(outcomeKey(c.Key.Tenant, c.Idempotency.Digest), o)
	}
	for _, e := range c.Events {
		s.events++
		value, _ := e.MarshalBinary() // never fails
		s.set(eventKey(s.events), value)
	}
	return installation.Receipt{Revision: row.Record.Revision}, nil
}

// checkClaims rejects c if another record holds one of its claims.
func (s *Store) checkClaims(c installation.Change) error {
	if c.Record == nil {
		return nil
	}
	for _, claim := range c.Record.Claims {
		holder, taken := s.values[claimKey(c.Key.Tenant, claim)]
		if !taken || string(holder) == recordKey(c.Key) {
			continue
		}
		row, err := s.row(string(holder))
		if err != nil {
			return err
		}
		return &installation.ExistsError{Key: c.Key, Holder: row.Record.Key.ID}
	}
	return nil
}

// List implements [installation.Store].
func (s *Store) List(
	ctx context.Context, q installation.Query,
) (installation.Page, error) {
	var page installation.Page
	if err := s.begin(ctx); err != nil {
		return page, err
	}
	defer s.mu.Unlock()
	if err := q.Validate(); err != nil {
		return page, err
	}
	keys, err := s.after(q)
	if err != nil {
		return page, err
	}
	for _, k := range keys {
		if len(page.Records) == q.Limit {
			page.Next = cursorOf(page.Next[len(prefixOf(q)):])
			return page, nil
		}
		row, err := s.row(string(s.values[k]))
		if err != nil {
			return installation.Page{}, err
		}
		page.Records, page.Next = append(page.Records, row.Record), k
	}
	page.Next = ""
	return page, nil
}

// after returns the keys of the list that q names, after q.After and q.Skip. A database would seek;
// this example sorts all keys.
func (s *Store) after(q installation.Query) ([]string, error) {
	prefix, end := prefixOf(q), endOf(q)
	var keys []string
	for k := range s.values {
		if strings.HasPrefix(k, prefix) && (end == "" || k < end) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if q.Reverse && q.Term != "" {
		slices.Reverse(keys)
	}
	if q.After != "" {
		position, err := positionOf(q.After)
		if err != nil {
			return nil, err
		}
		after := prefix + position
		keys = slices.DeleteFunc(keys, func(k string) bool {
			if q.Reverse && q.Term != "" {
				return k >= after
			}
			return k <= after
		})
	}
	return keys[min(q.Skip, len(keys)):], nil
}

// Events implements [installation.EventReader]. A cursor is the number of the last event.
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	if err := s.begin(ctx); err != nil {
		return installation.EventPage{}, err
	}
	defer s.mu.Unlock()
	if err := q.Validate(); err != nil {
		return installation.EventPage{}, err
	}
	var after int64
	if q.After != "" {
		var err error
		if after, err = strconv.ParseInt(q.After, 10, 64); err != nil || after < 0 {
			return installation.EventPage{}, errCursor
		}
	}
	page := installation.EventPage{Next: q.After}
	for n := after + 1; n <= s.events && len(page.Events) < q.Limit; n++ {
		var e installation.Event
		if err := e.UnmarshalBinary(s.values[eventKey(n)]); err != nil {
			return installation.EventPage{}, errDamaged
		}
		if q.AllTenants || e.Key.Tenant == q.Tenant {
			e.ID = strconv.FormatInt(n, 10)
			page.Events, page.Next = append(page.Events, e), e.ID
		}
	}
	return page, nil
}
