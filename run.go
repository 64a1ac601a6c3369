package installation

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/runner"
	"github.com/go-installation/installation/refresh"
	"github.com/go-installation/installation/validate"
)

// RunOptions are the options of [Service.Run]. The zero value of each field is its default.
type RunOptions struct {
	// Every is how long Run pauses between two rounds, less up to a fifth. Default: a minute.
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
// refreshes access tokens that are due, with Options.Refresh. And it calls Options.Revoke for
// uninstalled installations until that succeeds or the grace period ends. Run is the one loop of a
// host: nothing starts by itself.
//
// Any number of processes can run it: the lease of [Service.Refresh] keeps them from doing work
// twice, except after one of them stopped in the middle. A round goes on after an error. An error
// of the store, such as an outage, ends the round, and the next one tries again.
//
// An access token is due when between a third and a sixth of its life is left, or at the last day
// of a long one. Tokens that were written without Options.Refresh are due after their next write.
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
	check := func(l *validate.List) {
		checkLimit("rounds", o.Rounds, math.MaxInt)(l)
		checkLimit("parallel", o.Parallel, math.MaxInt)(l)
		checkLimit("limit", o.Limit, math.MaxInt)(l)
		l.Range("every", int64(o.Every), 0, math.MaxInt64)
		checkLimit("sweep.limit", o.Sweep.Limit, math.MaxInt)(l)
	}
	if err := s.admitMaintenance(check); err != nil {
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
	swept, sweepErr := s.Sweep(ctx, o.Sweep)
	report.Sweep.add(swept)
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
	switch result {
	case runner.Refreshed:
		r.Refreshed++
	case runner.Revoked:
		r.Revoked++
	case runner.Refused:
		r.Failed++
	case runner.Left:
		r.Left++
	case runner.Broken:
		r.Errors++
	}
}

func (r *SweepReport) add(more SweepReport) {
	r.Expired += more.Expired
	r.Vouched += more.Vouched
	r.Purged += more.Purged
	r.Shredded += more.Shredded
	r.Waiting = more.Waiting // the same ones wait in each round
	r.Skipped += more.Skipped
	r.Failed += more.Failed
}

// jobs returns what is due of the records that q lists, and moves q on.
func (s *Service) jobs(ctx context.Context, q *Query, limit int) iter.Seq2[runner.Job, error] {
	return func(yield func(runner.Job, error) bool) {
		for _, key := range s.leases.Late() {
			if !yield(s.In(key.Tenant).storeLate(key), nil) {
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
		return func(ctx context.Context) (runner.Result, error) { return s.revokeDue(ctx, r.Key) }
	default:
		return nil
	}
}

func (s *Service) storeLate(key lease.Key) runner.Job {
	return func(ctx context.Context) (runner.Result, error) {
		return resultOf(s.leases.StoreLate(ctx, key), true, runner.Refreshed)
	}
}

func (s *Service) refreshDue(ctx context.Context, key Key) (runner.Result, error) {
	r := &refreshing{s: s, req: RefreshRequest{ID: key.ID}, fn: s.opts.Refresh, ifDue: true}
	err := r.run(ctx, 0)
	r.close()
	return resultOf(err, r.stored, runner.Refreshed)
}

func (s *Service) revokeDue(ctx context.Context, key Key) (runner.Result, error) {
	stored, err := s.revoke(ctx, key.ID)
	return resultOf(err, stored, runner.Revoked)
}

// resultOf says what came of a job. Somebody else can have done it, or ended the installation.
func resultOf(err error, stored bool, done runner.Result) (runner.Result, error) {
	gone := func(e error) bool { return errors.Is(err, e) }
	var e *refresh.Error
	switch {
	case err == nil && stored:
		return done, nil
	case err == nil, slices.ContainsFunc([]error{ErrNotFound, ErrConflict, ErrShredded}, gone):
		return runner.Skipped, nil
	case errors.Is(err, refresh.ErrFailed):
		return runner.Refused, nil
	case errors.As(err, &e):
		return runner.Left, nil
	default:
		return runner.Broken, err
	}
}

// revoking is one revocation of the credentials of an uninstalled installation.
type revoking struct{ refreshing }

// revoke revokes the credentials under the same lease as a refresh. Otherwise it could revoke a
// token that somebody has just exchanged for a new one.
func (s *Service) revoke(ctx context.Context, id string) (stored bool, err error) {
	r := &revoking{refreshing{s: s, req: RefreshRequest{ID: id}}}
	o := s.leaseOptions(0)
	o.Fail = func(string) bool { return false } // revoking twice does no harm
	err = s.leases.Do(ctx, lease.Key{Tenant: s.tenant, ID: id}, r, o)
	r.close()
	return r.stored, err
}

// Look implements [lease.Record].
func (r *revoking) Look(ctx context.Context) (lease.View, error) {
	if err := r.open(ctx, "revoke"); err != nil {
		return lease.View{}, err
	}
	v := r.opened.view
	v.Done = r.opened.revoked
	return v, nil
}

// Send implements [lease.Record].
func (r *revoking) Send(ctx context.Context) error {
	err := r.s.opts.Revoke(ctx, r.opened)
	if _, ok := errors.AsType[*refresh.Error](err); err == nil || ok {
		return err
	}
	return &refresh.Error{Answer: refresh.Passing, Reason: "not-revoked", Err: err}
}

// Store implements [lease.Record].
func (r *revoking) Store(ctx context.Context, v lease.View) error {
	return r.store(ctx, func(d *draft) error {
		switch {
		case !d.matches(v):
			return lease.ErrChanged
		case d.lifecycle.revokeAt.IsZero():
			return nil // an earlier try stored it
		}
		d.lifecycle.revokeAt, d.lifecycle.refresh = time.Time{}, nil
		d.effect, d.events = effectLease, append(d.events, event.Revoked)
		return nil
	})
}

// Drop implements [lease.Record].
func (r *revoking) Drop(context.Context) {}

// toRevoke makes the draft of an uninstall ask for a revocation, if there is anything to revoke.
func (s *Service) toRevoke(d *draft) {
	if s.opts.Revoke == nil || d.err != nil || !d.vault().HasKind(kindCredential, kindConnection) {
		return
	}
	d.lifecycle.revokeAt = d.now
	if d.lifecycle.refresh.Of(lease.Failed, d.credential()) {
		d.lifecycle.refresh = nil // a refused refresh token can still have a valid access token
	}
}

// renewal returns when the access token is due to be refreshed, zero for never: when between a
// third and a sixth of its life is left, at most a day. So tokens that were issued together are not
// refreshed together. It keeps the time of a token that stays.
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
