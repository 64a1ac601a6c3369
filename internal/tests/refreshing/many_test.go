package refreshing

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// connections is how many connections the tests of many have.
func connections() int {
	if os.Getenv("INSTALLATION_LONG") == "1" {
		return 10_000
	}
	return 200
}

// answerTime is how long the provider of a crowd takes for a request.
const answerTime = 100 * time.Millisecond

// crowd is a world with many connections.
type crowd struct {
	*world
	mu       sync.Mutex
	down     bool            // the provider serves nobody
	unserved map[string]bool // connections that it does not serve for now
	requests []time.Time     // when they began
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{unserved: make(map[string]bool)}
	c.world = newWorld(t, func(w *world) { w.options.Refresh = c.refresh })
	for i := range connections() - 1 {
		c.install(number(i + 1))
	}
	return c
}

func number(i int) string { return fmt.Sprintf("EXI-%d", i+1) }

func (c *crowd) refresh(
	ctx context.Context, inst *installation.Opened,
) (installation.Tokens, error) {
	c.mu.Lock()
	c.requests = append(c.requests, time.Now())
	unserved := c.down || c.unserved[inst.ID]
	c.mu.Unlock()
	advance(answerTime)
	if unserved {
		return installation.Tokens{}, &refresh.Error{
			Answer: refresh.Passing, Reason: "unavailable",
		}
	}
	return c.world.refresh(ctx, inst)
}

// TestRunMarksOnlyDeadConnections: a tenth of the connections is dead, and the provider does not
// serve another tenth for now.
func TestRunMarksOnlyDeadConnections(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		c := newCrowd(t)
		n := connections()
		for i := range n {
			switch i % 10 {
			case 3:
				c.grants[number(i)] = "another"
			case 7:
				c.unserved[number(i)] = true
			}
		}
		// By chance, failures in a row can shut the gate. More than enough rounds make up for it.
		report, err := c.svc.Run(t.Context(), installation.RunOptions{
			Rounds: 30, Limit: n, Every: 20 * time.Second,
		})
		if err != nil || report.Failed != n/10 || report.Refreshed != n-n/5 {
			t.Fatalf("%+v, error %v", report, err)
		}
		failed := c.listed(installation.ListRequest{Failed: true})
		if len(failed) != n/10 {
			t.Errorf("%d connections are listed as failed, want %d", len(failed), n/10)
		}
		for _, id := range failed {
			if c.grants[id] != "another" {
				t.Errorf("%s is listed as failed, and is not dead", id)
			}
		}
		if got := c.count(event.Failed); got != n/10 {
			t.Errorf("%d events of failure, want %d", got, n/10)
		}
		for _, id := range failed[:n/20] { // half of the customers connect again
			c.install(id)
		}
		failed = c.listed(installation.ListRequest{Failed: true})
		if got := c.count(event.Recovered); got != n/20 || len(failed) != n/20 {
			t.Errorf("%d events of recovery, %d still failed, want %d", got, len(failed), n/20)
		}
	})
}

// TestOutageOfProvider: an outage of an hour marks no connection. The provider gets few requests
// then, and they grow slowly when it is back.
func TestOutageOfProvider(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		c := newCrowd(t)
		c.down = true
		run := func(rounds int) {
			t.Helper()
			_, err := c.svc.Run(t.Context(), installation.RunOptions{Rounds: rounds})
			if err != nil {
				t.Fatal(err)
			}
		}
		run(60)
		// The gate shuts for 30 s at least, once its pauses have grown.
		down := len(c.requests)
		if down == 0 || down > 150 {
			t.Errorf("%d requests in an hour of outage", down)
		}
		if got := c.listed(installation.ListRequest{Failed: true}); len(got) != 0 {
			t.Errorf("%d connections failed", len(got))
		}
		c.down, c.requests = false, nil
		began := time.Now()
		for c.issued < 2*connections() {
			run(1)
			advance(time.Minute)
			if time.Since(began) > time.Hour {
				t.Fatalf("%d of %d are refreshed after an hour", c.issued-connections(),
					connections())
			}
		}
		// Each success lets one more request pass at the same time: one, two, four.
		for n, most := range []int{1, 3, 7} {
			d := time.Duration(n+1) * answerTime
			if got := c.within(d); got > most {
				t.Errorf("%d requests in the first %v, want at most %d", got, d, most)
			}
		}
		t.Logf("%d connections: %d requests in the outage; %d in the first second after it; "+
			"all are refreshed after %v", connections(), down, c.within(time.Second),
			time.Since(began))
	})
}

// within returns the number of requests in a time that begins with the first one.
func (c *crowd) within(d time.Duration) (n int) {
	for _, at := range c.requests {
		if at.Sub(c.requests[0]) < d {
			n++
		}
	}
	return n
}

// count returns how many events of a type are in the log.
func (w *world) count(of event.Type) (n int) {
	w.t.Helper()
	for _, e := range w.log() {
		if e.Type == of {
			n++
		}
	}
	return n
}
