package jwt_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation/api/internal/jwt"
)

var errDown = errors.New("key set unavailable")

// server serves a key set that tests replace.
type server struct {
	url   string
	reads atomic.Int64
	page  atomic.Pointer[http.HandlerFunc]
	now   atomic.Int64 // seconds after start
}

// newServer returns a server with a set of good keys, and a key set on it.
func newServer(t *testing.T, ids ...string) (*server, *jwt.KeySet) {
	t.Helper()
	s := new(server)
	s.serve(ids...)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.reads.Add(1)
		(*s.page.Load())(w, r)
	}))
	t.Cleanup(h.Close)
	s.url = h.URL
	return s, jwt.NewKeySet(s.url, nil, s.Now, errDown)
}

func (s *server) Now() time.Time { return start.Add(time.Duration(s.now.Load()) * time.Second) }

func (s *server) advance(d time.Duration) { s.now.Add(int64(d / time.Second)) }

func (s *server) handle(page http.HandlerFunc) { s.page.Store(&page) }

func (s *server) serve(ids ...string) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, id := range ids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &goodKey().PublicKey, KeyID: id})
	}
	s.handle(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(set) })
}

func (s *server) fail() {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
}

// want checks the answer for a key: "key", "none" or "down".
func want(t *testing.T, s *jwt.KeySet, id, want string) {
	t.Helper()
	key, err := s.Key(t.Context(), id)
	got := "none"
	switch {
	case errors.Is(err, errDown) && key == nil:
		got = "down"
	case err != nil:
		got = err.Error()
	case key != nil:
		got = "key"
	}
	if got != want {
		t.Errorf("%s: %s, want %s", id, got, want)
	}
}

func TestKeySetFindsNewAndEndsWithdrawnKeys(t *testing.T) {
	s, keys := newServer(t, "a")
	want(t, keys, "a", "key")
	s.serve("b")
	want(t, keys, "b", "none") // within the pause
	s.advance(30 * time.Second)
	want(t, keys, "b", "key")
	want(t, keys, "a", "none")
	s.serve("c")
	s.advance(time.Hour - time.Second)
	want(t, keys, "b", "key")
	s.advance(time.Second)
	want(t, keys, "b", "none")
	if n := s.reads.Load(); n != 3 {
		t.Errorf("%d reads", n)
	}
}

func TestKeySetOutage(t *testing.T) {
	s, keys := newServer(t, "a")
	want(t, keys, "a", "key")
	s.fail()
	s.advance(23 * time.Hour)
	want(t, keys, "a", "key")
	want(t, keys, "b", "down")
	s.advance(time.Hour)
	want(t, keys, "a", "down")
	s.serve("a")
	want(t, keys, "a", "down") // within the pause
	s.advance(time.Second)
	want(t, keys, "a", "key")
}

// TestKeySetFlood: unknown key IDs cause one read per pause, not one each.
func TestKeySetFlood(t *testing.T) {
	s, keys := newServer(t, "a")
	want(t, keys, "a", "key")
	for i := range 1000 {
		want(t, keys, fmt.Sprint("x", i), "none")
	}
	s.advance(30 * time.Second)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() { _, _ = keys.Key(t.Context(), fmt.Sprint("y", i)) })
	}
	wg.Wait()
	if n := s.reads.Load(); n != 2 {
		t.Errorf("%d reads", n)
	}
}

// TestKeySetSkipsOtherKeys: only public RSA keys for RS256 signatures are used.
func TestKeySetSkipsOtherKeys(t *testing.T) {
	public := &goodKey().PublicKey
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: public, KeyID: "good", Use: "sig", Algorithm: "RS256"},
		{Key: public, KeyID: "bare"},
		{Key: public, KeyID: "encrypts", Use: "enc"},
		{Key: public, KeyID: "other", Algorithm: "RS512"},
		{Key: public},
		{Key: goodKey(), KeyID: "private"},
		{Key: []byte("a secret of more than 32 bytes for HMAC"), KeyID: "hmac"},
		{Key: &shortKey().PublicKey, KeyID: "short"},
	}}
	s, keys := newServer(t)
	s.handle(func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.Marshal(set)
		if err != nil {
			t.Error(err)
		}
		text := strings.Replace(string(b), "[",
			`[7,{"kid":"odd"},{"kty":"RSA","kid":"broken","n":"","e":""},`, 1)
		_, _ = io.WriteString(w, text)
	})
	for _, id := range []string{"good", "bare"} {
		want(t, keys, id, "key")
	}
	for _, id := range []string{"encrypts", "other", "", "private", "hmac", "short", "odd",
		"broken"} {
		want(t, keys, id, "none")
	}
}

func TestKeySetRejectsPages(t *testing.T) {
	long := `{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`
	for name, page := range map[string]http.HandlerFunc{
		"an error page": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("the redirect was followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"an endless page": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, "<html>c4nary")
		},
		"many keys": func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, long)
		},
		"no keys": func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, `{"a":[]}`)
		},
		"keys as other": func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, `{"keys":{}}`)
		},
		"keys twice": func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, `{"keys":[],"keys":[]}`)
		},
	} {
		s, keys := newServer(t)
		s.handle(page)
		_, err := keys.Key(t.Context(), "a")
		if !errors.Is(err, errDown) || strings.Contains(err.Error(), "c4nary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeySetHangs: a key set that does not answer holds up neither requests that end nor, for
// known keys, more than one of them.
func TestKeySetHangs(t *testing.T) {
	s, keys := newServer(t, "a")
	want(t, keys, "a", "key")
	started, release := make(chan struct{}, 1), make(chan struct{})
	s.handle(func(w http.ResponseWriter, _ *http.Request) {
		started <- struct{}{}
		<-release
		w.WriteHeader(http.StatusBadGateway)
	})
	s.advance(2 * time.Hour)
	var first any
	var waits sync.WaitGroup
	waits.Go(func() { first, _ = keys.Key(t.Context(), "a") })
	<-started
	want(t, keys, "a", "key") // at once
	ended, cancel := context.WithCancel(t.Context())
	var err error
	waits.Go(func() { _, err = keys.Key(ended, "b") })
	cancel()
	close(release)
	waits.Wait()
	if _, ok := first.(*rsa.PublicKey); !ok {
		t.Errorf("the first got %v", first)
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, errDown) {
		t.Errorf("the one that ended: %v", err)
	}
	if _, err := keys.Key(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended before: %v", err)
	}
}

// TestKeySetLimitsTime: each request of the key set has a deadline, and the client's own
// transport.
func TestKeySetLimitsTime(t *testing.T) {
	var left time.Duration
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
		return nil, errors.New("c4nary")
	})}
	keys := jwt.NewKeySet("https://keys.example/c4nary", client, time.Now, errDown)
	_, err := keys.Key(t.Context(), "a")
	if !errors.Is(err, errDown) || strings.Contains(err.Error(), "c4nary") || left <= 0 ||
		left > 10*time.Second {
		t.Errorf("%v, with %s left", err, left)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
