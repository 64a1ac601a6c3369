package refreshing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// stores fails if the stored refresh token is another one.
func (w *world) stores(refreshToken string) {
	w.t.Helper()
	if got := w.open(w.svc).RefreshToken.Value.RevealString(); got != refreshToken {
		w.t.Errorf("the stored refresh token is %q, want %q", got, refreshToken)
	}
}

// refreshesOnce fails if A does not get and store new tokens, or if they take two requests.
func (p *pair) refreshesOnce() {
	p.t.Helper()
	if got, err := p.refreshed(p.a); err != nil || got != "access-2" {
		p.t.Errorf("token %q, error %v", got, err)
	}
	p.stores("refresh-2")
	p.spentNone(1)
}

// The store fails between the provider's answer and the commit. Within the bound the new token is
// stored all the same.
func TestTokensAreStoredWhenTheStoreIsBack(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.after = func() error {
			back := time.Now().Add(17 * time.Second)
			p.tap.set(func(c *call) error {
				if time.Now().Before(back) {
					return errAway
				}
				return c.do()
			})
			return nil
		}
		p.refreshesOnce()
	})
}

func TestPanicOfTheFunctionLeavesTheLease(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t)
		p.before = func() error { p.before = nil; panic("in the host's function") }
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = p.refreshed(p.a)
		}()
		if _, err := p.refreshed(p.b); !isBusy(err) {
			t.Errorf("under the lease: %v", err)
		}
		advance(time.Minute)
		if _, err := p.refreshed(p.b); err != nil {
			t.Errorf("after the lease: %v", err)
		}
		p.spentNone(1)
	})
}

// A function that ignores its context comes back long after others took over.
func TestFunctionThatIgnoresItsContext(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.after = func() error {
			p.after = nil
			if _, err := p.refreshed(p.b); !isBusy(err) {
				t.Errorf("under the lease: %v", err)
			}
			advance(time.Minute)
			if _, err := p.refreshed(p.b); !errors.Is(err, refresh.ErrFailed) {
				t.Errorf("after the lease: %v", err)
			}
			return nil
		}
		p.refreshesOnce()
		if got := p.events(id); got[event.Failed] != 1 || got[event.Recovered] != 1 {
			t.Errorf("events: %v", got)
		}
		if f := p.get().Connection.Failure; f != nil {
			t.Errorf("Failure = %+v", f)
		}
	})
}

func TestTokensAreStoredAlthoughTheCallerLeft(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.after = func() error { cancel(); return nil }
	_, err := w.svc.Refresh(ctx, installation.RefreshRequest{ID: id}, w.refresh)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.after = nil
	w.stores("refresh-2")
	if got, err := w.refreshed(w.svc); err != nil || got != "access-2" {
		t.Errorf("next call: token %q, error %v", got, err)
	}
}

// A restore is accepted while A sends. Its lease is of another epoch then, so B does not wait.
func TestRestoreWhileSending(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.after = func() error {
			p.after = nil
			if _, err := p.b.AcceptRestore(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := p.refreshed(p.b); !errors.Is(err, refresh.ErrFailed) {
				t.Errorf("B got %v", err)
			}
			return nil
		}
		p.refreshesOnce()
	})
}

// revocations are the refresh tokens that Options.Revoke got.
type revocations []string

func (r *revocations) into(w *world) {
	w.options.Revoke = func(_ context.Context, inst *installation.Opened) error {
		c, err := inst.Credentials()
		*r = append(*r, c.RefreshToken.Value.RevealString())
		return err
	}
}

