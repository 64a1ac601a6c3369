package oauth_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-installation/installation/oauth"
)

// TestLostConnections refreshes where no answer comes. What counts is whether the token was sent.
func TestLostConnections(t *testing.T) {
	for name, tc := range map[string]struct {
		provider func(t *testing.T) (url string, client *http.Client)
		want     failure
		is       error
	}{
		"nothing listens": {nowhere, failure{passing, "unreachable", 0}, syscall.ECONNREFUSED},
		"no such name":    {nameless, failure{passing, "unreachable", 0}, nil},
		"another certificate": {func(t *testing.T) (string, *http.Client) {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL, &http.Client{Transport: &http.Transport{}}
		}, failure{passing, "unreachable", 0}, nil},
		"no handshake": {silent, failure{passing, "timeout", 0}, nil},
		"cut before an answer": {cutting(func(w http.ResponseWriter) {}),
			failure{unknown, "connection_lost", 0}, nil},
		"cut in the header": {cutting(func(w http.ResponseWriter) {
			w.Write([]byte("HTTP/1.1 200 OK\r\nContent-Le"))
		}), failure{unknown, "connection_lost", 0}, nil},
		"cut in the body": {func(t *testing.T) (string, *http.Client) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				w.Write([]byte(`{"access_token":"a"`))
			})
			return s.URL, s.Client()
		}, failure{unknown, "malformed", 0}, nil},
		"cut on HTTP/2": {func(t *testing.T) (string, *http.Client) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(
				func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
			s.EnableHTTP2 = true
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL, s.Client()
		}, failure{unknown, "connection_lost", 0}, nil},
		"a transport that reports nothing": {func(*testing.T) (string, *http.Client) {
			return "http://auth.example", &http.Client{Transport: blind{}}
		}, failure{unknown, "connection_lost", 0}, errBlind},
	} {
		t.Run(name, func(t *testing.T) {
			url, client := tc.provider(t)
			fn := refresher(t, url, &oauth.RefreshOptions{Client: client})
			_, err := fn(t.Context(), open(t, stored()))
			if got := failureOf(t, err); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v is not in the chain", tc.is)
			}
		})
	}
}

var errBlind = errors.New("cut")

type blind struct{}

func (blind) RoundTrip(*http.Request) (*http.Response, error) { return nil, errBlind }

func nowhere(t *testing.T) (string, *http.Client) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return "http://" + l.Addr().String(), nil
}

func nameless(*testing.T) (string, *http.Client) {
	return "http://auth.example", &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "auth.example", IsNotFound: true}
		},
	}}
}

// silent accepts connections and says nothing.
func silent(t *testing.T) (string, *http.Client) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "https://" + l.Addr().String(), &http.Client{
		Transport: &http.Transport{TLSHandshakeTimeout: time.Millisecond},
	}
}

// cutting reads the request, writes something and cuts the connection.
func cutting(write func(http.ResponseWriter)) func(*testing.T) (string, *http.Client) {
	return func(t *testing.T) (string, *http.Client) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, buffer, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			write(hijacked{w, buffer})
			buffer.Flush()
			conn.Close()
		})
		return s.URL, s.Client()
	}
}

type hijacked struct {
	http.ResponseWriter
	to interface{ Write([]byte) (int, error) }
}

func (h hijacked) Write(b []byte) (int, error) { return h.to.Write(b) }

// TestContextEnds ends the context before a connection, and after the request was sent.
func TestContextEnds(t *testing.T) {
	reached := make(chan struct{}, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm() // so that the server notices the end of the connection
		reached <- struct{}{}
		<-r.Context().Done()
	})
	fn := refresher(t, s.URL, &oauth.RefreshOptions{Client: s.Client()})
	inst := open(t, stored())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := fn(ctx, inst)
	if got, want := failureOf(t, err), (failure{passing, "canceled", 0}); got != want {
		t.Errorf("before: got %v, want %v", got, want)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	_, err = fn(ctx, inst)
	if got, want := failureOf(t, err), (failure{unknown, "canceled", 0}); got != want {
		t.Errorf("after: got %v, want %v", got, want)
	}
	if !errors.Is(err, context.Canceled) {
		t.Error("context.Canceled is not in the chain")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = fn(ctx, inst)
	if got, want := failureOf(t, err), (failure{unknown, "timeout", 0}); got != want {
		t.Errorf("time-out: got %v, want %v", got, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("context.DeadlineExceeded is not in the chain")
	}
}

// TestUnreadableAnswerIsNotQuoted: net/http quotes an answer that it cannot read, and the error
// chain is what a host logs.
func TestUnreadableAnswerIsNotQuoted(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 rt-secret\r\n\r\n", "rt-secret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nrt-secret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: rt-secret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: rt-secret\r\n\r\n",
	} {
		url, client := cutting(func(w http.ResponseWriter) { w.Write([]byte(answer)) })(t)
		fn := refresher(t, url, &oauth.RefreshOptions{Client: client})
		_, err := fn(t.Context(), open(t, stored()))
		if err == nil {
			t.Fatalf("%q: no error", answer)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "rt-secret") {
				t.Errorf("%q: the error quotes it: %v", answer, e)
			}
		}
	}
}
