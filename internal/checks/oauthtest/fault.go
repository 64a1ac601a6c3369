package oauthtest

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"
)

// FaultKind is what goes wrong with a request.
type FaultKind string

// Kinds of faults. "After" means that the request is processed, and its answer is lost.
const (
	Status      FaultKind = "status"       // Fault.Status is the answer; nothing is processed
	StatusAfter FaultKind = "status-after" // as a gateway does that loses its backend
	Cut         FaultKind = "cut"          // the connection ends; nothing is processed
	CutAfter    FaultKind = "cut-after"
	Delay       FaultKind = "delay"       // before the request is processed; see Fault.Delay
	DelayAfter  FaultKind = "delay-after" // before the answer
	NoRefresh   FaultKind = "no-refresh"  // no refresh token in the answer; the old one stays valid
)

// Endpoints of the server.
const (
	TokenPath  = "/oauth/token"
	RevokePath = "/revoke"
)

// Fault is what the server does wrong, until it is replaced by other faults.
type Fault struct {
	Kind FaultKind
	Path string // TokenPath or RevokePath; "" = both

	Times      int      // of how many requests; 0 = all
	Grants     []string // IDs; nil = of all grants
	Status     int      // of Status and StatusAfter; 0 = 503
	RetryAfter int      // seconds, of Status; 0 = none

	// Delay of Delay and DelayAfter. 0 = until the faults are replaced. A delayed request is
	// processed also if its client goes away.
	Delay time.Duration
}

// faults choose what goes wrong, and count it.
type faults struct {
	mu    sync.Mutex
	list  []activeFault
	ended chan struct{} // closed when the list is replaced
	count map[FaultKind]int
	held  int           // requests that wait now
	moved chan struct{} // closed when held grows
}

type activeFault struct {
	Fault
	left int // requests; negative = all
}

func newFaults() *faults {
	return &faults{
		ended: make(chan struct{}), moved: make(chan struct{}), count: make(map[FaultKind]int),
	}
}

// replace sets the faults, and lets go of requests that wait.
func (f *faults) replace(list []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ended)
	f.list, f.ended = nil, make(chan struct{})
	for _, fault := range list {
		left := fault.Times
		if left == 0 {
			left = -1
		}
		f.list = append(f.list, activeFault{fault, left})
	}
}

// next returns the fault for a request, and a channel that is closed when it ends.
func (f *faults) next(path, grant string) (Fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		fault := &f.list[i]
		if fault.left == 0 || fault.Path != "" && fault.Path != path ||
			fault.Grants != nil && !slices.Contains(fault.Grants, grant) {
			continue
		}
		if fault.left > 0 {
			fault.left--
		}
		f.count[fault.Kind]++
		return fault.Fault, f.ended
	}
	return Fault{}, nil
}

func (f *faults) counts() (map[FaultKind]int, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count), f.held
}

// awaitHeld returns when n requests wait, or when the context ends.
func (f *faults) awaitHeld(ctx context.Context, n int) error {
	for {
		f.mu.Lock()
		held, moved := f.held, f.moved
		f.mu.Unlock()
		if held >= n {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait holds a request.
func (f *faults) wait(d time.Duration, ended <-chan struct{}) {
	f.mu.Lock()
	f.held++
	close(f.moved)
	f.moved = make(chan struct{})
	f.mu.Unlock()
	var timer <-chan time.Time
	if d > 0 {
		timer = time.After(d)
	}
	select {
	case <-timer:
	case <-ended:
	}
	f.mu.Lock()
	f.held--
	f.mu.Unlock()
}

// serve answers a request through a fault. Nothing here watches the context of the request, so it
// is processed also if its client goes away.
func (f *faults) serve(w http.ResponseWriter, r *http.Request, grant string, h http.Handler) {
	fault, ended := f.next(r.URL.Path, grant)
	switch fault.Kind {
	case Status:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		}
		http.Error(w, "out of order", fault.status())
	case Cut:
		panic(http.ErrAbortHandler)
	case StatusAfter:
		h.ServeHTTP(httptest.NewRecorder(), r)
		http.Error(w, "out of order", fault.status())
	case CutAfter:
		h.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case Delay:
		f.wait(fault.Delay, ended)
		h.ServeHTTP(w, r)
	case DelayAfter:
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		f.wait(fault.Delay, ended)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	case NoRefresh:
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keepRefreshToken{}, true)))
	default:
		h.ServeHTTP(w, r)
	}
}

func (f Fault) status() int {
	if f.Status == 0 {
		return http.StatusServiceUnavailable
	}
	return f.Status
}
