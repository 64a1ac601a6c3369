package vercel_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/api/vercel"
)

func TestNewVerifier(t *testing.T) {
	for _, url := range []string{
		"http://keys.example/jwks", "https://u:hunter2@keys.example/jwks", "ftp://keys.example",
		"/jwks", "https:///jwks", "http://127.0.0.1.example/", "%",
	} {
		if _, err := vercel.NewVerifier(clientID,
			&vercel.VerifierOptions{KeySetURL: url}); err == nil ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"", "https://keys.example/jwks", "http://127.0.0.1:1/jwks",
		"http://[::1]/jwks", "http://localhost:8080/jwks"} {
		if _, err := vercel.NewVerifier(clientID,
			&vercel.VerifierOptions{KeySetURL: url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := vercel.NewVerifier("", nil); err == nil {
		t.Error("a verifier without an audience")
	}
	v, err := vercel.NewVerifier(clientID, nil)
	if err != nil || v.ClientID() != clientID {
		t.Errorf("%v, %v", v, err)
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	got, err := w.verifier.Verify(t.Context(),
		w.issuer.user(icfg, claims{"user_avatar_url": "https://vercel.com/a.png"}))
	if err != nil {
		t.Fatal(err)
	}
	want := vercel.Claims{
		Auth: vercel.AuthUser, AccountID: account, InstallationID: icfg, UserID: "9c33de",
		UserRole: vercel.RoleAdmin, UserName: "Iris Holm",
		UserEmail: "iris@northwind.example", UserAvatar: "https://vercel.com/a.png",
	}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	// Before there is an installation, a token names neither it nor an account.
	got, err = w.verifier.Verify(t.Context(),
		w.issuer.system("", claims{"account_id": nil, "installation_id": nil, "sub": null}))
	if err != nil || *got != (vercel.Claims{Auth: vercel.AuthSystem}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestStaticKeys: keys that are injected replace the URL.
func TestStaticKeys(t *testing.T) {
	w := newWorld(t)
	v, err := vercel.NewVerifier(clientID,
		&vercel.VerifierOptions{Key: firstKey, Issuer: "https://issuer.example", Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(),
		w.issuer.user(icfg, claims{"iss": "https://issuer.example"})); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), w.issuer.user(icfg)); !errors.Is(err, vercel.ErrToken) {
		t.Errorf("a token of another issuer: %v", err)
	}
	if w.issuer.reads.Load() > 0 {
		t.Error("the key set was read")
	}
}

// TestRotation: a key that is new is found, and however many tokens name keys that are not
// there, the key set is read every half minute at most.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	verify := func(token string) error {
		_, err := w.verifier.Verify(t.Context(), token)
		return err
	}
	if err := verify(w.issuer.user(icfg)); err != nil {
		t.Fatal(err)
	}
	w.issuer.rotate(map[string]*rsa.PrivateKey{"k2": testKeys()[1]})
	fresh := w.issuer.sign("k2", "RS256", w.issuer.userClaims(icfg))
	if err := verify(fresh); !errors.Is(err, vercel.ErrToken) {
		t.Errorf("within the pause: %v", err)
	}
	w.advance(30 * time.Second)
	if err := verify(fresh); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	for range 100 {
		_ = verify(w.issuer.sign("k3", "RS256", w.issuer.userClaims(icfg)))
	}
	if n := w.issuer.reads.Load(); n != 2 {
		t.Errorf("the key set was read %d times, want 2", n)
	}
	w.issuer.serve(func(rw http.ResponseWriter) bool {
		rw.WriteHeader(http.StatusInternalServerError)
		return true
	})
	w.advance(59 * time.Minute)
	if err := verify(w.issuer.sign("k2", "RS256", w.issuer.userClaims(icfg))); err != nil {
		t.Errorf("a known key while the key set cannot be read: %v", err)
	}
}

// TestWithdrawnKey: a key that is gone is forgotten within the hour, though no token names
// another.
func TestWithdrawnKey(t *testing.T) {
	w := newWorld(t)
	token := w.issuer.user(icfg, claims{"exp": w.Now().Add(24 * time.Hour).Unix()})
	verify := func() error {
		_, err := w.verifier.Verify(t.Context(), token)
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	w.issuer.rotate(nil)
	w.advance(59 * time.Minute)
	if err := verify(); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	w.advance(time.Minute)
	if err := verify(); !errors.Is(err, vercel.ErrToken) {
		t.Errorf("after the hour: %v", err)
	}
}

// keyPageCases returns pages that are no key set.
func keyPageCases() map[string]func(http.ResponseWriter) bool {
	text := func(body string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	return map[string]func(http.ResponseWriter) bool{
		"an error": func(w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusBadGateway)
			return false
		},
		"a redirect": func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusFound)
			return false
		},
		"half a page": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Length", "4000")
			return false
		},
		"a page":     text("<html>"),
		"a list":     text(`[]`),
		"other JSON": text(`{"keys":{}}`),
		"too much":   text(`{"keys":[` + strings.Repeat(" ", 300<<10) + `]}`),
	}
}

// TestKeysUnavailable: a key set that cannot be read is no verdict on a token.
func TestKeysUnavailable(t *testing.T) {
	pages := keyPageCases()
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.issuer.serve(page)
			token := w.issuer.system(icfg)
			r := w.do(t, "GET", path, token, "")
			r.want(t, http.StatusServiceUnavailable,
				refusal("unavailable", "The service cannot answer at the moment."))
			if r.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			w.do(t, "GET", path, token, "").want(t, http.StatusServiceUnavailable)
			if n := w.issuer.reads.Load(); n != 1 {
				t.Errorf("read %d times within the pause", n)
			}
			if !strings.Contains(w.log.String(), "vercel: key set unavailable") {
				t.Errorf("logged: %s", w.log)
			}
			w.issuer.serve(nil)
			w.advance(time.Second)
			w.do(t, "GET", path, token, "").want(t, http.StatusNotFound)
		})
	}
	v, err := vercel.NewVerifier(clientID,
		&vercel.VerifierOptions{KeySetURL: "http://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if _, err := v.Verify(t.Context(), w.issuer.user(icfg)); !errors.Is(err,
		vercel.ErrKeysUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.verifier.Verify(ended, w.issuer.user(icfg)); !errors.Is(err,
		context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestKeysOutage: keys that were read outlive their hour while the key set cannot be read, for
// a day, and no more once it was.
func TestKeysOutage(t *testing.T) {
	down := func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	keys := testKeys()
	w := newWorld(t)
	verify := func(kid string) error {
		_, err := w.verifier.Verify(t.Context(),
			w.issuer.sign(kid, "RS256", w.issuer.systemClaims(icfg)))
		return err
	}
	step := func(after time.Duration, name, kid string, want error) {
		t.Helper()
		w.advance(after)
		if err := verify(kid); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	step(0, "first", "k1", nil)
	w.issuer.serve(down)
	step(61*time.Minute, "after the hour", "k1", nil)
	step(0, "a key that was never read", "k2", vercel.ErrKeysUnavailable)
	step(61*time.Minute, "after two hours", "k1", nil)
	step(21*time.Hour, "after 23 hours", "k1", nil)
	step(time.Hour, "after a day", "k1", vercel.ErrKeysUnavailable)

	w.issuer.serve(nil)
	step(time.Second, "read again", "k1", nil)
	w.issuer.serve(down)
	step(23*time.Hour, "the day counts from then", "k1", nil)
	w.issuer.rotate(map[string]*rsa.PrivateKey{"k2": keys[0]})
	w.issuer.serve(nil)
	step(time.Second, "a new key", "k2", nil)
	w.issuer.serve(down)
	step(time.Minute, "the one withdrawn", "k1", vercel.ErrKeysUnavailable)
	step(time.Second, "the new one", "k2", nil)
	w.issuer.rotate(nil)
	w.issuer.serve(nil)
	step(time.Hour, "all withdrawn", "k2", vercel.ErrToken)
}

// TestKeysErrors: neither the log nor the error of a verifier has the text of whoever read the
// keys.
func TestKeysErrors(t *testing.T) {
	for name, o := range map[string]*vercel.VerifierOptions{
		"transport": {KeySetURL: "https://issuer.example/?c4nary",
			Client: &http.Client{Transport: roundTrip(func() error {
				return errors.New("c4nary")
			})}},
		"key set": {Key: noKey(fmt.Errorf("c4nary: %w", vercel.ErrKeysUnavailable))},
		"timeout": {Key: noKey(fmt.Errorf("c4nary: %w", context.DeadlineExceeded))},
	} {
		v, err := vercel.NewVerifier(clientID, o)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		_, err = v.Verify(t.Context(), w.issuer.user(icfg))
		if err == nil || strings.Contains(err.Error(), "c4nary") || errors.Is(err,
			vercel.ErrToken) || errors.Is(err, vercel.ErrKeysUnavailable) == (name == "timeout") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type roundTrip func() error

func (f roundTrip) RoundTrip(*http.Request) (*http.Response, error) { return nil, f() }

func noKey(err error) func(context.Context, string) (*rsa.PublicKey, error) {
	return func(context.Context, string) (*rsa.PublicKey, error) { return nil, err }
}

// firstKey is a key function with one key for every ID.
func firstKey(context.Context, string) (*rsa.PublicKey, error) {
	return &testKeys()[0].PublicKey, nil
}

// TestFirstTokens: many first tokens at once are all verified, by one read.
func TestFirstTokens(t *testing.T) {
	w := newWorld(t)
	token := w.issuer.user(icfg)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := w.verifier.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.issuer.reads.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
}
