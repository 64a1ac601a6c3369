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
	"regexp"
	"slices"
	"strings"
	"time"
)

// Defaults of [Config].
const (
	DefaultMaxBody = 256 << 10
	DefaultTimeout = 30 * time.Second
)

// minWrite is the shortest time that a client gets to read its answer. It counts if Config.Timeout
// is shorter, since a short timeout for the work of the server can be too short for the network.
const minWrite = time.Second

// Config configures an [API]. A zero field means its default.
type Config struct {
	// Render writes errors in the platform's form. Required.
	Render Renderer
	// Names translates the paths of violations before Render gets them. Default: no translation.
	Names []Name
	// Log receives the errors that are the server's fault. Errors of clients are not logged.
	// Default: no log.
	Log *slog.Logger
	// Loggable lists errors of the platform's package. An error that matches one of them is
	// logged in full, as errors of this library always are. Of any other error, only the kind
	// and the types are logged, since its text can quote a client.
	Loggable []error
	// MaxBody is the largest body of a request, in bytes. Default: DefaultMaxBody.
	MaxBody int64
	// Timeout limits the time of a request, including the time to read its body. After that, the
	// client gets the same time again to read the answer, and at least a second.
	// Default: DefaultTimeout.
	Timeout time.Duration
	// Origins are the origins whose pages can call the API from a browser, such as
	// "https://app.example". Write them as browsers send them: in lower case, without a path, and
	// without the port if it is the default of the scheme. Default: none.
	Origins []string
}

// Endpoint handles the requests for one path and method. It returns an answer or an error, and the
// [API] writes the response. If it returns an error, its answer is ignored. If it returns neither
// an answer nor an error, the response is 204 (No Content).
type Endpoint func(r *http.Request) (*Answer, error)

// Methods are the endpoints of one path, by method. GET also answers HEAD.
type Methods map[string]Endpoint

// API is an [http.Handler] for the endpoints that were added with [API.Handle]. It is safe for
// concurrent use once all endpoints are added.
type API struct {
	cfg   Config
	mux   *http.ServeMux
	verbs map[string]map[string]Methods // by pattern and verb
}

// New returns an API without endpoints.
func New(cfg Config) *API {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.MaxBody = cmp.Or(cfg.MaxBody, DefaultMaxBody)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.Origins = slices.Clone(cfg.Origins)
	return &API{cfg: cfg, mux: http.NewServeMux(), verbs: make(map[string]map[string]Methods)}
}

// Handle adds the endpoints of one path. The pattern has the syntax of [http.ServeMux], without
// a method or host. The endpoints also answer the path with a slash at its end, which some clients
// add.
//
// A pattern that ends in a wildcard can have a colon and a verb behind. For example, the pattern
// "/jobs/{job}:stop" serves /jobs/7:stop. The path value of job is then 7. If the text after the
// last colon of a path is no verb of the wildcard, it is part of the path value.
//
// Handle panics if the pattern is not valid, or was added before.
func (a *API) Handle(pattern string, methods Methods) {
	wildcard, verb := "", ""
	if m := verbEnd.FindStringSubmatch(pattern); m != nil {
		pattern, wildcard, verb = m[1], m[2], m[3]
	}
	verbs := a.verbs[pattern]
	if verbs == nil {
		verbs = make(map[string]Methods)
		a.verbs[pattern] = verbs
		a.route(pattern, wildcard, verbs)
	}
	if verbs[verb] != nil {
		panic("httpapi: Handle: added twice: " + pattern + ":" + verb)
	}
	verbs[verb] = methods
}

// verbEnd matches a pattern that ends in a wildcard, with or without a verb behind.
var verbEnd = regexp.MustCompile(`^(.*\{(\w+)\})(?::([\w-]+))?$`)

// route adds the endpoints of a pattern by their verbs, "" for the path without a verb.
func (a *API) route(pattern, wildcard string, verbs map[string]Methods) {
	h := a.endpoint(func(r *http.Request) (*Answer, error) {
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
	})
	a.mux.Handle(pattern, h)
	if !openEnd.MatchString(pattern) {
		a.mux.Handle(pattern+"/{$}", h)
	}
}

// openEnd matches a pattern that already says what follows a slash.
var openEnd = regexp.MustCompile(`(/|/\{\$\}|\.\.\.\})$`)

// cutVerb removes a known verb from the path value of the wildcard, and returns the verb. It
// returns "" if the value ends in no known verb.
func cutVerb(r *http.Request, wildcard string, verbs map[string]Methods) string {
	value := r.PathValue(wildcard)
	i := strings.LastIndexByte(value, ':')
	if i < 0 || i == len(value)-1 || verbs[value[i+1:]] == nil {
		return ""
	}
	r.SetPathValue(wildcard, value[:i])
	return value[i+1:]
}

// allowed returns the value of the Allow header for methods.
func allowed(methods Methods) string {
	names := slices.Collect(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

type requestIDKey struct{}

// RequestID returns the ID of the request that ctx belongs to. The ID is also in the X-Request-Id
// header of the answer, and in the log. If ctx does not come from an [API], RequestID returns "".
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
	// The context does not end a read from a slow body, so the connection gets a deadline too. An
	// error means that w has no deadlines. Then there is no network connection to wait for.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.cfg.Timeout))
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, a.cfg.MaxBody)

	allowed := a.allowOrigin(h, r)
	_, pattern := a.mux.Handler(r)
	switch {
	case allowed && isPreflight(r):
		a.endpoint(preflight).ServeHTTP(w, r)
	case pattern == "" || !clean(r.URL.Path):
		missing := func(*http.Request) (*Answer, error) { return nil, NotFound() }
		a.endpoint(missing).ServeHTTP(w, r)
	default:
		a.mux.ServeHTTP(w, r)
	}
}

// clean reports whether a path has no empty, "." or ".." element, except for an empty one at its
// end. The mux would redirect any other path to its clean form.
func clean(p string) bool {
	return strings.HasPrefix(p, "/") && (p == path.Clean(p) || p == path.Clean(p)+"/")
}

// endpoint returns a handler that runs an endpoint and writes its answer. The handler encodes the
// body before it sends anything, so that it can still answer an encoding error with a problem.
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
		// Without a deadline, a client that does not read its answer would block this goroutine
		// forever.
		deadline := time.Now().Add(max(a.cfg.Timeout, minWrite))
		_ = http.NewResponseController(w).SetWriteDeadline(deadline)
		answer.write(w, body)
	})
}

// encoded runs an endpoint and encodes its answer. If the endpoint or the encoding panics, encoded
// returns an error with the place of the panic.
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
	p := *ProblemOf(err) // a copy, since concurrent requests can return the same problem
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

// loggable returns the text to log for an error: its full text if that is known to quote no
// client, and its outline otherwise.
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
