package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/runner"
	"github.com/go-installation/installation/refresh"
	"github.com/go-installation/installation/validate"
)

// AcceptRestore makes a store usable again after its data went back to an older state: someone
// restored a backup, or a failover lost more than a few seconds. Until then, processes that noticed
// it get [ErrRestored]. First make sure that the data is the data you want to keep: AcceptRestore
// cannot be undone. It can be repeated, and called by several processes at once.
//
// Every write between the backup and the restore is lost. Below, this period is the lost time.
// After AcceptRestore, a revision, generation or ETag of the lost time matches no record. A request
// with an idempotency key that was first used in the lost time runs again, as a new request. A
// guard with a revision from before the backup still works. All open invitations are void, and
// [Service.VoidInvitations] lists them for [Service.Resend]. [Service.Events] returns [ErrTrimmed]
// for every older cursor. Writes between the restore and AcceptRestore are kept, even if a guard of
// the lost time matched there by chance.
//
// AcceptRestore is for the host. The result names the namespace and its new epoch. Errors:
// [ErrForbidden], [ErrUnsupported] if the store has no epochs, and those of the store. After an
// error of the store, repeat the call.
func (s *Service) AcceptRestore(ctx context.Context) (in Namespace, err error) {
	defer inMethod("accept restore", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return Namespace{}, err
	}
	return s.store.AcceptRestore(ctx, s.now())
}

// SweepRequest is the request of [Service.Sweep]. The zero value does all that is due.
type SweepRequest struct {
	Limit int // maximum number of changes; 0 = all that are due
	// TrustClock sweeps even if the clock is far ahead of every stored time. Check the clock before
	// you set it: nothing brings back what a sweep has expired or purged.
	TrustClock bool
}

// SweepReport counts what [Service.Sweep] did.
type SweepReport struct {
	Expired  int // invitations past their expiry
	Vouched  int // uninstalled without a key, and sealed now: their grace period begins
	Purged   int // uninstalled installations past their grace period
	Shredded int // how many of Purged could not be sealed again: only plain fields are left
	Waiting  int // uninstalled, and their record does not open; see [Service.Check]
	Skipped  int // records that someone else changed meanwhile
	Failed   int // records that could not be changed; see the error
}

// sweepPage is how many due records Sweep reads at once.
const sweepPage = 100

// Sweep does what is due in all tenants: it marks invitations past their expiry as expired, and
// purges uninstalled installations past their grace period.
//
// A clock that is years ahead would end every invitation for good. So if something is due, Sweep
// first looks for a stored time that is not more than 400 days before now. If it finds no such
// time, it changes nothing and returns [ErrClock]. It looks at the times when records were created,
// uninstalled or expired. Usually the first due record has a recent time. Otherwise Sweep reads
// more records until it finds one, so it has read all records when it returns ErrClock. If the
// clock is right and all these times are older, set TrustClock. Sweep does not notice a clock that
// is ahead by less than 400 days, or that was already ahead at an earlier write.
//
// Call it from a timer, in any number of processes: each change is a compare-and-swap, and the
// loser of a race skips the record. A sweep can be stopped at any time and started again. It goes
// on after a record that cannot be opened. It purges a record only if the uninstall is sealed. It
// first seals an uninstall that was written without a key, and the grace period begins then. A
// record that does not open waits for its key, or for Uninstall with Final or Delete. If a record
// opens and no new key can be wrapped, the purge drops the whole content; see SweepReport.Shredded.
//
// At the end Sweep calls Trim of a store that is a [Trimmer], so that the store forgets what has
// expired. It does not check the clock for that, because every commit forgets in the same way.
//
// The report is valid even with an error. Errors: [ErrForbidden] for anyone except the host,
// [ErrInvalid] for a negative limit, [ErrClock], those of the context and the store, and, joined,
// one for each failed record.
func (s *Service) Sweep(ctx context.Context, req SweepRequest) (report SweepReport, err error) {
	err = s.sweep(ctx, req, &report)
	return report, err
}

