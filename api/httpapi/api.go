package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Defaults of [Config].
const (
	DefaultMaxBody = 256 << 10
	DefaultTimeout = 30 * time.Second
)

// minWrite is the least time that a client has to read its answer: how long the work may take says little about networks.
const minWrite = time.Second

// Config says what differs between APIs. A zero field has its default.
type Config struct {
	// Render writes errors as the platform does. Required.
	Render Renderer
	// Log is told of what is the server's fault, never of what is the client's. Default: nothing is logged.
	Log *slog.Logger
	// Loggable are errors of the platform's own package whose text may stand in the log, beside those of the library. Of other errors the log
	// says the kind and the type alone, since their text may quote what a client sent. An endpoint that returns an error of the host's own code
	// marks it with [HostFailure] or [HostError], whatever it matches.
	Loggable []error
	// MaxBody is the largest body of a request, in bytes. Default: DefaultMaxBody.
	MaxBody int64
	// Timeout bounds the time that a request takes, reading its body included, and then again, if it is not under a second, the time in which the
	// client reads the answer. Default: DefaultTimeout.
	Timeout time.Duration
}

// Endpoint answers one kind of request. It reads, decides and returns; only the [API] writes. What it returns beside an error counts for
// nothing.
type Endpoint func(r *http.Request) (Answer, error)

// Methods are the endpoints of one path, by method. GET answers HEAD as well.
type Methods map[string]Endpoint

// API is an [http.Handler] for the endpoints that [API.Handle] adds. It is safe for concurrent use once all of them are added.
type API struct {
	cfg Config
	mux *http.ServeMux
}

// New returns an API without endpoints.
func New(cfg Config) *API {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.MaxBody = cmp.Or(cfg.MaxBody, DefaultMaxBody)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	return &API{cfg: cfg, mux: http.NewServeMux()}
}

// Handle adds the endpoints of one path, in the syntax of [http.ServeMux] without method and host.
func (a *API) Handle(pattern string, methods Methods) {
	a.HandleVerbs(pattern, "", map[string]Methods{"": methods})
}

// HandleVerbs is [API.Handle] for a path that ends in a wildcard behind which a verb may stand, such as "/jobs/{job}" for /jobs/7:stop. The
// endpoints of each verb are given by its name, those without one under "". The wildcard then holds what stands before the verb; what stands behind a
// colon and is none of the verbs belongs to it.
func (a *API) HandleVerbs(pattern, wildcard string, verbs map[string]Methods) {
	allow := make(map[string]string, len(verbs))
	for verb, methods := range verbs {
		allow[verb] = allowed(methods)
	}
	a.mux.Handle(pattern, a.endpoint(func(r *http.Request) (Answer, error) {
		verb := cutVerb(r, wildcard, verbs)
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		methods := verbs[verb]
		if run := methods[method]; run != nil {
			return run(r)
		}
		if methods == nil {
			return Answer{}, NotFound()
		}
		return Answer{}, &Problem{
			Status: http.StatusMethodNotAllowed, Code: CodeMethod, Message: "The method is not one of this resource.",
			Header: http.Header{"Allow": {allow[verb]}},
		}
	}))
}

// cutVerb takes a known verb off the wildcard and returns it.
func cutVerb(r *http.Request, wildcard string, verbs map[string]Methods) string {
	value := r.PathValue(wildcard)
	i := strings.LastIndexByte(value, ':')
	if i < 0 || i == len(value)-1 || verbs[value[i+1:]] == nil {
		return ""
	}
	r.SetPathValue(wildcard, value[:i])
	return value[i+1:]
}

// allowed is the value of an Allow header.
func allowed(methods Methods) string {
	names := slices.Sorted(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
		slices.Sort(names)
	}
	return strings.Join(names, ", ")
}

// contextKey is of keys in the context of a request.
type contextKey int

const requestIDKey contextKey = 0

// RequestID returns the id under which the request is logged and which its answer carries; "" outside of an [API].
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")

	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestIDKey, id), a.cfg.Timeout)
	defer cancel()
	// A body that trickles in does not notice the context. A writer that cannot set a deadline is not a network connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.cfg.Timeout))
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, a.cfg.MaxBody)

	if !clean(r.URL.Path) || !a.serves(r) {
		a.endpoint(func(*http.Request) (Answer, error) { return Answer{}, NotFound() }).ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// serves reports whether there is a resource at the path, whatever the method.
func (a *API) serves(r *http.Request) bool {
	_, pattern := a.mux.Handler(r)
	return pattern != ""
}

// clean reports whether a path is one that the mux takes as it is. Others it redirects to what it takes for their meaning, and an API has
// only one path to each resource.
func clean(p string) bool {
	return strings.HasPrefix(p, "/") && (p == path.Clean(p) || p == path.Clean(p)+"/")
}

// endpoint runs an endpoint and writes what comes of it. The body is complete before anything is sent, so that one which cannot be written
// becomes a failure like any other.
func (a *API) endpoint(run Endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, body, err := encoded(run, r)
		if err != nil {
			answer, body, err = encoded(func(*http.Request) (Answer, error) { return a.refuse(r, err), nil }, r)
		}
		if err != nil { // the platform cannot write its own errors
			a.fail(r, http.StatusInternalServerError, err)
			answer, body = Answer{Status: http.StatusInternalServerError}, nil
		}
		// A client that does not read would keep the answer, and who writes it, for as long as it likes.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(max(a.cfg.Timeout, minWrite)))
		answer.write(w, body)
	})
}

// encoded runs an endpoint and encodes its answer. A panic of either is an error that says where it happened and not what it said.
func encoded(run Endpoint, r *http.Request) (answer Answer, body []byte, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // the way to drop a connection
		default:
			err = panicked(p)
		}
	}()
	if answer, err = run(r); err == nil {
		body, err = answer.encode()
	}
	return answer, body, err
}

// refuse makes an answer of an error, and logs what is the server's fault.
func (a *API) refuse(r *http.Request, err error) Answer {
	p := *ProblemOf(err) // a copy: the error may be one that others return too
	p.RequestID = RequestID(r.Context())
	body := a.cfg.Render(&p)
	gone := errors.Is(r.Context().Err(), context.Canceled) // the client, who hears no answer
	if body.Status >= http.StatusInternalServerError && !gone {
		a.fail(r, body.Status, err)
	}
	if body.Header == nil {
		body.Header = make(http.Header)
	}
	maps.Copy(body.Header, p.Header)
	return body
}

// fail logs a request that failed by the server's fault.
func (a *API) fail(r *http.Request, status int, err error) {
	a.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request failed",
		slog.String("request", RequestID(r.Context())), slog.String("method", r.Method), slog.String("pattern", r.Pattern),
		slog.Int("status", status), slog.String("error", a.loggable(err)))
}

// loggable is what the log may say of an error.
func (a *API) loggable(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok && p.Cause != nil {
		return a.loggable(p.Cause)
	}
	if own(err) || slices.ContainsFunc(a.cfg.Loggable, func(target error) bool { return errors.Is(err, target) }) {
		return err.Error()
	}
	return outline(err)
}
