package memstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
)

// ctxEvery is the number of rows between two checks of the context.
const ctxEvery = 1024

// List implements [installation.Store].
func (s *Store) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	var page installation.Page
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, fmt.Errorf("list: %w", err)
	}
	sp, err := spanOf(q)
	if err != nil {
		return page, err
	}
	skip, last := q.Skip, key(nil)
	for k, row := range sp.rows(s.db.Txn(false)) {
		if skip > 0 {
			skip--
			continue
		}
		if len(page.Records) == q.Limit {
			page.Next = base64.RawURLEncoding.EncodeToString(last[len(sp.prefix):])
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
	q = q.Counted()
	if err := q.Validate(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	sp, err := spanOf(q)
	if err != nil {
		return 0, err
	}
	var n int64
	for range sp.rows(s.db.Txn(false)) {
		if n++; n%ctxEvery == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return n, nil
}

// span is a range of the list index: the keys with prefix between lo and hi, both excluded.
// List puts the prefix of the list before every cursor, so no cursor can point into a different
// list.
type span struct {
	prefix, lo, hi key
	reverse        bool
}

// spanOf returns the range of q, which is valid.
func spanOf(q installation.Query) (span, error) {
	var sp span
	switch {
	case q.AllTenants && q.Term != "":
		sp = all(key{scopeGlobal}.string(q.Term))
	case q.AllTenants:
		sp = until(key{scopeAnyDue}, q.DueBefore)
	case q.Term != "":
		sp = all(key{scopeTerm}.string(q.Tenant).string(q.Term))
	default:
		sp = until(key{scopeDue}.string(q.Tenant), q.DueBefore)
	}
	sp.reverse = q.Reverse && q.Term != ""
	if q.After == "" {
		return sp, nil
	}
	position, err := base64.RawURLEncoding.Strict().DecodeString(q.After)
	if err != nil {
		return span{}, fmt.Errorf("list: %w: not a cursor", installation.ErrInvalid)
	}
	after := bytes.Join([][]byte{sp.prefix, position}, nil)
	if sp.reverse {
		sp.hi = after
	} else {
		sp.lo = after
	}
	return sp, nil
}

// all returns the range of all keys with prefix. The last part of prefix must be a string.
func all(prefix key) span { return span{prefix: prefix, lo: prefix, hi: prefix.end()} }

// until returns the range of keys with prefix and a time not after t.
func until(prefix key, t time.Time) span {
	return span{prefix: prefix, lo: prefix, hi: prefix.endOfTime(t)}
}

// rows yields the rows of the range in order, each with its key.
//
// go-memdb returns rows without their index keys, and one row can be in several lists. This method
// finds the key of each row by the prefix. The iterator can run on into the next list. There it can
// return a row that is in both lists and was already visited. So the range shrinks to the keys not
// yet visited, and the walk ends at a row whose key is outside of it.
func (sp span) rows(txn *memdb.Txn) iter.Seq2[key, *recordRow] {
	return func(yield func(key, *recordRow) bool) {
		lo, hi := sp.lo, sp.hi
		seek, from := txn.LowerBound, lo
		if sp.reverse {
			seek, from = txn.ReverseLowerBound, hi
		}
		it := must(seek(tableRecords, indexLists, from))
		for {
			row, ok := it.Next().(*recordRow)
			if !ok {
				return
			}
			k := row.listed(sp.prefix)
			if bytes.Equal(k, from) {
				continue // the row that the cursor names
			}
			if k == nil || bytes.Compare(k, lo) <= 0 || bytes.Compare(k, hi) >= 0 ||
				!yield(k, row) {
				return
			}
			if sp.reverse {
				hi = k
			} else {
				lo = k
			}
		}
	}
}
