package refreshing

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// pair is a world with two processes. The first one is on a tap.
type pair struct {
	*world
	tap  *tap
	a, b *installation.Service
}

// newPair returns two processes that have opened the installation before, so a look at the record
// is one read.
func newPair(t *testing.T, change ...func(*world)) *pair {
	t.Helper()
	w := newWorld(t, change...)
	p := &pair{world: w, tap: newTap(w.store)}
	p.a, p.b = w.process(p.tap), w.process(w.store)
	for _, svc := range []*installation.Service{p.a, p.b} {
		w.open(svc)
	}
	return p
}

// open returns the credentials that are stored.
func (w *world) open(svc *installation.Service) *installation.Connection {
	w.t.Helper()
	o, err := svc.Open(w.t.Context(), installation.OpenRequest{ID: id, Reason: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer o.Close()
	c, err := o.Credentials()
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// failing is the policy Fail for each provider.
func failing(w *world) {
	w.options.Interrupted = func(string) refresh.Policy { return refresh.Fail }
}

// spentNone fails if the provider got another number of requests, or a spent token.
func (w *world) spentNone(sent int) {
	w.t.Helper()
	if w.sent != sent || w.spent != 0 {
		w.t.Errorf("%d refresh tokens sent, want %d; %d of them were spent", w.sent, sent, w.spent)
	}
}

// Tokens and lease are one read. With two reads, A could read token 1, and then take a lease that B
// freed when it stored token 2. A would send token 1.
func TestLeaseAndTokensAreReadAsOne(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.life = 0 // so both want another token
		// The second read of A is between its look and its lease.
		p.tap.set(nth(2, "Get", func(c *call) error {
			if _, err := p.refreshed(p.b); err != nil {
				t.Error(err)
			}
			return c.do()
		}))
		got, err := p.refreshed(p.a)
		if err != nil || got != "access-3" {
			t.Errorf("token %q, error %v", got, err)
		}
		p.spentNone(2)
	})
}

// The user reconnects with the refresh token that A is sending. The tokens are the same, but the
// number of the stored credential is another one, so the result does not overwrite it.
func TestLateResultDoesNotOverwriteAReconnect(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked []string
		p := newPair(t, func(w *world) {
			w.options.Revoke = func(_ context.Context, inst *installation.Opened) error {
				c, err := inst.Credentials()
				revoked = append(revoked, c.AccessToken.Value.RevealString(),
					c.RefreshToken.Value.RevealString())
				return err
			}
		})
		old := p.open(p.b)
		old.AccessToken.Expires = time.Now().Add(time.Hour)
		p.after = func() error {
			p.after = nil
			p.connect(p.b, *old)
			return nil
		}
		if _, err := p.refreshed(p.a); err != nil {
			t.Error(err)
		}
		if got := p.open(p.b); !got.RefreshToken.Value.Equal(old.RefreshToken.Value) {
			t.Errorf("the stored refresh token is %q", got.RefreshToken.Value.RevealString())
		}
		if len(revoked) != 2 || revoked[0] != "access-2" || revoked[1] != "refresh-2" {
			t.Errorf("revoked %q", revoked)
		}
	})
}

// connect stores another connection.
func (w *world) connect(svc *installation.Service, c installation.Connection) {
	w.t.Helper()
	_, err := svc.Upsert(context.WithoutCancel(w.t.Context()), installation.UpsertRequest{
		ID: id, Parts: installation.Parts{Connection: installation.Value(c)},
	})
	if err != nil {
		w.t.Error(err)
	}
}

// One commit stores token 2 and frees the lease. If A could die between two commits, B would mark a
// good connection as failed.
func TestTokensAreStoredWithTheEndOfTheLease(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.tap.set(nth(2, "Commit", func(c *call) error {
			err := c.do()
			p.tap.set(away) // A dies
			return errors.Join(err, errLost)
		}))
		if _, err := p.refreshed(p.a); err == nil {
			t.Error("A got an answer")
		}
		got, err := p.refreshed(p.b)
		if err != nil || got != "access-2" || p.get().Connection.Failure != nil {
			t.Errorf("token %q, failure %v, error %v", got, p.get().Connection.Failure, err)
		}
		p.spentNone(1)
	})
}

// dies makes A send its token and die.
func (p *pair) dies() {
	p.t.Helper()
	p.after = func() error {
		p.after = nil
		p.tap.set(away)
		return nil
	}
	if _, err := p.refreshed(p.a); !errors.Is(err, installation.ErrUnavailable) {
		p.t.Errorf("A died with the error %v", err)
	}
}

