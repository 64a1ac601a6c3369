package oauthtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/redisstore"
	"github.com/go-installation/installation/refresh"
)

// job is what a worker process gets, in its environment.
type job struct {
	store    string // redis:ADDR or bolt:FILE
	provider string // URL
	folder   string // with a file for each refresh that ended too early
	policy   refresh.Policy
	lease    time.Duration
	grants   int
}

const jobVariable = "OAUTHTEST_JOB"

func (j job) String() string {
	return strings.Join([]string{
		j.store, j.provider, j.folder, string(j.policy), j.lease.String(), strconv.Itoa(j.grants),
	}, "|")
}

func parseJob(text string) (j job, err error) {
	f := strings.Split(text, "|")
	if len(f) != 6 {
		return j, fmt.Errorf("not a job: %q", text)
	}
	j = job{store: f[0], provider: f[1], folder: f[2], policy: refresh.Policy(f[3])}
	if j.lease, err = time.ParseDuration(f[4]); err == nil {
		j.grants, err = strconv.Atoi(f[5])
	}
	return j, err
}

// phase is a moment between the commit of the lease and the commit of the tokens.
type phase string

// The phases, in their order.
const (
	leased   phase = "leased"   // the lease is committed
	asked    phase = "asked"    // the function begins
	wrote    phase = "wrote"    // the request is on its way
	answered phase = "answered" // the tokens have come
	storing  phase = "storing"  // the commit of the tokens begins
)

var phases = []phase{leased, asked, wrote, answered, storing}

// end is how a refresh ends too early.
type end string

const (
	killed  end = "killed"
	stopped end = "stopped"
	unknown end = "unknown" // the process was slow, and goes on; see noteOpen
)

// planned returns where the refresh of a grant is interrupted, if at all. A quarter of the grants
// is interrupted by a kill, and a twentieth by a stop.
func planned(n int) (end, phase) {
	switch {
	case n%4 == 0:
		return killed, phases[n/4%len(phases)]
	case n%20 == 1:
		return stopped, phases[n/20%len(phases)]
	}
	return "", ""
}

// worker is one process.
type worker struct {
	job
	svc  *installation.Service
	http http.RoundTripper
}

