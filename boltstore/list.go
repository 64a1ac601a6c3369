package boltstore

import (
	"context"
	"fmt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// ctxEvery is the number of keys between two checks of the context.
const ctxEvery = 1024

// List implements [installation.Store]. A record that is damaged is in the page with its Key only.
func (s *Store) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	var page installation.Page
	if err := ctx.Err(); err != nil {
		return page, err
	}
	sp, err := storekey.SpanOf(q)
	if err == nil {
		err = s.view(ctx, func(t *tx) (err error) {
			page, err = t.page(ctx, sp, q)
			return err
		})
	}
	if err != nil {
		return installation.Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

func (t *tx) page(
	ctx context.Context, sp storekey.Span, q installation.Query,
) (page installation.Page, err error) {
	c, err := t.walk(bucketLists, sp)
	if err != nil {
		return page, err
	}
	var last storekey.Key
	for n := 0; ; n++ {
		k, _, err := c.next()
		switch {
		case err != nil || k == nil:
			return page, err
		case n%ctxEvery == 0 && ctx.Err() != nil:
			return page, ctx.Err()
		case n < q.Skip:
			continue
		case len(page.Records) == q.Limit:
			page.Next = sp.Cursor(last)
			return page, nil
		}
		r, err := t.listed(sp.Row(k))
		if err != nil {
			return page, err
		}
		page.Records, last = append(page.Records, r), k
	}
}

// listed returns the record at a key of a list. If the record cannot be read, it has only its Key,
// so that one damaged record does not stop a list.
func (t *tx) listed(key storekey.Key) (r *installation.Record, err error) {
	defer func() {
		if p := recover(); p != nil || err != nil { // bbolt panics on a damaged page
			r, err = &installation.Record{Key: storekey.KeyOf(key)}, nil
		}
	}()
	r, err = t.readRecord(key)
	if err == nil && r == nil {
		err = errNoNeighbour
	}
	return r, err
}

// Count implements [installation.Counter]. It walks over the keys of the list.
func (s *Store) Count(ctx context.Context, q installation.Query) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	sp, err := storekey.SpanOf(q.Counted())
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	var n int64
	err = s.view(ctx, func(t *tx) error {
		c, err := t.walk(bucketLists, sp)
		for ; err == nil; n++ {
			var k []byte
			if k, _, err = c.next(); k == nil {
				return err
			}
			if n%ctxEvery == 0 {
				err = ctx.Err()
			}
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return n, nil
}
