package pgstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// Namespace implements [installation.Namespacer]. It returns what the store has seen last, without
// a round trip.
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	return *s.known.Load(), nil
}

// AcceptRestore implements [installation.Namespacer]. It waits for every open transaction in which
// the store has written. Meanwhile it delays new commits by up to a tenth of a second at a time.
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (in installation.Namespace, err error) {
	if err := ctx.Err(); err != nil {
		return in, err
	}
	era := rand.Text()
	err = s.ask(ctx, func(ctx context.Context) error {
		return s.db.query(ctx, s.text.accept,
			[]any{now.UnixMicro(), s.known.Load().Epoch, era}, func(r row) error {
				return r.Scan(&in.ID, &in.Epoch, &in.Era)
			})
	})
	if err != nil {
		return installation.Namespace{}, fmt.Errorf("accept restore: %w", err)
	}
	s.adopt(in)
	if want := s.opts.Expect.ID; want != "" && in.ID != want {
		return in, fmt.Errorf("accept restore: %w", storecall.Unavailable(
			"the namespace is %s and Options.Expect wants %s", in.ID, want))
	}
	return in, nil
}

// adopt makes in the known namespace, unless the known one is the same or newer.
func (s *Store) adopt(in installation.Namespace) {
	for {
		known := s.known.Load()
		if known.ID == in.ID && known.Epoch >= in.Epoch {
			return
		}
		if s.known.CompareAndSwap(known, &in) {
			s.watch.forget()
			return
		}
	}
}
