package refreshing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/refresh"
)

// grant is a grant with rotation and reuse detection: a spent token ends it.
type grant struct {
	valid  string
	issued int
	ended  bool
	sentAt map[string]time.Time
	spent  int
	early  int  // of the spent ones, those less than a lease after the first request
	lost   bool // the answer to a request
}

func (r *interleaving) take(token string) (installation.Tokens, error) {
	g := &r.grant
	if at, ok := g.sentAt[token]; ok {
		g.spent++
		if time.Since(at) < walkLease && !g.lost && !r.stopped {
			g.early++
		}
	}
	g.sentAt[token] = time.Now()
	if g.ended || token != g.valid {
		g.ended = true
		return installation.Tokens{}, &refresh.Error{
			Answer: refresh.Permanent, Reason: "invalid_grant",
		}
	}
	return g.next(time.Hour), nil
}

func (g *grant) next(life time.Duration) installation.Tokens {
	g.issued++
	g.valid = fmt.Sprintf("refresh-%d", g.issued)
	return installation.Tokens{
		Access: installation.Token{
			Value:   crypto.NewSecret(fmt.Sprintf("access-%d", g.issued)),
			Expires: time.Now().Add(life),
		},
		Refresh: installation.Token{Value: crypto.NewSecret(g.valid)},
	}
}

// walkStore is the store of one holder.
type walkStore struct {
	installation.Decorator
	r *interleaving
	h *holder
}

func (s *walkStore) Get(
	ctx context.Context, key installation.Key,
) (rec *installation.Record, err error) {
	err = s.r.step(s.h, "Get", func() (err error) {
		rec, err = s.Store.Get(ctx, key)
		return err
	})
	if err != nil {
		rec = nil
	}
	return rec, err
}

func (s *walkStore) Commit(
	ctx context.Context, c installation.Change,
) (receipt installation.Receipt, err error) {
	err = s.r.step(s.h, "Commit", func() (err error) {
		receipt, err = s.Store.Commit(ctx, c)
		return err
	})
	return receipt, err
}

// refreshOf returns the function that a holder sends with.
func (r *interleaving) refreshOf(h *holder) installation.RefreshFunc {
	return func(_ context.Context, inst *installation.Opened) (t installation.Tokens, err error) {
		c, err := inst.Credentials()
		if err != nil {
			return t, err
		}
		token := c.RefreshToken.Value.RevealString()
		err = r.step(h, "send", func() (err error) {
			t, err = r.take(token)
			return err
		})
		switch {
		case errors.Is(err, installation.ErrUnknownOutcome):
			r.grant.lost = true
			err = &refresh.Error{Answer: refresh.Unknown, Reason: "reset"}
		case errors.Is(err, installation.ErrUnavailable):
			err = &refresh.Error{Answer: refresh.Passing, Reason: "refused"}
		}
		return t, err
	}
}

// check looks for broken promises. A holder that lives makes another round. Then a third process
// needs another token.
func (r *interleaving) check() {
	g, ctx := &r.grant, context.Background()
	died := false
	for _, h := range r.holders {
		if died = died || h.dead; !h.dead {
			if _, err := h.svc.Run(ctx, installation.RunOptions{Rounds: 1}); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	before := *g
	third := &holder{svc: r.process(r.store)}
	err := r.attempts(third)
	inst, getErr := third.svc.Get(ctx, id)
	if getErr != nil {
		r.t.Fatal(getErr)
	}
	failed, retry := inst.Connection.Failure != nil, r.policy == refresh.Retry
	r.must(retry || g.spent == 0, "Fail sent %d spent tokens", g.spent)
	r.must(g.early == 0, "%d spent tokens were sent under a lease", g.early)
	r.must(g.spent == before.spent || died || g.lost || before.ended, "a token got lost")
	r.must((err == nil) == !failed, "failure %v after %v", inst.Connection.Failure, err)
	r.must(!failed || g.ended || !retry, "a living grant is marked")
	r.must(failed || !g.ended, "a grant that ended is not marked")
}

// attempts makes up to ten attempts to get another token.
func (r *interleaving) attempts(h *holder) (err error) {
	for range 10 {
		var o *installation.Opened
		o, err = h.svc.Refresh(context.Background(), installation.RefreshRequest{
			ID: id, Before: time.Now().Add(24 * time.Hour), // so it sends what is stored
		}, r.refreshOf(h))
		if err == nil {
			return o.Close()
		}
		if errors.Is(err, refresh.ErrFailed) {
			return err
		}
		advance(time.Minute)
	}
	return err
}

func (r *interleaving) must(ok bool, format string, args ...any) {
	if !ok {
		r.broken = append(r.broken, fmt.Sprintf(format, args...))
	}
}