// attempt is the refresh of one grant by one process.
type attempt struct {
	n       int
	commits int       // of records
	began   time.Time // the first commit
	open    phase     // the last one, until a commit says how the request ended
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// workIfChild makes this process a worker, if [fleet.start] started it.
func workIfChild() {
	text := os.Getenv(jobVariable)
	if text == "" {
		return
	}
	if err := work(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func work(text string) error {
	j, err := parseJob(text)
	if err != nil {
		return err
	}
	go func() { // a worker never outlives the test
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		os.Exit(0)
	}()
	w := &worker{job: j, http: http.DefaultTransport}
	store, done, err := w.open()
	if err != nil {
		return err
	}
	defer done()
	if w.svc, err = newService(watched{installation.Decorator{Store: store}, w}, j); err != nil {
		return err
	}
	return w.all(context.Background())
}

// open opens the store.
func (w *worker) open() (installation.Store, func(), error) {
	kind, where, _ := strings.Cut(w.store, ":")
	if kind == "bolt" {
		s, err := boltstore.Open(where, nil)
		return s, func() { s.Close() }, err
	}
	c := redis.NewClient(&redis.Options{Addr: where, PoolSize: 2})
	s, err := redisstore.Open(context.Background(), c, nil)
	return s, func() { c.Close() }, err
}

// newService returns a service as each process has it.
func newService(store installation.Store, j job) (*installation.Service, error) {
	key, err := crypto.NewKey("k1", []byte("a key of 32 bytes for this test."))
	if err != nil {
		return nil, err
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	svc, err := installation.New(store, keys, &installation.Options{
		RefreshLease: j.lease,
		Interrupted:  func(string) refresh.Policy { return j.policy },
	})
	if err != nil {
		return nil, err
	}
	return svc.As(installation.Actor{Kind: installation.Host}), nil
}

// all refreshes all grants, in an order of its own, until each is fresh or has failed.
func (w *worker) all(ctx context.Context) error {
	fn, err := oauth.Refresh(At(w.provider).Config(), &oauth.RefreshOptions{
		Client: &http.Client{Transport: w},
	})
	if err != nil {
		return err
	}
	left := rand.Perm(w.grants)
	for len(left) > 0 {
		var again []int
		for _, n := range left {
			done, err := w.one(ctx, n, fn)
			if err != nil {
				return err
			}
			if !done {
				again = append(again, n)
			}
		}
		left = again
	}
	return nil
}

// one refreshes one grant. It reports whether nothing is left to do.
func (w *worker) one(ctx context.Context, n int, fn installation.RefreshFunc) (bool, error) {
	a := &attempt{n: n}
	ctx, cancel := context.WithTimeout(ctx, max(w.lease/10, 300*time.Millisecond))
	defer cancel()
	ctx = context.WithValue(ctx, attemptKey{}, a)
	req := installation.RefreshRequest{ID: idOf(n)}
	o, err := w.svc.Refresh(ctx, req, func(
		ctx context.Context, inst *installation.Opened,
	) (installation.Tokens, error) {
		w.reached(a, asked)
		tokens, err := fn(ctx, inst)
		var e *refresh.Error
		switch {
		case err == nil:
			a.open = answered
			w.reached(a, answered)
		case !errors.As(err, &e), e.Answer == refresh.Unknown:
			a.open = wrote
		}
		return tokens, err
	})
	w.noteOpen(a)
	var e *refresh.Error
	switch {
	case err == nil:
		return true, o.Close()
	case errors.Is(err, refresh.ErrFailed):
		return true, nil
	case errors.As(err, &e), errors.Is(err, installation.ErrUnavailable),
		errors.Is(err, installation.ErrUnknownOutcome), errors.Is(err, context.DeadlineExceeded):
		return false, nil // new tokens that are not stored yet are stored by a later call
	default:
		return false, err
	}
}

func idOf(n int) string { return fmt.Sprintf("EXI-%d", n) }

// reached interrupts the process if that is planned at this phase, and has not happened yet.
func (w *worker) reached(a *attempt, at phase) {
	how, where := planned(a.n)
	if where != at || !w.note(a.n, how, where) {
		return
	}
	if how == killed {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	}
	fmt.Println("stopped") // and the parent wakes this process later
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// noteOpen notes an attempt that others may take for interrupted. A third of the lease is the time
// that a holder has to send.
func (w *worker) noteOpen(a *attempt) {
	if a.open == "" || a.open == leased && time.Since(a.began) < w.lease/3 {
		return
	}
	w.note(a.n, unknown, a.open)
}

// note tells the test how the refresh of a grant ended. It reports whether this is news.
func (w *worker) note(n int, how end, at phase) bool {
	name := filepath.Join(w.folder, fmt.Sprintf("%d-%s-%s", n, how, at))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false // somebody was here before
	}
	f.Close()
	return true
}

// RoundTrip implements [http.RoundTripper].
func (w *worker) RoundTrip(req *http.Request) (*http.Response, error) {
	a := attemptOf(req.Context())
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		w.reached(a, wrote)
	}}
	return w.http.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
}

// watched is a store that notices the commits of a refresh: the first record has the lease, the
// second one the tokens.
type watched struct {
	installation.Decorator
	w *worker
}

func (s watched) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	a := attemptOf(ctx)
	if a == nil || c.Record == nil {
		return s.Decorator.Commit(ctx, c)
	}
	a.commits++
	switch a.commits {
	case 1:
		a.began = time.Now()
	case 2:
		s.w.reached(a, storing)
	}
	receipt, err := s.Decorator.Commit(ctx, c)
	switch {
	case err != nil:
	case a.commits == 1:
		a.open = leased
		s.w.reached(a, leased)
	case a.open != wrote: // after a lost answer, the commit stores only the doubt
		a.open = ""
	}
	return receipt, err
}