// Tokens of an installation that is gone, or has another connection, are revoked.
func TestOrphansAreRevoked(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(p *pair) error
		want error // of Refresh
	}{
		"delete": {func(p *pair) error {
			_, err := p.b.Delete(p.t.Context(), installation.DeleteRequest{ID: id})
			return err
		}, installation.ErrNotFound},
		"final uninstall": {func(p *pair) error {
			_, err := p.b.Uninstall(p.t.Context(),
				installation.UninstallRequest{ID: id, Final: true})
			return err
		}, installation.ErrShredded},
		"uninstall, revoked before the result came": {func(p *pair) error {
			_, err := p.b.Uninstall(p.t.Context(), installation.UninstallRequest{ID: id})
			for range 3 {
				_, runErr := p.b.Run(p.t.Context(), installation.RunOptions{Rounds: 1})
				err = errors.Join(err, runErr)
				advance(time.Minute)
			}
			return err
		}, installation.ErrConflict},
		"another connection": {func(p *pair) error {
			p.connect(p.b, p.connection(id))
			return nil
		}, nil},
		"no connection": {func(p *pair) error {
			_, err := p.b.Upsert(p.t.Context(), installation.UpsertRequest{
				ID: id, Parts: installation.Parts{
					Connection: installation.Remove[installation.Connection](),
				},
			})
			return err
		}, installation.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InBubble(t, func(t *testing.T) {
				var revoked revocations
				p := newPair(t, revoked.into)
				p.after = func() error {
					p.after = nil
					return test.end(p)
				}
				if _, err := p.refreshed(p.a); !errors.Is(err, test.want) {
					t.Errorf("Refresh: got %v, want %v", err, test.want)
				}
				if len(revoked) == 0 || revoked[len(revoked)-1] != "refresh-2" {
					t.Errorf("revoked %q", revoked)
				}
			})
		})
	}
}

// The commit of the tokens is executed, and its answer is lost. Another try finds them.
func TestStoredTokensAreNotRevoked(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked revocations
		p := newPair(t, failing, revoked.into)
		p.tap.set(nth(2, "Commit", func(c *call) error { return errors.Join(c.do(), errLost) }))
		if got, err := p.refreshed(p.a); err != nil || got != "access-2" || len(revoked) > 0 {
			t.Errorf("token %q, revoked %q, error %v", got, revoked, err)
		}
		p.stores("refresh-2")
		if got := p.events(id); got[event.Refreshed] != 1 {
			t.Errorf("events: %v", got)
		}
	})
}

// An installation that is back before its old credentials are revoked keeps its new ones.
func TestNewInstallIsNotRevoked(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked revocations
		w := newWorld(t, revoked.into)
		req := installation.UninstallRequest{ID: id}
		if _, err := w.svc.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		w.install(id)
		advance(time.Hour)
		if got := w.oneRound(); got.Revoked != 0 || len(revoked) != 0 {
			t.Errorf("%+v, revoked %q", got, revoked)
		}
		w.stores("refresh-2")
	})
}

// A store that refuses the new tokens for good makes the process revoke them, and say so once.
func TestRefusedTokensAreRevoked(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked revocations
		p := newPair(t, failing, revoked.into)
		refused := fmt.Errorf("%w: the record is too large", installation.ErrInvalid)
		p.after = func() error { p.tap.set(away); return nil }
		if _, err := p.refreshed(p.a); !errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("while the store is away: %v", err)
		}
		p.tap.set(nth(1, "Commit", func(*call) error { return refused }))
		report, err := p.a.Run(t.Context(), installation.RunOptions{Rounds: 1})
		if !errors.Is(err, installation.ErrInvalid) || report.Errors != 1 ||
			!strings.Contains(err.Error(), "refresh "+id+": an earlier result is lost") {
			t.Errorf("%+v, error %v", report, err)
		}
		if len(revoked) != 1 || revoked[0] != "refresh-2" {
			t.Errorf("revoked %q", revoked)
		}
		report, err = p.a.Run(t.Context(), installation.RunOptions{Rounds: 1})
		if err != nil || report.Errors != 0 || report.Refreshed != 0 {
			t.Errorf("the next round: %+v, error %v", report, err)
		}
		p.stores("refresh-1")
	})
}
