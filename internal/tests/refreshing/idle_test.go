package refreshing

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// counting counts the calls of List, and the records that they return.
type counting struct {
	installation.Decorator
	pages, records int
}

func (s *counting) List(
	ctx context.Context, q installation.Query,
) (installation.Page, error) {
	page, err := s.Store.List(ctx, q)
	s.pages++
	s.records += len(page.Records)
	return page, err
}

// A round in which nothing is due reads one empty page for Sweep and one for the rest.
func TestIdleRoundReadsNothing(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var c *counting
		w := newWorld(t, refreshing, func(w *world) {
			c = &counting{Decorator: installation.Decorator{Store: w.store}}
			w.store = c
		})
		for i := range 250 {
			w.install(fmt.Sprint("EXI-", i+2))
		}
		w.oneRound()
		c.pages, c.records = 0, 0
		w.oneRound()
		if c.pages != 2 || c.records != 0 {
			t.Errorf("%d pages with %d records", c.pages, c.records)
		}
	})
}
