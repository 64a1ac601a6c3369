package refreshing

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// steady returns a function of a provider that does not rotate: the refresh token stays.
func steady(n *int, lasts time.Duration) installation.RefreshFunc {
	return func(context.Context, *installation.Opened) (installation.Tokens, error) {
		*n++
		value := fmt.Sprint("steady-", *n)
		advance(lasts)
		return installation.Tokens{Access: token(value)}, nil
	}
}

func TestProviderThatKeepsTheRefreshToken(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, failing)
		n := 0
		for range 3 {
			if err := w.call(w.svc, steady(&n, 0)); err != nil {
				t.Error(err)
			}
			advance(time.Hour)
		}
		if n != 3 {
			t.Errorf("%d requests", n)
		}
		w.stores("refresh-1")
	})
}

// Two callers want a token that lives longer than those of the provider. The one that waits takes
// what the other one gets.
func TestWaiterTakesTheBestThereIs(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		p := newPair(t, failing)
		n := 0
		var both sync.WaitGroup
		for _, svc := range []*installation.Service{p.a, p.b} {
			both.Go(func() {
				o, err := svc.Refresh(t.Context(), installation.RefreshRequest{
					ID: id, Before: time.Now().Add(24 * time.Hour),
				}, steady(&n, time.Second))
				if err != nil {
					t.Error(err)
					return
				}
				defer o.Close()
				c, err := o.Credentials()
				if err != nil || c.AccessToken.Value.RevealString() != "steady-1" {
					t.Errorf("credentials %+v, error %v", c, err)
				}
			})
		}
		both.Wait()
		if n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}
