package refreshing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// The host replaces only the access token, while the refresh token is on its way to the provider.
func TestAccessTokenAloneDoesNotEndTheLease(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.after = func() error {
			p.after = nil
			c := p.get().Connection
			c.AccessToken = installation.Token{Value: crypto.NewSecret("access-own")}
			c.AccessToken.Expires = time.Now().Add(-time.Second)
			p.connect(p.b, *c)
			if _, err := p.refreshed(p.b); !isBusy(err) {
				t.Errorf("B got %v", err)
			}
			return nil
		}
		p.refreshesOnce()
	})
}

// machine is a connection that works with client credentials.
func machine(name, key string) installation.Connection {
	return installation.Connection{
		ID: "conn-" + name, Provider: "crm", APIKey: crypto.NewSecret(key),
	}
}

func TestClientCredentials(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, failing)
		w.connect(w.svc, machine("2", "key-machine-2"))
		n := 0
		fn := func(_ context.Context, inst *installation.Opened) (installation.Tokens, error) {
			c, err := inst.Credentials()
			if err != nil || !c.RefreshToken.Value.IsZero() {
				t.Errorf("credentials %+v, error %v", c, err)
			}
			n++
			return installation.Tokens{Access: token(fmt.Sprint("machine-", n))}, nil
		}
		for i := range 3 {
			for range 2 {
				if err := w.call(w.svc, fn); err != nil {
					t.Fatal(err)
				}
			}
			got := w.open(w.svc).AccessToken.Value.RevealString()
			if n != i+1 || got != fmt.Sprint("machine-", i+1) {
				t.Errorf("round %d: %d requests, token %q", i, n, got)
			}
			advance(time.Hour)
		}
	})
}

// A token for one connection is not stored in the next one, although neither has a refresh token.
func TestClientCredentialsOfAnotherConnection(t *testing.T) {
	for name, next := range map[string]installation.Connection{
		"connection": {ID: "conn-3", Provider: "crm", APIKey: crypto.Masked()},
		"key":        machine("2", "key-machine-3"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.connect(w.svc, machine("2", "key-machine-2"))
			n := 0
			err := w.call(w.svc, func(
				context.Context, *installation.Opened,
			) (installation.Tokens, error) {
				if n++; n == 1 {
					w.connect(w.svc, next)
				}
				return installation.Tokens{Access: token(fmt.Sprint("machine-", n))}, nil
			})
			got := w.open(w.svc).AccessToken.Value.RevealString()
			if err != nil || got != "machine-2" {
				t.Errorf("token %q, error %v", got, err)
			}
		})
	}
}

// Client credentials cannot be spent, so they can be sent again after a lost answer.
func TestClientCredentialsAreNeverInDoubt(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, failing)
		w.connect(w.svc, machine("2", "key-machine-2"))
		err := w.call(w.svc, func(
			context.Context, *installation.Opened,
		) (installation.Tokens, error) {
			return installation.Tokens{}, errors.New("connection reset")
		})
		if err == nil {
			t.Error("no error")
		}
		advance(time.Minute)
		answer := installation.Tokens{Access: token("machine-1")}
		if err := w.call(w.svc, answering(answer)); err != nil {
			t.Error(err)
		}
	})
}

// The provider refuses a request because of the key of the client. A new key ends the failure, with
// and without a refresh token.
func TestNewKeyEndsAFailure(t *testing.T) {
	for name, refreshToken := range map[string]installation.Token{
		"with a refresh token": {Value: crypto.NewSecret("refresh-of-user")}, "without": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := machine("2", "key-machine-2")
			c.RefreshToken = refreshToken
			w.connect(w.svc, c)
			refused := func(
				context.Context, *installation.Opened,
			) (installation.Tokens, error) {
				return installation.Tokens{}, &refresh.Error{
					Answer: refresh.Permanent, Reason: "invalid_client",
				}
			}
			if err := w.call(w.svc, refused); !errors.Is(err, refresh.ErrFailed) {
				t.Errorf("got %v", err)
			}
			again := *w.get().Connection
			again.Status = "renamed" // no new secret
			if refreshToken.Value.IsZero() {
				again.Status = ""
			}
			w.connect(w.svc, again)
			if w.get().Connection.Failure == nil {
				t.Error("the failure ended without a new secret")
			}
			again.APIKey = crypto.NewSecret("key-machine-3")
			w.connect(w.svc, again)
			if f := w.get().Connection.Failure; f != nil {
				t.Errorf("Failure = %+v", f)
			}
			if got := w.events(id); got[event.Failed] != 1 || got[event.Recovered] != 1 {
				t.Errorf("events: %v", got)
			}
		})
	}
}

// After a failure that passes, a new key is sent at once, without the pause of the old one.
func TestNewKeyEndsAPause(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect(w.svc, machine("2", "key-machine-2"))
		for _, want := range []string{"http_401", refresh.Paused} {
			err := w.call(w.svc, func(
				context.Context, *installation.Opened,
			) (installation.Tokens, error) {
				return installation.Tokens{}, &refresh.Error{
					Answer: refresh.Passing, Reason: "http_401", After: time.Hour,
				}
			})
			if e, ok := errors.AsType[*refresh.Error](err); !ok || e.Reason != want {
				t.Errorf("got %v, want the reason %s", err, want)
			}
		}
		c := *w.get().Connection
		c.APIKey = crypto.NewSecret("key-machine-3")
		w.connect(w.svc, c)
		answer := installation.Tokens{Access: token("machine-1")}
		if err := w.call(w.svc, answering(answer)); err != nil {
			t.Errorf("with a new key: %v", err)
		}
	})
}

func TestRevokeOfAKeyAlone(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked []string
		w := newWorld(t, func(w *world) {
			w.options.Revoke = func(_ context.Context, inst *installation.Opened) error {
				c, err := inst.Credentials()
				revoked = append(revoked, c.APIKey.RevealString())
				return err
			}
		})
		w.connect(w.svc, machine("2", "key-machine-2"))
		req := installation.UninstallRequest{ID: id}
		if _, err := w.svc.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w.oneRound()
			advance(time.Minute)
		}
		if len(revoked) != 1 || revoked[0] != "key-machine-2" {
			t.Errorf("revoked %q", revoked)
		}
		if got := w.events(id); got[event.Revoked] != 1 {
			t.Errorf("events: %v", got)
		}
	})
}

// The user reconnects while the old token is refused. Nothing is marked, and the new one is used.
func TestRefusalOfAnOldToken(t *testing.T) {
	w := newWorld(t)
	w.before = func() error {
		w.before = nil
		w.connect(w.svc, w.connection(id))
		return &refresh.Error{Answer: refresh.Permanent, Reason: "invalid_grant"}
	}
	if got, err := w.refreshed(w.svc); err != nil || got != "access-3" {
		t.Errorf("token %q, error %v", got, err)
	}
	if got := w.events(id); got[event.Failed] != 0 || w.get().Connection.Failure != nil {
		t.Errorf("events: %v", got)
	}
	w.spentNone(1)
}
