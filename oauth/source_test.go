package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/refresh"
)

// valid is a connection whose access token needs no refresh.
func valid() installation.Connection {
	c := stored()
	c.AccessToken.Expires = installationtest.Start.Add(time.Hour)
	return c
}

func noRefresh(t *testing.T) installation.RefreshFunc {
	return func(context.Context, *installation.Opened) (installation.Tokens, error) {
		t.Error("refreshed")
		return installation.Tokens{}, errors.New("not needed")
	}
}

// fresh is a RefreshFunc that counts its calls, and returns a token that is valid for an hour.
func fresh(calls *atomic.Int64) installation.RefreshFunc {
	return func(context.Context, *installation.Opened) (installation.Tokens, error) {
		calls.Add(1)
		access := secret("access-2")
		access.Expires = installationtest.Start.Add(time.Hour)
		return installation.Tokens{Access: access, Refresh: secret("refresh-2")}, nil
	}
}

func TestTokenSource(t *testing.T) {
	ctx := t.Context()
	token, err := oauth.TokenSource(ctx, install(t, valid()), "EXI-1", noRefresh(t)).Token()
	if err != nil {
		t.Fatal(err)
	}
	want := &oauth2.Token{
		AccessToken: "access-1", TokenType: "Bearer",
		Expiry: installationtest.Start.Add(time.Hour),
	}
	if diff := cmp.Diff(want.AccessToken, token.AccessToken); diff != "" {
		t.Error(diff)
	}
	if token.Type() != "Bearer" || !token.Expiry.Equal(want.Expiry) || token.RefreshToken != "" {
		t.Errorf("got type %s, expiry %v, refresh token %q",
			token.Type(), token.Expiry, token.RefreshToken)
	}

	var calls atomic.Int64
	source := oauth.TokenSource(ctx, install(t, stored()), "EXI-1", fresh(&calls))
	for range 2 {
		token, err := source.Token()
		if err != nil || token.AccessToken != "access-2" {
			t.Fatalf("got %v, error %v", token, err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d refreshes, want 1", calls.Load())
	}
}

func TestNoToken(t *testing.T) {
	refused := &refresh.Error{
		Answer: refresh.Permanent, Reason: "invalid_grant",
	}
	svc := install(t, stored())
	for name, tc := range map[string]struct {
		id   string
		fn   installation.RefreshFunc
		want error
	}{
		"no installation": {"EXI-2", noRefresh(t), installation.ErrNotFound},
		"refused":         {"EXI-1", fails(refused), refused},
	} {
		token, err := oauth.TokenSource(t.Context(), svc, tc.id, tc.fn).Token()
		if token != nil || !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.id) {
			t.Errorf("%s: got %v, error %v", name, token, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := oauth.TokenSource(ctx, install(t, valid()), "EXI-1", noRefresh(t))
	if token, err := source.Token(); token != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: got %v, error %v", token, err)
	}
}

// failing is a store whose commits fail from some time on.
type failing struct {
	*memstore.Store
	fail atomic.Bool
}

func (f *failing) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	if f.fail.Load() {
		return installation.Receipt{}, installation.ErrUnavailable
	}
	return f.Store.Commit(ctx, c)
}

// TestTokenNotStored refreshes while the store fails. A token that no other process can find is not
// given out.
func TestTokenNotStored(t *testing.T) {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	store := &failing{Store: memstore.New()}
	svc, err := installation.New(store, ring, &installation.Options{
		RefreshLease: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	svc = installOn(t, svc, stored())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	source := oauth.TokenSource(ctx, svc, "EXI-1",
		func(context.Context, *installation.Opened) (installation.Tokens, error) {
			store.fail.Store(true)
			return installation.Tokens{Access: secret("access-2")}, nil
		})
	if token, err := source.Token(); token != nil || err == nil {
		t.Errorf("got %v, error %v", token, err)
	}
}

// seen is what a server got: "METHOD path authorization body".
func seen(list *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*list = append(*list, strings.TrimSpace(strings.Join([]string{
			r.Method, r.URL.Path, r.Header.Get("Authorization"), string(body),
		}, " ")))
	}
}

func TestClient(t *testing.T) {
	var there, elsewhere []string
	other := httptest.NewServer(seen(&elsewhere))
	defer other.Close()
	log := seen(&there)
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		log(w, r)
		switch r.URL.Path {
		case "/near":
			http.Redirect(w, r, "/orders", http.StatusTemporaryRedirect)
		case "/far":
			http.Redirect(w, r, other.URL+"/back", http.StatusTemporaryRedirect)
		}
	})
	var calls atomic.Int64
	client := oauth.Client(install(t, stored()), "EXI-1", fresh(&calls), nil)
	for _, path := range []string{"/orders", "/near", "/far"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+path,
			strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(req.Header) != 0 {
			t.Errorf("%s: the request of the caller got %v", path, req.Header)
		}
	}
	want := []string{
		"POST /orders Bearer access-2 body", "POST /near Bearer access-2 body",
		"POST /orders Bearer access-2 body", "POST /far Bearer access-2 body",
	}
	if diff := cmp.Diff(want, there); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"POST /back  body"}, elsewhere); diff != "" {
		t.Errorf("requests elsewhere (-want +got):\n%s", diff)
	}
	if calls.Load() != 1 {
		t.Errorf("%d refreshes, want 1", calls.Load())
	}
}

type body struct{ closed bool }

func (b *body) Read([]byte) (int, error) { return 0, io.EOF }

func (b *body) Close() error {
	b.closed = true
	return nil
}

type contextKey struct{}

// TestClientWithoutToken ends the context of the request while its token is refreshed.
func TestClientWithoutToken(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "its own"))
	api := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	client := oauth.Client(install(t, stored()), "EXI-1",
		func(ctx context.Context, _ *installation.Opened) (installation.Tokens, error) {
			if ctx.Value(contextKey{}) != "its own" {
				t.Error("the refresh has another context than the request")
			}
			cancel()
			if ctx.Err() != nil {
				t.Error("the end of the request cut its refresh off")
			}
			return installation.Tokens{}, errors.New("the answer was lost")
		}, nil)
	b := &body{}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	if !b.closed {
		t.Error("the body was not closed")
	}
}
