package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-installation/installation"
)

// Commit implements [installation.Store]. It runs one script on the primary of the tenant's bucket.
//
// Commit retries a try whose answer is lost: the record remembers the change's op token if the
// change was applied. The error matches [installation.ErrUnknownOutcome] if the deadline comes
// first, if the retry is rejected, or if a change without a record may have been forgotten.
// With [Options.RequireReplicas] a nil error means that so many replicas have the change;
// [installation.ErrNotReplicated] means that it was applied but not confirmed.
func (s *Store) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return installation.Receipt{}, err
	}
	receipt, err := s.apply(ctx, c)
	if err != nil {
		err = fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	return receipt, err
}

func (s *Store) apply(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	var none installation.Receipt
	b := s.keys.of(c.Key.Tenant)
	keys, args, err := s.commitArgs(b, c)
	if err != nil {
		return none, err
	}

	var reply []string
	var replicas int64
	uncertain, err := s.retry(ctx, func(ctx context.Context, uncertain bool) (err error) {
		if uncertain {
			args[argUncertain] = "1"
		}
		if s.opts.RequireReplicas == 0 {
			reply, err = s.commit.run(ctx, s.client, keys, args)
		} else {
			reply, replicas, err = s.commit.runAndWait(ctx, s.client, keys, args, s.waitCommand)
		}
		return err
	})
	switch {
	case err != nil && uncertain:
		return none, wrapError(ctx, installation.ErrUnknownOutcome, err)
	case err != nil:
		return none, wrapError(ctx, installation.ErrUnavailable, err)
	}
	receipt, err := readReply(b, c, reply)
	switch {
	case err != nil && uncertain: // an earlier try may have been applied and forgotten
		return none, errForgotten
	case err != nil:
		return none, err
	case replicas < int64(s.opts.RequireReplicas):
		return receipt, &storeError{
			sentinel: installation.ErrNotReplicated,
			text:     fmt.Sprintf("%d of %d replicas have it", replicas, s.opts.RequireReplicas),
		}
	}
	return receipt, nil
}

// errForgotten is the error of a change whose answer was lost and whose op token the record may
// have forgotten.
var errForgotten = &storeError{
	sentinel: installation.ErrUnknownOutcome,
	text: "an answer was lost, and the answer to the retry does not tell whether the change " +
		"was applied; read the record",
}

// Positions in the arguments of the script.
const (
	argUncertain = 19
	fixedArgs    = 20 // the events follow
)

// commitArgs returns the keys and arguments of the script for c. The header of commit.lua
// explains them.
func (s *Store) commitArgs(b bucket, c installation.Change) (keys, args []string, err error) {
	keys = []string{b.meta(), b.record(c.Key), b.index(), b.events(), b.tails()}
	args = make([]string, fixedArgs, fixedArgs+len(c.Events))
	revision := c.If
	if c.Record != nil {
		if c.If == math.MaxInt64 {
			err = fmt.Errorf("%w: no revision follows %d", installation.ErrInvalid, c.If)
			return nil, nil, err
		}
		revision++
	}
	args[0] = s.meta
	args[1] = opEntry(c.Op, revision)
	args[2] = strconv.Itoa(installation.RememberedOps * opEntryBytes)
	args[3] = strconv.FormatInt(c.If, 10)
	args[4] = timeDigits(c.Now)
	if s.opts.RequireReplicas > 0 {
		args[5] = "1"
	}
	args[6] = "none"
	if r := c.Record; r != nil {
		args[6] = "tombstone"
		args[7] = strconv.FormatInt(revision, 10)
		args[8] = strconv.FormatInt(r.Generation, 10)
		args[9] = microseconds(r.Deadline)
		if r.Deleted {
			if !r.Deadline.IsZero() {
				args[14] = timeToLive(c.Now, r.Deadline)
			}
		} else {
			args[6] = "record"
			args[10] = microseconds(r.Created)
			if args[11], err = packMembers(c.Key, r); err != nil {
				return nil, nil, err
			}
			args[12] = string(r.Body.Bytes())
		}
	}
	args[13] = c.Key.ID
	if c.Idempotency != nil {
		keys = append(keys, b.outcome(c.Key.Tenant, c.Idempotency.Digest))
		args[15] = outcomeValue(c.Idempotency)
		args[16] = timeToLive(c.Now, c.Idempotency.Until)
	}
	args[17] = c.Key.Tenant
	args[18] = strconv.Itoa(s.opts.MaxEvents)
	for _, e := range c.Events {
		encoded, err := e.MarshalBinary()
		if err != nil {
			return nil, nil, err
		}
		args = append(args, string(encoded))
	}
	return keys, args, nil
}

// packMembers returns the index members of a record, packed.
func packMembers(k installation.Key, r *installation.Record) (string, error) {
	for _, texts := range [][]string{{k.Tenant, k.ID}, r.Index, r.Claims} {
		if err := checkNUL(texts...); err != nil {
			return "", err
		}
	}
	list := members(r)
	for _, m := range list {
		if len(m) > maxMember {
			return "", fmt.Errorf("%w: a term or claim is too long", installation.ErrInvalid)
		}
	}
	return pack(list), nil
}

// timeToLive returns the milliseconds from now to t, at least 1: a retry of the same change
// must find what the first try has stored.
func timeToLive(now, t time.Time) string {
	left := t.Sub(now) // limited to about 292 years
	ms := int64(left / time.Millisecond)
	if left%time.Millisecond > 0 {
		ms++
	}
	return strconv.FormatInt(max(1, ms), 10)
}

// readReply converts the answer of the script to a receipt or an error.
func readReply(
	b bucket, c installation.Change, reply []string,
) (receipt installation.Receipt, err error) {
	if len(reply) == 0 {
		return receipt, errReply
	}
	detail := reply[len(reply)-1]
	switch reply[0] {
	case "applied":
		receipt.Revision = c.If
		if c.Record != nil {
			receipt.Revision++
		}
		return receipt, nil
	case "replayed":
		if len(detail) != opEntryBytes-len(c.Op) {
			return receipt, errReply
		}
		receipt.Revision = int64(binary.BigEndian.Uint64([]byte(detail)))
		receipt.Replayed = true
		return receipt, nil
	case "outcome":
		receipt.Outcome, err = decodeOutcome(c.Idempotency.Digest, detail)
		return receipt, err
	case "conflict":
		revision, err := strconv.ParseInt(detail, 10, 64)
		if err != nil {
			return receipt, errReply
		}
		return receipt, &installation.ConflictError{Key: c.Key, Revision: revision}
	case "exists":
		return receipt, &installation.ExistsError{Key: c.Key, Holder: detail}
	case "unknown":
		return receipt, errForgotten
	case "foreign":
		return receipt, errForeign(b)
	case "broken":
		return receipt, errDamaged
	default:
		return receipt, errReply
	}
}
