package refreshing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// answering is a function that returns these tokens.
func answering(t installation.Tokens) installation.RefreshFunc {
	return func(context.Context, *installation.Opened) (installation.Tokens, error) {
		return t, nil
	}
}

func token(value string) installation.Token {
	return installation.Token{Value: crypto.NewSecret(value), Expires: time.Now().Add(time.Hour)}
}

// call refreshes with a function. It closes the result.
func (w *world) call(svc *installation.Service, fn installation.RefreshFunc) error {
	o, err := svc.Refresh(w.t.Context(), installation.RefreshRequest{ID: id}, fn)
	if err == nil {
		err = o.Close()
	}
	return err
}

func TestAnswerIsStoredInParts(t *testing.T) {
	for name, test := range map[string]struct {
		answer               installation.Tokens
		refreshToken, kind   string
		scopes               []string
		changedConnection    bool
		changedRefreshTokens bool
	}{
		"access token only": {
			answer: installation.Tokens{Access: token("access-new")}, refreshToken: "refresh-1",
			kind: "bearer", scopes: []string{"read"},
		},
		"both tokens": {
			answer: installation.Tokens{
				Access: token("access-new"), Refresh: token("refresh-new"),
			},
			refreshToken: "refresh-new", kind: "bearer", scopes: []string{"read"},
			changedRefreshTokens: true,
		},
		"scopes and type": {
			answer: installation.Tokens{
				Access: token("access-new"), Type: "mac", Scopes: []string{"read", "write"},
			},
			refreshToken: "refresh-1", kind: "mac", scopes: []string{"read", "write"},
			changedConnection: true,
		},
		"no scopes any more": {
			answer:       installation.Tokens{Access: token("access-new"), Scopes: []string{}},
			refreshToken: "refresh-1", kind: "bearer", changedConnection: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := *w.open(w.svc)
			c.TokenType, c.Scopes = "bearer", []string{"read"}
			c.APIKey = crypto.NewSecret("api-key-1")
			w.connect(w.svc, c)
			if err := w.call(w.svc, answering(test.answer)); err != nil {
				t.Fatal(err)
			}
			got := w.open(w.svc)
			if v := got.AccessToken.Value.RevealString(); v != "access-new" {
				t.Errorf("access token %q", v)
			}
			w.stores(test.refreshToken)
			if got.TokenType != test.kind || !slices.Equal(got.Scopes, test.scopes) {
				t.Errorf("type %q, scopes %q", got.TokenType, got.Scopes)
			}
			if v := got.APIKey.RevealString(); v != "api-key-1" {
				t.Errorf("API key %q", v)
			}
			changed := w.lastEvent(event.Refreshed).Changed
			if slices.Contains(changed, "connection") != test.changedConnection ||
				slices.Contains(changed, "credential/refresh_token") != test.changedRefreshTokens {
				t.Errorf("the event names %q", changed)
			}
		})
	}
}

// lastEvent returns the last event of a type.
func (w *world) lastEvent(want event.Type) (last installation.Event) {
	w.t.Helper()
	for _, e := range w.log() {
		if e.Type == want {
			last = e
		}
	}
	return last
}

func TestBadTokensAreRejected(t *testing.T) {
	long := strings.Repeat("secret", 64<<10/6+1) // than a token may be
	masked := installation.Token{Value: crypto.Masked()}
	for name, answer := range map[string]installation.Tokens{
		"none":           {},
		"masked":         {Access: masked},
		"masked refresh": {Access: token("new"), Refresh: masked},
		"too large":      {Access: token(long)},
		"large refresh":  {Access: token("new"), Refresh: token(long)},
		"not UTF-8":      {Access: token("secret-\xff")},
		"long type":      {Access: token("new"), Type: long},
		"bad scope":      {Access: token("new"), Scopes: []string{long}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, failing)
			err := w.call(w.svc, answering(answer))
			var e *refresh.Error
			if !errors.As(err, &e) || e.Answer != refresh.Unknown || e.Reason != "bad-tokens" {
				t.Errorf("got %v", err)
			}
			if got := w.open(w.svc).AccessToken.Value.RevealString(); got != "access-1" {
				t.Errorf("the stored access token is %q", got)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, errors.Unwrap(e)), "secret") {
				t.Errorf("the error quotes a value: %v", err)
			}
			if _, err := w.refreshed(w.svc); !errors.Is(err, refresh.ErrFailed) || w.sent != 0 {
				t.Errorf("next call: %d sent, error %v", w.sent, err)
			}
		})
	}
}