// A sends token 1 and dies. Token 1 may be spent, so the policy decides whether B sends it.
func TestDoubtAfterTakeover(t *testing.T) {
	for _, policy := range []refresh.Policy{refresh.Retry, refresh.Fail} {
		t.Run(string(policy), func(t *testing.T) {
			fixture.InBubble(t, func(t *testing.T) {
				p := newPair(t, func(w *world) {
					w.options.Interrupted = func(string) refresh.Policy { return policy }
				})
				p.dies()
				if _, err := p.refreshed(p.b); !isBusy(err) {
					t.Errorf("before the lease ran out: %v", err)
				}
				advance(time.Minute)
				if _, err := p.refreshed(p.b); !errors.Is(err, refresh.ErrFailed) {
					t.Errorf("after the lease ran out: %v", err)
				}
				want, spent := refresh.Interrupted, 0
				if policy == refresh.Retry {
					want, spent = "invalid_grant", 1
				}
				f := p.get().Connection.Failure
				if f == nil || f.Reason != want || p.spent != spent {
					t.Errorf("failure %+v, %d spent", f, p.spent)
				}
			})
		})
	}
}

// The provider rotates and its answer is lost. Token 1 may be spent, and is not sent again.
func TestLostAnswerLeavesDoubt(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.after = func() error { return errors.New("connection reset") }
		if _, err := p.refreshed(p.a); err == nil || errors.Is(err, refresh.ErrFailed) {
			t.Errorf("A got %v", err)
		}
		if _, err := p.refreshed(p.b); !errors.Is(err, refresh.ErrFailed) {
			t.Errorf("B got %v", err)
		}
		p.spentNone(1)
	})
}

// The Service remembers when it first saw a lease. Otherwise callers who wait for 20 s would never
// see a lease of 60 s run out.
func TestImpatientCallersSeeALeaseRunOut(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t)
		p.before = func() error { // A dies before it sends
			p.before = nil
			p.tap.set(away)
			return errAway
		}
		if _, err := p.refreshed(p.a); err == nil {
			t.Error("A got an answer")
		}
		start := time.Now()
		var err error
		for range 4 {
			if _, err = p.refreshed(p.b); !isBusy(err) {
				break
			}
		}
		if got := time.Since(start); err != nil || got < time.Minute || got > 62*time.Second {
			t.Errorf("after %v: %v", got, err)
		}
		p.spentNone(1)
	})
}

// Revoke takes the lease too. Otherwise it would revoke token 1 while A gets token 2, and the grant
// would live on.
func TestRevokeTakesTheLease(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var revoked revocations
		p := newPair(t, revoked.into)
		p.before = func() error {
			req := installation.UninstallRequest{ID: id}
			if _, err := p.b.Uninstall(t.Context(), req); err != nil {
				t.Error(err)
			}
			report, err := p.b.Run(t.Context(), installation.RunOptions{Rounds: 1})
			if err != nil || report.Revoked != 0 || report.Left != 1 || revoked != nil {
				t.Errorf("while A sends: %+v, revoked %q, error %v", report, revoked, err)
			}
			return nil
		}
		if _, err := p.refreshed(p.a); !errors.Is(err, installation.ErrConflict) {
			t.Errorf("Refresh of an uninstalled one: %v", err)
		}
		report, err := p.b.Run(t.Context(), installation.RunOptions{Rounds: 1})
		if err != nil || report.Revoked != 1 || !slices.Equal(revoked, revocations{"refresh-2"}) {
			t.Errorf("%+v, revoked %q, error %v", report, revoked, err)
		}
	})
}

// A process keeps token 2 in memory if the store is away for longer than the process waits.
func TestLateResultsAreKeptInMemory(t *testing.T) {
	for name, next := range map[string]func(p *pair) error{
		"Refresh": func(p *pair) error { _, err := p.refreshed(p.a); return err },
		"Run": func(p *pair) error {
			r, err := p.a.Run(p.t.Context(), installation.RunOptions{Rounds: 1})
			if r.Refreshed != 1 {
				p.t.Errorf("Run: %+v", r)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InBubble(t, func(t *testing.T) {
				p := newPair(t, failing)
				p.dies()
				advance(time.Minute)
				p.tap.set(nil) // it was not dead
				if err := next(p); err != nil {
					t.Error(err)
				}
				p.stores("refresh-2")
				p.spentNone(1)
			})
		})
	}
}

// The answer to the commit of a lease is lost, and a retry recognizes the commit. This is no proof
// that the lease is still there: the user reconnected in between. Without another look, two callers
// send the new token.
func TestRecognizedCommitIsNoProofOfALease(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		p.life = 0
		p.tap.set(nth(1, "Commit", func(c *call) error {
			if err := c.do(); err != nil { // the first try, whose answer is lost
				t.Error(err)
			}
			p.connect(p.b, p.connection(id))
			started := make(chan struct{})
			p.before = func() error { // of B
				p.before = nil
				close(started)
				advance(15 * time.Second)
				return nil
			}
			go func() {
				if _, err := p.refreshed(p.b); err != nil {
					t.Error(err)
				}
			}()
			<-started
			return c.do() // the second try, which the store recognizes
		}))
		if _, err := p.refreshed(p.a); err != nil {
			t.Error(err)
		}
		p.spentNone(2)
	})
}
