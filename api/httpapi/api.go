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

// minWrite is the shortest time that a client gets to read its answer. A short timeout of the
// work says little about the network.
const minWrite = time.Second

// Config has the settings that differ between APIs. A zero field has its default.
type Config struct {
	// Render writes errors in the platform's form. Required.
	Render Renderer
	// Names translates the paths of violations before Render sees them. Default: none.
	Names []Name
	// Log gets the failures of the server, never those of a client. Default: no log.
	Log *slog.Logger
	// Loggable are errors of the platform's package whose full text may be logged, in addition
	// to the library's own. Of other errors only the kind and the type are logged, since their
	// text may quote a client.
	Loggable []error
	// MaxBody is the largest body of a request, in bytes. Default: DefaultMaxBody.
	MaxBody int64
	// Timeout limits the time of a request, including the time to read its body. The client
	// then gets the same time again to read the answer, but at least a second.
	// Default: DefaultTimeout.
	Timeout time.Duration
}

// Endpoint answers one kind of request. It reads, decides and returns; the [API] writes. The
// answer is ignored if there is an error; nil without an error is 204.
type Endpoint func(r *http.Request) (*Answer, error)

// Methods are the endpoints of one path, by method. GET also answers HEAD.
type Methods map[string]Endpoint

// API is an [http.Handler] for the endpoints added with [API.Handle]. It is safe for
// concurrent use once all of them are added.
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

// Handle adds the endpoints of one path. The pattern has the syntax of [http.ServeMux] without
// method and host.
func (a *API) Handle(pattern string, methods Methods) {
	a.HandleVerbs(pattern, "", map[string]Methods{"": methods})
}

// HandleVerbs is [API.Handle] for a path whose last wildcard may be followed by a verb, such as
// "/jobs/{job}" for /jobs/7:stop. Endpoints are given by verb, those without a verb under "".
// The path value of the wildcard does not include the verb. Text behind a colon that is not one
// of the verbs is part of the value.
func (a *API) HandleVerbs(pattern, wildcard string, verbs map[string]Methods) {
	a.mux.Handle(pattern, a.endpoint(func(r *http.Request) (*Answer, error) {
		methods := verbs[cutVerb(r, wildcard, verbs)]
		if methods == nil {
			return nil, NotFound()
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if run := methods[method]; run != nil {
			return run(r)
		}
		p := Reject(CodeMethodNotAllowed, "The method is not one of this resource.")
		p.Header = http.Header{"Allow": {allowed(methods)}}
		return nil, p
	}))
}

// cutVerb removes a known verb from the wildcard and returns it.
func cutVerb(r *http.Request, wildcard string, verbs map[string]Methods) string {
	value := r.PathValue(wildcard)
	i := strings.LastIndexByte(value, ':')
	if i < 0 || i == len(value)-1 || verbs[value[i+1:]] == nil {
		return ""
	}
	r.SetPathValue(wildcard, value[:i])
	return value[i+1:]
}

// allowed returns the value of an Allow header.
func allowed(methods Methods) string {
	names := slices.Collect(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

type requestIDKey struct{}

// RequestID returns the ID of the request, which is in its answer and in the log. It returns ""
// outside of an [API].
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")

	ctx := context.WithValue(r.Context(), requestIDKey{}, id)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	// Reading a slow body does not notice the context, so the connection gets a deadline. A
	// writer that has no deadlines is not a network connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.cfg.Timeout))
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, a.cfg.MaxBody)

	if _, pattern := a.mux.Handler(r); pattern == "" || !clean(r.URL.Path) {
		missing := func(*http.Request) (*Answer, error) { return nil, NotFound() }
		a.endpoint(missing).ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// clean reports whether the mux serves a path as it is. It redirects other paths to a clean
// one, but an API has only one path to each resource.
func clean(p string) bool {
	return strings.HasPrefix(p, "/") && (p == path.Clean(p) || p == path.Clean(p)+"/")
}

// endpoint runs an endpoint and writes its answer. The body is encoded before anything is
// sent, so that an encoding error is a failure like any other.
func (a *API) endpoint(run Endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, body, err := encoded(run, r)
		if err != nil {
			answer, body, err = encoded(func(r *http.Request) (*Answer, error) {
				return a.render(r, err), nil
			}, r)
		}
		if err != nil { // the renderer failed
			a.logFailure(r, http.StatusInternalServerError, err)
			answer, body = &Answer{Status: http.StatusInternalServerError}, nil
		}
		// Without a deadline, a client that does not read would keep the goroutine forever.
		deadline := time.Now().Add(max(a.cfg.Timeout, minWrite))
		_ = http.NewResponseController(w).SetWriteDeadline(deadline)
		answer.write(w, body)
	})
}

// encoded runs an endpoint and encodes its answer. A panic of either becomes an error that
// says where it happened.
func encoded(run Endpoint, r *http.Request) (answer *Answer, body []byte, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // net/http's way to drop a connection
		default:
			err = panicked(p)
		}
	}()
	if answer, err = run(r); err == nil {
		answer = cmp.Or(answer, &Answer{})
		body, err = answer.encode()
	}
	return answer, body, err
}

// render returns the answer to an error, and logs the error if it is the server's fault.
func (a *API) render(r *http.Request, err error) *Answer {
	p := *ProblemOf(err) // a copy, since other requests may return the same error
	p.RequestID = RequestID(r.Context())
	p.Issues = slices.Clone(p.Issues)
	for i := range p.Issues {
		p.Issues[i].Path = wireName(p.Issues[i].Path, a.cfg.Names)
	}
	answer := a.cfg.Render(&p)
	clientGone := errors.Is(r.Context().Err(), context.Canceled)
	if answer.Status >= http.StatusInternalServerError && !clientGone {
		a.logFailure(r, answer.Status, err)
	}
	if answer.Header == nil {
		answer.Header = make(http.Header)
	}
	maps.Copy(answer.Header, p.Header)
	return answer
}

func (a *API) logFailure(r *http.Request, status int, err error) {
	a.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request failed",
		slog.String("request", RequestID(r.Context())), slog.String("method", r.Method),
		slog.String("pattern", r.Pattern), slog.Int("status", status),
		slog.String("error", a.loggable(err)))
}

// loggable returns the text of an error for the log: all of it if it is known to quote no
// client, and an outline otherwise.
func (a *API) loggable(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok && p.Cause != nil {
		return a.loggable(p.Cause)
	}
	if own(err) || slices.ContainsFunc(a.cfg.Loggable, func(target error) bool {
		return errors.Is(err, target)
	}) {
		return err.Error()
	}
	return outline(err)
}