func TestValidTokenIsReturnedWhileTheProviderIsDown(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.refreshed(w.svc); err != nil {
			t.Fatal(err)
		}
		advance(59*time.Minute + time.Second) // so it is valid for less than a minute
		n := 0
		w.before = func() error {
			n++
			return &refresh.Error{Answer: refresh.Passing, Reason: "503", After: time.Minute}
		}
		for range 3 {
			if got, err := w.refreshed(w.svc); err != nil || got != "access-2" {
				t.Errorf("token %q, error %v", got, err)
			}
		}
		if n != 1 {
			t.Errorf("%d requests in the pause", n)
		}
		advance(time.Minute)
		_, err := w.refreshed(w.svc)
		var e *refresh.Error
		if !errors.As(err, &e) || e.Answer != refresh.Passing || errors.Is(err, refresh.ErrFailed) {
			t.Errorf("with a token that has expired: %v", err)
		}
		if f := w.get().Connection.Failure; f != nil {
			t.Errorf("a passing failure left %+v", f)
		}
	})
}

func TestRefreshNeedsTheRightToReveal(t *testing.T) {
	type actor = installation.Actor
	w := newWorld(t)
	for name, test := range map[string]struct {
		actor installation.Actor
		want  error
	}{
		"read only": {actor{Kind: installation.Host, ReadOnly: true}, installation.ErrForbidden},
		"platform":  {actor{Kind: installation.Platform}, installation.ErrForbidden},
		"customer": {
			actor{Kind: installation.Customer, ID: "ACC-" + id}, installation.ErrForbidden,
		},
		"stranger": {
			actor{Kind: installation.ExtensionActor, ID: "EXT-2"}, installation.ErrNotFound,
		},
	} {
		if _, err := w.refreshed(w.svc.As(test.actor)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	w.spentNone(0)
	own := w.svc.As(installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"})
	if _, err := w.refreshed(own); err != nil {
		t.Errorf("the extension itself: %v", err)
	}
}

func TestRefreshRefuses(t *testing.T) {
	w := newWorld(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	req := installation.RefreshRequest{ID: id}
	for name, test := range map[string]struct {
		call func() error
		want error
	}{
		"in a transaction of the host": {func() error {
			return w.call(w.svc.On(w.store), w.refresh)
		}, installation.ErrUnsupported},
		"after the end of the context": {func() error {
			_, err := w.svc.Refresh(ended, req, w.refresh)
			return err
		}, context.Canceled},
		"without a connection": {func() error {
			_, err := w.svc.Upsert(t.Context(), installation.UpsertRequest{
				ID: "EXI-2", Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{ID: "EXT-1"}),
					Account:   installation.Value(installation.Account{ID: "ACC-2"}),
				},
			})
			if err != nil {
				t.Error(err)
			}
			req.ID = "EXI-2"
			_, err = w.svc.Refresh(t.Context(), req, w.refresh)
			return err
		}, installation.ErrNotFound},
		"what is not there": {func() error {
			req.ID = "EXI-9"
			_, err := w.svc.Refresh(t.Context(), req, w.refresh)
			return err
		}, installation.ErrNotFound},
	} {
		err := test.call()
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if strings.Count(err.Error(), "EXI-") != 1 || !strings.HasPrefix(err.Error(), "refresh ") {
			t.Errorf("%s: the error names method and ID not once: %v", name, err)
		}
	}
	if err := w.call(w.svc, nil); err == nil {
		t.Error("a call without a function and without Options.Refresh succeeded")
	}
	w.spentNone(0)
}

// The provider quotes its tokens in every error.
func TestNoSecretInErrorsAndEvents(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t)
		outputs := []any{}
		for _, answer := range []refresh.Answer{
			refresh.Passing, refresh.Unknown, "", refresh.Permanent, refresh.Permanent,
		} {
			err := w.call(w.svc, func(
				_ context.Context, inst *installation.Opened,
			) (installation.Tokens, error) {
				c, err := inst.Credentials()
				if err != nil {
					t.Error(err)
				}
				secret := c.RefreshToken.Value.RevealString()
				err = fmt.Errorf("cannot refresh %s", secret)
				if answer == "" {
					return installation.Tokens{}, err
				}
				return installation.Tokens{}, &refresh.Error{
					Answer: answer, Reason: "used: " + strings.Repeat(".", 60) + secret, Err: err,
				}
			})
			if err == nil {
				t.Fatalf("%s: no error", answer)
			}
			outputs = append(outputs, err.Error(), fmt.Sprintf("%v %+v", err, w.get()))
			advance(time.Hour)
		}
		installationtest.NoSecrets(t, w.svc, id, append(outputs, w.log(), w.get())...)
	})
}
