package memstore

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// ctxEvery is the number of rows between two checks of the context.
const ctxEvery = 1024

// List implements [installation.Store].
func (s *Store) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	var page installation.Page
	if err := ctx.Err(); err != nil {
		return page, err
	}
	sp, err := storekey.SpanOf(q)
	if err != nil {
		return page, fmt.Errorf("list: %w", err)
	}
	skip, last := q.Skip, storekey.Key(nil)
	for k, row := range rowsOf(s.db.Txn(false), sp) {
		if skip > 0 {
			skip--
			continue
		}
		if len(page.Records) == q.Limit {
			page.Next = sp.Cursor(last)
			break
		}
		page.Records = append(page.Records, row.copyOut())
		last = k
	}
	return page, nil
}

// Count implements [installation.Counter]. It walks the index without copying records.
func (s *Store) Count(ctx context.Context, q installation.Query) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	sp, err := storekey.SpanOf(q.Counted())
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	var n int64
	for range rowsOf(s.db.Txn(false), sp) {
		if n++; n%ctxEvery == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return n, nil
}

// rowsOf yields the rows of a range in order, each with its key.
//
// go-memdb returns rows without their index keys, and one row can be in several lists. This
// function finds the key of each row by the prefix. The iterator can run on into the next list.
// There it can return a row that is in both lists and was already visited. So the range shrinks to
// the keys not yet visited, and the walk ends at a row whose key is outside of it.
func rowsOf(txn *memdb.Txn, sp storekey.Span) iter.Seq2[storekey.Key, *recordRow] {
	return func(yield func(storekey.Key, *recordRow) bool) {
		lo, hi := sp.Low, sp.High
		seek, from := txn.LowerBound, lo
		if sp.Reverse {
			seek, from = txn.ReverseLowerBound, hi
		}
		it := must(seek(tableRecords, indexLists, from))
		for {
			row, ok := it.Next().(*recordRow)
			if !ok {
				return
			}
			k := row.listed(sp.Prefix)
			if bytes.Equal(k, from) {
				continue // the row that the cursor names
			}
			if k == nil || bytes.Compare(k, lo) <= 0 || bytes.Compare(k, hi) >= 0 ||
				!yield(k, row) {
				return
			}
			if sp.Reverse {
				hi = k
			} else {
				lo = k
			}
		}
	}
}
