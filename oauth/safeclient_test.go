package oauth_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/go-installation/installation/oauth"
)

// listenAt starts a server at an address of this machine, and counts its requests.
func listenAt(t *testing.T, address string, h http.HandlerFunc) (url string, requests *int) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	requests = new(int)
	s := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			*requests++
			h(w, r)
		}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, requests
}

func ok(http.ResponseWriter, *http.Request) {}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to, http.StatusFound)
	}
}

// one allows a single address of this machine.
var one = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func TestSafeClient(t *testing.T) {
	url, requests := listenAt(t, "127.0.0.1:0", ok)
	_, port, err := net.SplitHostPort(url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	other, toOther := listenAt(t, "127.0.0.2:0", ok)
	away, _ := listenAt(t, "127.0.0.1:0", redirect(other))
	back, _ := listenAt(t, "127.0.0.1:0", redirect(url))
	for _, tc := range []struct {
		name, url string
		opts      *oauth.SafeClientOptions
		refused   bool
	}{
		{"http", url, nil, true},
		{"http, also where the address is allowed", url,
			&oauth.SafeClientOptions{Allow: one}, true},
		{"loopback", url, &oauth.SafeClientOptions{AllowHTTP: true}, true},
		{"a name of loopback", "http://localhost:" + port,
			&oauth.SafeClientOptions{AllowHTTP: true}, true},
		{"a mapped address", "http://[::ffff:127.0.0.1]:" + port,
			&oauth.SafeClientOptions{AllowHTTP: true}, true},
		{"unspecified", "http://0.0.0.0:" + port, &oauth.SafeClientOptions{AllowHTTP: true}, true},
		{"allowed", url, &oauth.SafeClientOptions{AllowHTTP: true, Allow: one}, false},
		{"not allowed", other, &oauth.SafeClientOptions{AllowHTTP: true, Allow: one}, true},
		{"a redirect", back, &oauth.SafeClientOptions{AllowHTTP: true, Allow: one}, false},
		{"a redirect elsewhere", away,
			&oauth.SafeClientOptions{AllowHTTP: true, Allow: one}, true},
	} {
		*requests = 0
		client := oauth.SafeClient(tc.opts)
		resp, err := client.Get(tc.url)
		if err == nil {
			resp.Body.Close()
		}
		client.CloseIdleConnections()
		if errors.Is(err, oauth.ErrRefused) != tc.refused || (err != nil) != tc.refused {
			t.Errorf("%s: got error %v", tc.name, err)
		}
		if tc.refused == (*requests > 0) {
			t.Errorf("%s: %d requests", tc.name, *requests)
		}
	}
	if *toOther != 0 {
		t.Errorf("%d requests to the address that is not allowed", *toOther)
	}
}

// TestSafeClientKeepsTLS has a redirect from https to http.
func TestSafeClientKeepsTLS(t *testing.T) {
	request := func(url string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	check := oauth.SafeClient(&oauth.SafeClientOptions{AllowHTTP: true}).CheckRedirect
	secure, plain := request("https://a.example"), request("http://a.example")
	if err := check(plain, []*http.Request{secure}); !errors.Is(err, oauth.ErrRefused) {
		t.Errorf("https to http: got %v, want ErrRefused", err)
	}
	if err := check(secure, []*http.Request{plain}); err != nil {
		t.Errorf("http to https: got %v", err)
	}
	if err := check(secure, make10(secure)); err == nil {
		t.Error("the eleventh request was allowed")
	}
}

func make10(r *http.Request) (via []*http.Request) {
	for range 10 {
		via = append(via, r)
	}
	return via
}

// TestRefreshWithSafeClient says that a refused address is passing: nothing was sent.
func TestRefreshWithSafeClient(t *testing.T) {
	url, requests := listenAt(t, "127.0.0.1:0", ok)
	for name, opts := range map[string]*oauth.SafeClientOptions{
		"address": {AllowHTTP: true}, "scheme": nil,
	} {
		fn := refresher(t, url, &oauth.RefreshOptions{Client: oauth.SafeClient(opts)})
		_, err := fn(t.Context(), open(t, stored()))
		if got, want := failureOf(t, err), (failure{passing, "address_refused", 0}); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if *requests != 0 {
		t.Errorf("%d requests", *requests)
	}
}
