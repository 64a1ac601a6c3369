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

// crowd is a world with many connections, whose provider takes a while to answer.
type crowd struct {
	*world
	mu       sync.Mutex
	down     bool
	passing  map[string]bool // connections whose refresh fails in passing
	requests map[int64]int   // by second
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{passing: make(map[string]bool), requests: make(map[int64]int)}
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
	c.requests[time.Now().Unix()]++
	down, passing := c.down, c.passing[inst.ID]
	c.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // in the bubble
	if down || passing {
		return installation.Tokens{}, &refresh.Error{
			Answer: refresh.Passing, Reason: "unavailable",
		}
	}
	return c.world.refresh(ctx, inst)
}

// TestRunFindsTheDead: a tenth of the connections is dead, and a tenth fails in passing.
func TestRunFindsTheDead(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		c := newCrowd(t)
		n := connections()
		for i := range n {
			switch i % 10 {
			case 3:
				c.grants[number(i)] = "another"
			case 7:
				c.passing[number(i)] = true
			}
		}
		report, err := c.svc.Run(t.Context(), installation.RunOptions{
			Rounds: 10, Limit: n, Every: 20 * time.Second,
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

// TestOutageOfProvider: an outage of an hour marks no connection, and its end is no stampede.
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
		down := c.peak()
		if got := c.listed(installation.ListRequest{Failed: true}); len(got) != 0 {
			t.Errorf("%d connections failed", len(got))
		}
		c.down, c.requests = false, make(map[int64]int)
		began := time.Now()
		for c.issued < 2*connections() {
			run(1)
			time.Sleep(time.Minute)
			if time.Since(began) > time.Hour {
				t.Fatalf("%d of %d are refreshed after an hour", c.issued-connections(),
					connections())
			}
		}
		// Eight workers at 100 ms are at most 80 in a second.
		if peak := c.peak(); peak > 80 {
			t.Errorf("%d requests in a second", peak)
		}
		t.Logf("%d connections: at most %d requests in a second of the outage; after it %v, "+
			"requests by second: %v", connections(), down, time.Since(began), c.first(10))
	})
}

// peak returns the most requests in a second.
func (c *crowd) peak() (most int) {
	for _, n := range c.requests {
		most = max(most, n)
	}
	return most
}

// first returns the numbers of requests in the first n seconds that have any.
func (c *crowd) first(n int) (counts []int) {
	start := int64(1 << 62)
	for second := range c.requests {
		start = min(start, second)
	}
	for i := range n {
		counts = append(counts, c.requests[start+int64(i)])
	}
	return counts
}

// count returns how many events of a type are in the log.
func (w *world) count(of event.Type) (n int) {
	w.t.Helper()
	for after := ""; ; {
		page, err := w.svc.Events(w.t.Context(), after, installation.MaxPage)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Type == of {
				n++
			}
		}
		if len(page.Events) == 0 {
			return n
		}
		after = page.Next
	}
}