// sweep adds what it did to the report.
func (s *Service) sweep(ctx context.Context, req SweepRequest, report *SweepReport) error {
	if err := s.admitMaintenance(checkLimit("limit", req.Limit, math.MaxInt)); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var failed []error
	trusted, before := req.TrustClock, report.changes()
	report.Waiting = 0 // the same ones wait in each sweep
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: sweepPage}
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		if !sweeps(r, q.DueBefore) {
			continue
		}
		if req.Limit > 0 && report.changes()-before >= req.Limit {
			break
		}
		if !trusted {
			if err := s.checkClock(ctx, q.DueBefore, r); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			trusted = true
		}
		if err := s.sweepOne(ctx, r, report); err != nil {
			if ctx.Err() != nil {
				return errors.Join(append(failed, ctx.Err())...)
			}
			report.Failed++
			failed = append(failed, err)
		}
	}
	if err := s.store.Trim(ctx, q.DueBefore); err != nil && !errors.Is(err, ErrUnsupported) {
		failed = append(failed, fmt.Errorf("sweep: %w", err))
	}
	return errors.Join(failed...)
}

func (r *SweepReport) changes() int { return r.Expired + r.Vouched + r.Purged }

// sweeps reports whether a due record is one for Sweep. What else is due is for Run.
func sweeps(r *Record, now time.Time) bool {
	_, life, err := decodeBody(r.Body)
	return err != nil || life.status != StatusInstalled &&
		(life.status != StatusUninstalled || !now.Before(life.purgeAt))
}

// sweepOne makes the change that is due for a listed record, and counts it.
func (s *Service) sweepOne(ctx context.Context, r *Record, report *SweepReport) error {
	s = s.In(r.Key.Tenant).withKeyTimeout(false)
	var done *draft
	_, err := s.write(ctx, write{
		method: "sweep", id: r.Key.ID, guard: Guard{Present: true, Revision: r.Revision},
		actions: []Action{ActionMaintain}, access: accessKeyless,
		apply: func(ctx context.Context, d *draft) error {
			done = d
			switch {
			case d.now.Before(d.stored.Deadline):
			case d.lifecycle.status == StatusInvited:
				s.expire(d)
			case d.lifecycle.status != StatusUninstalled || d.lifecycle.purged:
				return errNothingDue
			case d.err != nil: // whether a seal vouches for the end is unknown
			case d.unvouched:
				d.sealEnd()
			case d.now.Before(d.lifecycle.purgeAt): // only a revocation is due
			default:
				return s.purge(ctx, d)
			}
			return nil
		},
	})
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
		report.Skipped++ // somebody else changed it, or it is gone
	case err != nil:
		return err
	case done.effect == effectNone && done.err != nil:
		report.Waiting++
	case done.effect == effectNone:
		report.Skipped++ // it is no longer due
	case done.lifecycle.status == StatusExpired:
		report.Expired++
	case !done.lifecycle.purged:
		report.Vouched++
	default:
		report.Purged++
		if done.effect == effectPlain {
			report.Shredded++
		}
	}
	return nil
}

var errNothingDue = errors.New("installation: the record has a deadline and nothing can be due")

// RunOptions are the options of [Service.Run]. The zero value of each field is its default.
type RunOptions struct {
	// Every is the longest pause between two rounds. Chance makes each pause up to a fifth shorter.
	// Default: a minute.
	Every time.Duration
	// Rounds is how many rounds Run makes. Default: it goes on until its context ends.
	Rounds int
	// Parallel is how many refreshes and revocations may run at the same time. Default: 8.
	Parallel int
	// Limit is how many due installations one round takes on. The next round goes on after them.
	// Default: 10,000.
	Limit int
	// Sweep is passed to [Service.Sweep].
	Sweep SweepRequest
	// Progress is called after every hundred installations, and at the end of each round. Calls do
	// not overlap. Default: none.
	Progress func(RunReport)
}

