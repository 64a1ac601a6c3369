package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// One of forgetEvery commits looks for what has expired, because the search takes time even if it
// finds nothing. It forgets at most forgetBatch tombstones and as many outcomes. A commit adds at
// most one of each, so any backlog shrinks.
const (
	forgetBatch = 16
	forgetEvery = 8
)

// trimEvery is how many events are written between two trims of the log.
const trimEvery = 256

// Commit implements [installation.Store]. It is one call of a function of the server.
//
// If the answer to a try is lost, Commit tries again: if the change was applied, the record
// remembers the change's op token. The error matches [installation.ErrUnknownOutcome] if the
// deadline comes first. It also does so if a retry is rejected and the record does not prove that
// no try was applied.
func (s *Store) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	var none installation.Receipt
	if err := ctx.Err(); err != nil {
		return none, err
	}
	forget := int64(0)
	if c.Op[0]%forgetEvery == 0 { // the token is random
		forget = forgetBatch
	}
	args, err := s.commitArgs(c, forget)
	if err != nil {
		return none, fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	var a answer
	uncertain, err := s.retry(ctx, s.watched(func(ctx context.Context) (err error) {
		a, err = s.call(ctx, s.db, args)
		return err
	}))
	if err != nil {
		return none, fmt.Errorf("commit %q: %w", c.Key.ID, writeError(ctx, uncertain, err))
	}
	receipt, err := s.receipt(c, a)
	if err != nil {
		if uncertain && errors.Is(err, installation.ErrEpoch) {
			ops, unreadable := decodeOps(a.data)
			if unreadable != nil || !storecall.ReachBack(c, ops) {
				err = storecall.ErrForgotten
			}
		}
		return none, fmt.Errorf("commit %q: %w", c.Key.ID, storecall.Refused(uncertain, err))
	}
	if n := int64(len(c.Events)); a.serial/trimEvery > (a.serial-n)/trimEvery {
		s.trim(ctx)
	}
	return receipt, nil
}

// commitArgs returns the arguments of commit_1 for c, after those that name the namespace.
func (s *Store) commitArgs(c installation.Change, forget int64) ([]any, error) {
	if c.Record != nil && c.Record.Revision <= c.If {
		return nil, fmt.Errorf("%w: revision %d does not follow %d", installation.ErrInvalid,
			c.Record.Revision, c.If)
	}
	args := []any{
		nil, c.Op[:], c.Now.UnixMicro(), c.Epoch, c.If, []byte(c.Key.Tenant), []byte(c.Key.ID),
	}
	args, err := appendRecord(args, c.Record)
	if err != nil {
		return nil, err
	}
	if o := c.Idempotency; o != nil {
		data, err := encode(o)
		if err != nil {
			return nil, err
		}
		args = append(args, o.Digest[:], o.Until.UnixMicro(), data)
	} else {
		args = append(args, nil, nil, nil)
	}
	events := make([][]byte, len(c.Events))
	for i, e := range c.Events {
		if events[i], err = e.MarshalBinary(); err != nil {
			return nil, err
		}
	}
	return append(args, bytesArray(events), forget), nil
}

// appendRecord appends the arguments for a record, which may be nil.
func appendRecord(args []any, r *installation.Record) ([]any, error) {
	if r == nil {
		return append(args, nil, nil, nil, nil, nil, "{}", "{}"), nil
	}
	data, err := encode(r)
	if err != nil {
		return nil, err
	}
	return append(args, data, r.Revision, r.Deleted, r.Created.UnixMicro(), micros(r.Deadline),
		bytesArray(listsOf(r)), bytesArray(bytesOf(r.Claims))), nil
}

// answer is what commit_1 returns. Its comment says what the fields hold.
type answer struct {
	status string
	number int64
	data   []byte
	text   string
	serial int64
}

// call calls commit_1 once.
func (s *Store) call(ctx context.Context, db querier, args []any) (a answer, err error) {
	known := s.known.Load()
	args = append([]any{known.ID, known.Epoch, s.watch.lowest()}, args...)
	err = db.query(ctx, s.text.commit, args, func(r row) error {
		return r.Scan(&a.status, &a.number, &a.data, &a.text, &a.serial)
	})
	return a, err
}

// receipt interprets an answer to c.
func (s *Store) receipt(c installation.Change, a answer) (r installation.Receipt, err error) {
	switch a.status {
	case "applied":
		return installation.Receipt{Revision: a.number}, nil
	case "outcome":
		o := new(installation.Outcome)
		if err := o.UnmarshalBinary(a.data); err != nil {
			return r, err
		}
		return installation.Receipt{Outcome: o}, nil
	case "remembered", "conflict":
		return interpret(c, a)
	}
	return r, s.refusal(c.Key, a)
}

// interpret returns the result of a change from what the stored record remembers.
func interpret(c installation.Change, a answer) (r installation.Receipt, err error) {
	var stored installation.Row
	if a.number > 0 {
		stored.Record = &installation.Record{Key: c.Key, Revision: a.number}
		if stored.Ops, err = decodeOps(a.data); err != nil {
			return r, err
		}
	}
	if receipt, ok := stored.Replay(c); ok {
		return receipt, nil
	}
	return r, stored.Check(c)
}

// refusal returns the error of a change or a row that was not written.
func (s *Store) refusal(key installation.Key, a answer) error {
	switch a.status {
	case "exists":
		return &installation.ExistsError{Key: key, Holder: string(a.data)}
	case "epoch":
		s.adopt(a.namespace())
		return fmt.Errorf("%w: it is %d", installation.ErrEpoch, a.number)
	case "restored":
		return s.restored(a.namespace())
	case "isolation":
		return storecall.Unavailable("the isolation level is %q, and a store needs %q", a.text,
			"read committed")
	}
	return storecall.Unavailable("the function answers %q", a.status)
}

// namespace returns the namespace that an answer names.
func (a answer) namespace() installation.Namespace {
	id, era, _ := strings.Cut(a.text, " ")
	return installation.Namespace{ID: id, Epoch: a.number, Era: era}
}
