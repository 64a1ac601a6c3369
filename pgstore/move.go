package pgstore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// Scan reads at most scanBatch rows at once, and no further one after scanBytes bytes.
const (
	scanBatch = 100
	scanBytes = 1 << 20
)

// Scan implements [installation.Mover]. It reads batches in the order of the keys, and holds no
// transaction while the caller works.
func (s *Store) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return func(yield func(installation.Row, error) bool) {
		for _, kind := range []struct {
			sql    string
			decode func(row) (r installation.Row, tenant, key []byte, err error)
		}{{s.text.scanRecords, scanRecord}, {s.text.scanOutcomes, scanOutcome}} {
			tenant, key := []byte{}, []byte{}
			for more := true; more; {
				var batch []installation.Row
				args := []any{tenant, key, int64(scanBatch), int64(scanBytes)}
				err := s.read(ctx, func(ctx context.Context) error {
					batch = nil
					return s.db.query(ctx, kind.sql, args, func(found row) (err error) {
						var r installation.Row
						r, tenant, key, err = kind.decode(found)
						batch = append(batch, r)
						return err
					})
				})
				if err != nil {
					yield(installation.Row{}, fmt.Errorf("scan: %w", err))
					return
				}
				for _, r := range batch {
					if !yield(r, nil) {
						return
					}
				}
				more = len(batch) > 0
			}
		}
	}
}

func scanRecord(found row) (r installation.Row, tenant, id []byte, err error) {
	var data, ops []byte
	if err = found.Scan(&data, &ops, &tenant, &id); err != nil {
		return r, nil, nil, err
	}
	r.Record = new(installation.Record)
	if err = r.Record.UnmarshalBinary(data); err == nil {
		r.Ops, err = decodeOps(ops)
	}
	return r, tenant, id, err
}

func scanOutcome(found row) (r installation.Row, tenant, digest []byte, err error) {
	var data []byte
	if err = found.Scan(&data, &tenant, &digest); err != nil {
		return r, nil, nil, err
	}
	r.Tenant, r.Outcome = string(tenant), new(installation.Outcome)
	return r, tenant, digest, r.Outcome.UnmarshalBinary(data)
}

// Put implements [installation.Mover].
func (s *Store) Put(
	ctx context.Context, now time.Time, r installation.Row,
) (written bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := r.Validate(); err != nil {
		return false, fmt.Errorf("put: %w", err)
	}
	if r.Outcome != nil {
		written, err = s.putOutcome(ctx, r)
	} else {
		written, err = s.putRecord(ctx, now, r)
	}
	if err != nil {
		return false, fmt.Errorf("put: %w", err)
	}
	return written, nil
}

func (s *Store) putRecord(
	ctx context.Context, now time.Time, r installation.Row,
) (written bool, err error) {
	key := r.Record.Key
	args, err := appendRecord([]any{
		encodeOps(r.Ops), nil, now.UnixMicro(), nil, nil, []byte(key.Tenant), []byte(key.ID),
	}, r.Record)
	if err != nil {
		return false, err
	}
	args = append(args, nil, nil, nil, "{}", int64(forgetBatch))
	var a answer
	uncertain, err := s.retry(ctx, s.watched(func(ctx context.Context) (err error) {
		a, err = s.call(ctx, s.db, args)
		return err
	}))
	if err != nil {
		return false, writeError(ctx, uncertain, err)
	}
	switch a.status {
	case "applied":
		return true, nil
	case "kept":
		if uncertain { // this row may have been written by an earlier try
			return false, storecall.ErrForgotten
		}
		return false, nil
	}
	err = s.refusal(key, a)
	if uncertain {
		err = storecall.ErrForgotten
	}
	return false, err
}

func (s *Store) putOutcome(
	ctx context.Context, r installation.Row,
) (written bool, err error) {
	data, err := encode(r.Outcome)
	if err != nil {
		return false, err
	}
	uncertain, err := s.retry(ctx, s.watched(func(ctx context.Context) error {
		var in installation.Namespace
		fine, known := false, s.known.Load()
		args := []any{[]byte(r.Tenant), r.Outcome.Digest[:], r.Outcome.Until.UnixMicro(), data,
			known.ID, known.Epoch, s.watch.lowest()}
		err := s.db.query(ctx, s.text.putOutcome, args, func(found row) error {
			return found.Scan(&in.ID, &in.Epoch, &in.Era, &fine, &written)
		})
		if err == nil && !fine {
			err = s.restored(in)
		}
		return err
	}))
	switch {
	case err != nil:
		return false, writeError(ctx, uncertain, err)
	case uncertain && !written:
		return false, storecall.ErrForgotten
	}
	return written, nil
}