// RunReport counts what [Service.Run] did in all of its rounds.
type RunReport struct {
	Rounds    int
	Sweep     SweepReport
	Refreshed int   // connections with new tokens
	Revoked   int   // uninstalled installations whose credentials are revoked
	Failed    int   // connections that failed, see [Connection.Failure]
	Left      int   // attempts that were left for another round; see [refresh.Passing]
	Errors    int   // attempts that met an error of the store or of the keys
	Err       error // of the last round; nil = none
}

// Run does what is due in all tenants, in rounds, until ctx ends. It calls [Service.Sweep]. It
// refreshes access tokens that are due, with Options.Refresh. It calls Options.Revoke for each
// uninstalled installation until the call succeeds or the grace period ends. Run is the one loop of
// a host: nothing starts by itself.
//
// Any number of processes can run it: the lease of [Service.Refresh] keeps them from doing work
// twice, except after one of them stopped in the middle. A round goes on after an error. An error
// of the store, such as an outage, ends the round, and the next one tries again.
//
// An access token is due when between a third and a sixth of its life is left. A token that lives
// for more than three days is due between 24 and 12 hours before it expires. Run does not refresh a
// token that was written without Options.Refresh until the next write of its installation.
//
// Run calls Options.Revoke after an uninstall that is not final, and after one without a key as
// soon as a key vouches for it. Uninstall with Final and Delete drop the credentials at once, so
// nothing revokes them. If the grace period ends first, an event "unrevoked" says so. Platforms
// that revoke by themselves make the provider answer that the token is invalid: that is a success.
//
// Run is for the host. The report is valid even with an error. After RunOptions.Rounds rounds, Run
// returns the error of the last one. If ctx ends before, it returns the error of ctx. Other errors:
// [ErrForbidden], [ErrInvalid] for options below zero.
func (s *Service) Run(ctx context.Context, o RunOptions) (report RunReport, err error) {
	defer inMethod("run", &err)
	err = s.admitMaintenance(func(l *validate.List) {
		l.Range("rounds", int64(o.Rounds), 0, math.MaxInt)
		l.Range("parallel", int64(o.Parallel), 0, math.MaxInt)
		l.Range("limit", int64(o.Limit), 0, math.MaxInt)
		l.Range("every", int64(o.Every), 0, math.MaxInt64)
		l.Range("sweep.limit", int64(o.Sweep.Limit), 0, math.MaxInt)
	})
	if err != nil {
		return report, err
	}
	o.Parallel, o.Limit = cmp.Or(o.Parallel, 8), cmp.Or(o.Limit, 10_000)
	if o.Progress == nil {
		o.Progress = func(RunReport) {}
	}
	for after := ""; ; {
		report.Err = nil
		after, report.Err = s.round(ctx, o, after, &report)
		report.Rounds++
		o.Progress(report)
		if report.Rounds == o.Rounds {
			return report, cmp.Or(ctx.Err(), report.Err)
		}
		if err := runner.Pause(ctx, cmp.Or(o.Every, time.Minute)); err != nil {
			return report, err
		}
	}
}

// round is one round. It begins after a cursor, and returns the cursor for the next round.
func (s *Service) round(
	ctx context.Context, o RunOptions, after string, report *RunReport,
) (string, error) {
	sweepErr := s.sweep(ctx, o.Sweep, &report.Sweep)
	q := Query{AllTenants: true, DueBefore: s.now(), After: after, Limit: sweepPage}
	told := 0
	err := runner.Round(ctx, s.jobs(ctx, &q, o.Limit), o.Parallel, func(r runner.Result) {
		report.count(r)
		if told++; told%100 == 0 {
			o.Progress(*report)
		}
	})
	return q.After, errors.Join(sweepErr, err)
}

// count adds the result of one job.
func (r *RunReport) count(result runner.Result) {
	*[...]*int{
		runner.Skipped: new(int), runner.Refreshed: &r.Refreshed, runner.Revoked: &r.Revoked,
		runner.Refused: &r.Failed, runner.Left: &r.Left, runner.Broken: &r.Errors,
	}[result]++
}

