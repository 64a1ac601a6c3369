package httpapi

import (
	"net/http"
	"slices"
)

// exposed are the headers of answers that pages of other origins can read.
const exposed = "ETag, Retry-After, X-Request-Id"

// methods are the methods that such pages can use. An endpoint still answers 405 to others than its
// own.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE"

// preflightAge is the time in seconds that a browser can reuse the answer to a preflight.
const preflightAge = "600"

// allowOrigin sets the headers that let a page read the answer, if Config.Origins has the origin of
// the page. It reports whether that is so. Callers of the API have tokens and no cookies, so the
// headers never allow credentials of the browser.
func (a *API) allowOrigin(h http.Header, r *http.Request) bool {
	if len(a.cfg.Origins) == 0 {
		return false
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Values("Origin")
	if len(origin) != 1 || !slices.Contains(a.cfg.Origins, origin[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin[0])
	h.Set("Access-Control-Expose-Headers", exposed)
	return true
}

// isPreflight reports whether a browser asks if it may send a request. The question has no token.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight allows every method, and the headers that the browser asks for. Each platform has
// headers of its own, and they give no right: the request itself is authenticated.
func preflight(r *http.Request) (*Answer, error) {
	h := http.Header{
		"Access-Control-Allow-Methods": {methods}, "Access-Control-Max-Age": {preflightAge},
	}
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	return &Answer{Header: h}, nil
}
