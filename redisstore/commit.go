package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/storecall"
)

// Commit implements [installation.Store]. It runs one script on the primary of the tenant's
// bucket.
//
// If the answer to a try is lost, Commit tries again: if the change was applied, the record
// remembers the change's op token. The error matches [installation.ErrUnknownOutcome] if the
// deadline comes first, or if a retry is rejected and the record does not prove that no try was
// applied. It also matches if c.Record is nil and the stored record may have forgotten the op
// token. With [Options.RequireReplicas], a nil error means that this many replicas have the change.
// [installation.ErrNotReplicated] means that the change was applied and that too few replicas have
// confirmed it.
func (s *Store) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	if err := s.ready(ctx); err != nil {
		return installation.Receipt{}, err
	}
	receipt, err := s.apply(ctx, c, nil)
	if err == nil {
		_ = s.unlessRestored(ctx, nil) // the script has found this bucket as it was
	}
	if err != nil {
		err = fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	return receipt, err
}

// apply applies c. If ops are given, the record remembers these and not its own.
func (s *Store) apply(
	ctx context.Context, c installation.Change, ops []installation.Op,
) (installation.Receipt, error) {
	var none installation.Receipt
	b := s.keys.of(c.Key.Tenant)
	keys, args, err := s.commitArgs(b, c, ops)
	if err == nil {
		err = s.limit.check(append(slices.Clip(keys), args...))
	}
	if err != nil {
		return none, err
	}

	var reply []string
	var replicas int64
	uncertain, err := s.retry(ctx, func(ctx context.Context, uncertain bool) (err error) {
		if uncertain {
			args[argUncertain] = "1"
		}
		used := s.setNamespace(args, b, c)
		reply, replicas, err = s.write(ctx, s.commit, b, used, keys, args)
		if isSlotMoving(err) {
			s.reserve(ctx, keys[0])
		}
		return err
	})
	if err != nil {
		return none, s.writeError(ctx, uncertain, err, args)
	}
	receipt, err := readReply(c, reply, uncertain)
	if err != nil {
		return none, storecall.Refused(uncertain, err)
	}
	return receipt, s.replicated(replicas)
}

// write runs a script that writes to bucket b once. It waits for replicas if they are required. The
// script expects the meta used.
func (s *Store) write(
	ctx context.Context, sc script, b bucket, used meta, keys, args []string,
) (reply []string, replicas int64, err error) {
	if s.opts.RequireReplicas == 0 {
		reply, err = sc.run(ctx, s.client, keys, args)
	} else {
		reply, replicas, err = sc.runAndWait(ctx, s.client, keys, args, s.waitCommand)
	}
	if err == nil {
		err = s.checkNamespace(ctx, b, used, reply)
	}
	if err != nil {
		return nil, 0, commitError{err}
	}
	return reply, replicas, nil
}

// writeError returns the error of a write whose last try ended with err. The parameter uncertain is
// true if a try may have been applied.
func (s *Store) writeError(ctx context.Context, uncertain bool, err error, args []string) error {
	if uncertain {
		return wrapError(ctx, installation.ErrUnknownOutcome, s.limit.hint(err, args))
	}
	return wrapError(ctx, installation.ErrUnavailable, err)
}

// replicated returns an error if fewer replicas than required have confirmed a write.
func (s *Store) replicated(replicas int64) error {
	if replicas >= int64(s.opts.RequireReplicas) {
		return nil
	}
	return &storecall.Error{
		Sentinel: installation.ErrNotReplicated,
		Text:     fmt.Sprintf("%d of %d replicas have it", replicas, s.opts.RequireReplicas),
	}
}

// placeholderFor is how long a placeholder lives.
const placeholderFor = 2 * time.Second

// reserve writes a placeholder, an empty string, under the key of a record that does not exist.
// While the slot of the key moves, no script can create that key: a key that does not exist is on
// neither server. A command for one key can create it, because the cluster redirects the command to
// the server that receives the slot. Readers and scripts treat a placeholder as no record. If the
// command fails, the next try of the commit fails as this one did.
func (s *Store) reserve(ctx context.Context, key string) {
	_ = s.client.SetNX(ctx, key, "", placeholderFor).Err()
}

// Positions in the arguments of commit.lua.
const (
	argMeta      = 0
	argUncertain = 16
	argSeen      = 18
	argOutdated  = 19
	argEntries   = 20
	fixedArgs    = 21 // the events follow
)

// setNamespace sets those arguments of a try that depend on what the store knows of the namespace.
func (s *Store) setNamespace(args []string, b bucket, c installation.Change) (used meta) {
	used = s.meta()
	args[argMeta], args[argSeen], args[argOutdated] = used.member(), s.settled(b), ""
	if c.Epoch != used.epoch {
		args[argOutdated] = "1"
	}
	return used
}

// checkNamespace returns errAgain if a script has found another namespace than the store knows, and
// the store can follow it.
func (s *Store) checkNamespace(ctx context.Context, b bucket, used meta, reply []string) error {
	if len(reply) == 0 {
		return nil
	}
	switch reply[0] {
	case "foreign":
		return cmp.Or(s.follow(ctx, b, used), errAgain)
	case "missing":
		return cmp.Or(s.compare(ctx), errAgain)
	case "applied":
		if id := reply[len(reply)-1]; id != "" {
			s.watch.saw(b, id)
		}
	}
	return nil
}

// errAgain makes a commit try again: its script has written nothing.
var errAgain error = explained{
	storecall.NotSent{Err: errors.New("redisstore: again")}, "the namespace has changed",
}

