package redisstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// errStopped ends a scan whose caller wants no more rows.
var errStopped = errors.New("redisstore: stopped")

// Scan implements [installation.Mover]. It reads the keys of one server after another, then the
// outcomes of each bucket. If the slot of a bucket moves meanwhile, or a server is replaced or
// restarted, rows may be missing: Scan then ends with an error that matches
// [installation.ErrUnavailable]. Without the right to INFO, it does not notice a server that was
// replaced or restarted. A damaged record or outcome also ends Scan with such an error;
// [Store.Verify] names all damaged records and outcomes.
func (s *Store) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return func(yield func(installation.Row, error) bool) {
		err := s.scanRows(ctx, func(row installation.Row) error {
			if !yield(row, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(installation.Row{}, fmt.Errorf("scan: %w", err))
		}
	}
}

func (s *Store) scanRows(ctx context.Context, yield func(installation.Row) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	before, err := s.places(ctx)
	if err != nil {
		return err
	}
	nodes, err := s.client.primaries(ctx)
	if err != nil {
		return wrapError(ctx, installation.ErrUnavailable, err)
	}
	for _, node := range nodes {
		next := func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
			return node.Scan(ctx, cursor, s.keys.pattern(), scanBatch).Result()
		}
		err := s.scan(ctx, 1, next, func(ctx context.Context, keys []string) error {
			return s.scanRecords(ctx, keys, yield)
		})
		if err != nil {
			return err
		}
	}
	for _, b := range s.keys.all() {
		next := func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
			return s.client.HScan(ctx, b.fields(), cursor, outcomeScope+"*", scanBatch).Result()
		}
		err := s.scan(ctx, 2, next, func(_ context.Context, found []string) error {
			return s.scanOutcomes(b, found, yield)
		})
		if err == nil { // an empty scan proves nothing if the bucket was lost
			err = s.bucketErrorOr(ctx, b, nil)
		}
		if err != nil {
			return err
		}
	}
	switch after, err := s.places(ctx); {
	case err != nil:
		return err
	case after != before:
		return storecall.Unavailable("a slot moved, or a server was replaced or restarted during " +
			"the scan: rows may be missing; scan again")
	}
	return s.unlessRestored(ctx, nil)
}

// scanRecords yields the rows of the records among the keys in found.
func (s *Store) scanRecords(
	ctx context.Context, found []string, yield func(installation.Row) error,
) error {
	var keys []installation.Key
	for _, f := range found {
		at, k, isRecord := s.keys.recordKey(f)
		if isRecord && s.keys.of(k.Tenant) == at {
			keys = append(keys, k)
		}
	}
	list, err := s.readRecords(ctx, keys)
	if err != nil {
		return err
	}
	for _, is := range list {
		switch {
		case is.damaged:
			return fmt.Errorf("%q: %w", is.key.ID, errDamaged)
		case is.record == nil: // gone, or a placeholder
			continue
		}
		if err := yield(installation.Row{Record: is.record, Ops: is.ops}); err != nil {
			return err
		}
	}
	return nil
}

// scanOutcomes yields the rows of the outcomes in found, which holds fields of bucket b, each
// followed by its value.
func (s *Store) scanOutcomes(
	b bucket, found []string, yield func(installation.Row) error,
) error {
	for i := 0; i+1 < len(found); i += 2 {
		tenant, digest, ok := parseOutcomeField(found[i])
		if !ok || s.keys.of(tenant) != b {
			continue
		}
		o, err := decodeOutcome(digest, found[i+1])
		if err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
		if err := yield(installation.Row{Tenant: tenant, Outcome: o}); err != nil {
			return err
		}
	}
	return nil
}

// Put implements [installation.Mover].
func (s *Store) Put(
	ctx context.Context, now time.Time, row installation.Row,
) (written bool, err error) {
	if err := s.ready(ctx); err != nil {
		return false, err
	}
	if err := row.Validate(); err != nil {
		return false, fmt.Errorf("put: %w", err)
	}
	if row.Outcome != nil {
		written, err = s.putOutcome(ctx, row.Tenant, row.Outcome)
	} else {
		written, err = s.putRecord(ctx, now, row)
	}
	if err == nil {
		noticed := s.unlessRestored(ctx, nil)
		if !written { // else an error would hide that the row is written
			err = noticed
		}
	}
	if err != nil {
		err = fmt.Errorf("put: %w", err)
	}
	return written, err
}

// putRecord commits a change from the stored record, or from nothing, to the record of row. After a
// conflict it reads again. The change has the newest op token of row, so that a retry after a lost
// answer finds what the first try has written.
func (s *Store) putRecord(
	ctx context.Context, now time.Time, row installation.Row,
) (written bool, err error) {
	key := row.Record.Key
	for {
		list, err := s.readRecords(ctx, []installation.Key{key})
		if err != nil {
			return false, err
		}
		c := installation.Change{
			Op: row.Ops[len(row.Ops)-1].Token, Now: now, Epoch: s.meta().epoch,
			Key: key, Record: row.Record,
		}
		switch is := list[0]; {
		case is.damaged:
			return false, errDamaged
		case is.record != nil:
			c.If = is.record.Revision
		}
		if c.If >= row.Record.Revision {
			return false, nil
		}
		_, err = s.apply(ctx, c, row.Ops)
		if !errors.Is(err, installation.ErrConflict) && !errors.Is(err, installation.ErrEpoch) {
			return err == nil || errors.Is(err, installation.ErrNotReplicated), err
		}
	}
}

func (s *Store) putOutcome(
	ctx context.Context, tenant string, o *installation.Outcome,
) (written bool, err error) {
	if err := errors.Join(checkNUL(tenant), checkTimes(o.Until)); err != nil {
		return false, err
	}
	b := s.keys.of(tenant)
	keys := []string{b.index(), b.fields(), b.events()}
	args := []string{"", outcomeField(tenant, o.Digest), outcomeValue(o), "", ""}
	if err := s.limit.check(args); err != nil {
		return false, err
	}
	var reply []string
	var replicas int64
	uncertain, err := s.retry(ctx, func(ctx context.Context, uncertain bool) (err error) {
		used := s.meta()
		args[0], args[4] = used.member(), s.settled(b)
		if uncertain {
			args[3] = "1"
		}
		reply, replicas, err = s.write(ctx, s.outcome, b, used, keys, args)
		return err
	})
	switch {
	case err != nil:
		return false, s.writeError(ctx, uncertain, err, args)
	case len(reply) == 0:
		return false, errReply
	}
	switch reply[0] {
	case "written":
		return true, s.replicated(replicas)
	case "kept":
		return false, nil
	case "broken":
		return false, errDamaged
	case "denied":
		return false, storecall.Unavailable("scripts cannot run %s: %s",
			reply[len(reply)-1], textNoRight)
	}
	return false, errReply
}
