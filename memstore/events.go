package memstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// Events implements [installation.EventReader]. Across tenants, events are in the order of
// their commits. A cursor ahead of the log, such as a cursor from before a restart, also returns
// [installation.ErrTrimmed].
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (installation.EventPage, error) {
	var page installation.EventPage
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, fmt.Errorf("events: %w", err)
	}
	txn := s.db.Txn(false)
	after, err := position(txn, q)
	if err != nil {
		return page, err
	}
	index, from := indexTenant, storekey.TenantEvent(q.Tenant, after+1)
	if q.AllTenants {
		index, from = indexID, storekey.Event(after+1)
	}
	page.Next = q.After
	it := must(txn.LowerBound(tableEvents, index, from))
	for len(page.Events) < q.Limit {
		row, ok := it.Next().(*eventRow)
		if !ok || (!q.AllTenants && row.Key.Tenant != q.Tenant) {
			break
		}
		e := row.copyOut()
		page.Events = append(page.Events, e)
		page.Next = e.ID
	}
	return page, nil
}

// position returns the sequence number that the cursor of q names, 0 for the start. It rejects
// the cursor if events after that number are gone, or if the number is ahead of the log.
func position(txn *memdb.Txn, q installation.EventQuery) (uint64, error) {
	if q.After == "" {
		return 0, nil
	}
	after, err := strconv.ParseUint(q.After, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("events: %w: not a cursor", installation.ErrInvalid)
	}
	gone := uint64(0)
	if q.AllTenants {
		if oldest, ok := must(txn.First(tableEvents, indexID)).(*eventRow); ok {
			gone = oldest.seq - 1
		}
	} else {
		trim := first[trimRow](txn, tableTrims, indexID, storekey.Tenant(q.Tenant))
		if trim != nil {
			gone = trim.seq
		}
	}
	if after < gone || after > newest(txn) {
		return 0, fmt.Errorf("events: %w", installation.ErrTrimmed)
	}
	return after, nil
}

// newest returns the sequence number of the last event, or 0.
func newest(txn *memdb.Txn) uint64 {
	if row, ok := must(txn.Last(tableEvents, indexID)).(*eventRow); ok {
		return row.seq
	}
	return 0
}

// appendEvents appends events and trims the oldest events beyond the limit.
func (s *Store) appendEvents(txn *memdb.Txn, events []*eventRow) {
	if len(events) == 0 {
		return
	}
	seq := newest(txn)
	for _, e := range events {
		seq++
		e.seq = seq
		insert(txn, tableEvents, e)
	}
	it := must(txn.Get(tableEvents, indexID))
	for {
		row := it.Next().(*eventRow)
		if row.seq+s.maxEvents > seq {
			return
		}
		remove(txn, tableEvents, row)
		insert(txn, tableTrims, &trimRow{tenant: row.Key.Tenant, seq: row.seq})
	}
}