// commitArgs returns the keys and arguments of the script for c. The header of commit.lua
// explains them.
func (s *Store) commitArgs(
	b bucket, c installation.Change, ops []installation.Op,
) (keys, args []string, err error) {
	if err := checkChange(c); err != nil {
		return nil, nil, err
	}
	keys = append([]string{b.record(c.Key)}, b.fixed()...)
	args = make([]string, fixedArgs, fixedArgs+len(c.Events))
	args[1] = string(c.Op[:])
	args[2] = number(c.If)
	if s.opts.RequireReplicas > 0 {
		args[3] = "1"
	}
	args[4] = kindOf(c.Record)
	args[5] = number(leadsTo(c))
	if r := c.Record; r != nil {
		args[6] = number(r.Generation)
		args[7] = encodeRest(r)
		if r.Deleted && !r.Deadline.IsZero() {
			args[10] = timeToLive(c.Now, r.Deadline)
		}
	}
	args[8], args[9] = c.Key.Tenant, c.Key.ID
	args[11] = timeDigits(c.Now)
	if o := c.Idempotency; o != nil {
		args[12], args[13] = outcomeField(c.Key.Tenant, o.Digest), outcomeValue(o)
	}
	args[14] = strconv.Itoa(s.opts.MaxEvents)
	args[15] = strconv.Itoa(installation.RememberedOps)
	if ends(c) {
		args[17] = "1"
	}
	args[argEntries] = encodeEntries(ops)
	for _, e := range c.Events {
		encoded, err := e.MarshalBinary()
		if err != nil {
			return nil, nil, err
		}
		args = append(args, string(encoded))
	}
	return keys, args, nil
}

// ends reports whether c ends an installation, or removes what is left of it. Such a change can
// make the record a little larger, because the record then says who ended the installation. The
// change still has to work on a server at its memory limit: nothing else frees memory there, and
// nothing else revokes access.
func ends(c installation.Change) bool {
	return c.Record != nil && (c.Record.Deleted ||
		slices.ContainsFunc(c.Events, func(e installation.Event) bool {
			return e.Type == event.Uninstalled || e.Type == event.Expired ||
				e.Type == event.Purged || e.Type == event.Deleted
		}))
}

// leadsTo returns the revision that the record has after c.
func leadsTo(c installation.Change) int64 {
	if c.Record == nil {
		return c.If
	}
	return c.Record.Revision
}

// checkChange rejects a change that the script could not store.
func checkChange(c installation.Change) error {
	if err := checkNUL(c.Key.Tenant, c.Key.ID); err != nil {
		return err
	}
	times := []time.Time{c.Now}
	if c.Idempotency != nil {
		times = append(times, c.Idempotency.Until)
	}
	r := c.Record
	if r == nil {
		return checkTimes(times...)
	}
	if err := checkTimes(append(times, r.Created, r.Deadline)...); err != nil {
		return err
	}
	if r.Revision <= c.If || r.Generation < 0 {
		return fmt.Errorf("%w: revision %d of generation %d does not follow revision %d",
			installation.ErrInvalid, r.Revision, r.Generation, c.If)
	}
	for _, names := range [][]string{r.Index, r.Claims} {
		if err := checkNUL(names...); err != nil {
			return err
		}
		for _, name := range names {
			if len(name) > maxName {
				return fmt.Errorf("%w: a term or claim is too long", installation.ErrInvalid)
			}
		}
	}
	return nil
}

// checkTimes rejects times that do not fit into microseconds of 64 bits.
func checkTimes(times ...time.Time) error {
	for _, t := range times {
		if !fits(t) {
			return fmt.Errorf("%w: the time %v is too far away", installation.ErrInvalid, t)
		}
	}
	return nil
}

// checkStored returns the error of c if a record has this revision, 0 for none, and remembers these
// changes, which do not include c.
func checkStored(c installation.Change, revision int64, ops []installation.Op) error {
	row := installation.Row{Ops: ops}
	if revision > 0 {
		row.Record = &installation.Record{Key: c.Key, Revision: revision}
	}
	return row.Check(c)
}

// timeToLive returns the milliseconds from now to t. It returns at least 1, so that a retry of the
// same change finds what the first try has stored.
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
	c installation.Change, reply []string, uncertain bool,
) (receipt installation.Receipt, err error) {
	if len(reply) == 0 {
		return receipt, errReply
	}
	detail := reply[len(reply)-1]
	switch reply[0] {
	case "applied":
		receipt.Revision = leadsTo(c)
		return receipt, nil
	case "replayed":
		if len(detail) != numberBytes {
			return receipt, errReply
		}
		receipt.Revision, receipt.Replayed = decodeNumber(detail), true
		return receipt, nil
	case "outcome":
		receipt.Outcome, err = decodeOutcome(c.Idempotency.Digest, detail)
		return receipt, err
	case "conflict":
		entries, ok := decodeEntries(detail)
		if !ok || len(reply) != 3 || len(reply[1]) != numberBytes {
			return receipt, errReply
		}
		return receipt, cmp.Or(checkStored(c, decodeNumber(reply[1]), entries), error(errReply))
	case "exists":
		return receipt, &installation.ExistsError{Key: c.Key, Holder: detail}
	case "unknown":
		return receipt, storecall.ErrForgotten
	case "epoch":
		entries, ok := decodeEntries(detail)
		switch {
		case !ok:
			return receipt, errReply
		case uncertain && !storecall.ReachBack(c, entries):
			return receipt, storecall.ErrForgotten
		}
		return receipt, installation.ErrEpoch
	case "broken":
		return receipt, errDamaged
	case "denied":
		return receipt, storecall.Unavailable("scripts cannot run %s: %s", detail, textNoRight)
	default:
		return receipt, errReply
	}
}