// jobs returns what is due of the records that q lists, and moves q on.
func (s *Service) jobs(ctx context.Context, q *Query, limit int) iter.Seq2[runner.Job, error] {
	return func(yield func(runner.Job, error) bool) {
		for key, late := range s.leases.Late() {
			if !yield(s.storeLate(key, late), nil) {
				return
			}
		}
		for limit > 0 {
			q.Limit = min(sweepPage, limit) // the next round goes on after a whole page
			page, err := s.store.List(ctx, *q)
			if err != nil {
				if errors.Is(err, ErrInvalid) {
					q.After = "" // the store does not know the cursor any more
				}
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				job := s.In(r.Key.Tenant).jobOf(r)
				if job == nil {
					continue
				}
				if limit--; !yield(job, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == "" {
				return
			}
		}
	}
}

// jobOf returns what is due for a record besides a sweep, or nil.
func (s *Service) jobOf(r *Record) runner.Job {
	_, life, err := decodeBody(r.Body)
	switch {
	case err != nil:
		return nil
	case life.status == StatusInstalled && s.opts.Refresh != nil:
		return func(ctx context.Context) (runner.Result, error) { return s.refreshDue(ctx, r.Key) }
	case life.status == StatusUninstalled && !life.revokeAt.IsZero() && s.opts.Revoke != nil:
		return func(ctx context.Context) (runner.Result, error) {
			stored, err := s.revoke(ctx, r.Key.ID)
			return resultOf(err, stored, runner.Revoked)
		}
	default:
		return nil
	}
}

func (s *Service) storeLate(key lease.Key, late lease.Record) runner.Job {
	return func(ctx context.Context) (runner.Result, error) {
		err := s.leases.StoreLate(ctx, key)
		if r, ok := late.(*revoking); ok {
			return resultOf(withID("revoke", key.ID, err), r.stored, runner.Revoked)
		}
		return resultOf(withID("refresh", key.ID, err), late.(*refreshing).stored, runner.Refreshed)
	}
}

func (s *Service) refreshDue(ctx context.Context, key Key) (runner.Result, error) {
	r := &refreshing{s: s, req: RefreshRequest{ID: key.ID}, fn: s.opts.Refresh, ifDue: true}
	err := r.run(ctx, 0)
	r.close()
	return resultOf(err, r.stored, runner.Refreshed)
}

// resultOf says what came of a job. Somebody else can have done it, or ended the installation.
func resultOf(err error, stored bool, done runner.Result) (runner.Result, error) {
	var e *refresh.Error
	switch {
	case err == nil && stored:
		return done, nil
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict),
		errors.Is(err, ErrShredded):
		return runner.Skipped, nil
	case errors.Is(err, refresh.ErrFailed):
		return runner.Refused, nil
	case errors.As(err, &e):
		return runner.Left, nil
	default:
		return runner.Broken, err
	}
}

// renewal returns when the access token is due to be refreshed, by the rule of Run; zero = never.
// Chance keeps tokens that were issued together apart. A token that stays keeps its time.
func (s *Service) renewal(d *draft) time.Time {
	c, l := d.inst.Connection, d.lifecycle
	if s.opts.Refresh == nil || l.status != StatusInstalled || c == nil ||
		c.AccessToken.Expires.IsZero() || l.refresh != nil && l.refresh.Kind == lease.Failed {
		return time.Time{}
	}
	if old := d.before.lifecycle.renewAt; !d.created && !old.IsZero() &&
		d.before.inst.Connection.AccessToken.Expires.Equal(c.AccessToken.Expires) {
		return old
	}
	token := c.AccessToken
	issued := cmp.Or(token.Issued, d.now)
	lead := min(max(token.Expires.Sub(issued)/6, time.Microsecond), 12*time.Hour)
	return storedTime(token.Expires.Add(-lead - rand.N(lead)))
}
