package pgstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-installation/installation"
)

// Namespace implements [installation.Namespacer]. It returns what the store has seen last, without
// a round trip.
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	return *s.known.Load(), nil
}

// AcceptRestore implements [installation.Namespacer]. It waits for every open transaction that has
// committed a change. Meanwhile it delays new commits by up to a tenth of a second at a time.
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (in installation.Namespace, err error) {
	if err := ctx.Err(); err != nil {
		return in, err
	}
	era := rand.Text()
	err = s.read(ctx, func(ctx context.Context) error {
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
		return in, fmt.Errorf("accept restore: %w", unavailable(
			"the namespace is %s and Options.Expect wants %s", in.ID, want))
	}
	return in, nil
}

// readNamespace reads the namespace.
func (s *Store) readNamespace(ctx context.Context) (in installation.Namespace, err error) {
	err = s.readOne(ctx, s.text.namespace, nil, &in.ID, &in.Epoch, &in.Era)
	return in, err
}

// adopt makes in the known namespace, unless the known one is the same or newer.
func (s *Store) adopt(in installation.Namespace) {
	for {
		known := s.known.Load()
		if known.ID == in.ID && known.Epoch >= in.Epoch || s.known.CompareAndSwap(known, &in) {
			return
		}
	}
}

// restored returns the error of a write that found another namespace, or an older epoch.
func (s *Store) restored(found installation.Namespace) error {
	known := s.known.Load()
	return &storeError{
		sentinel: installation.ErrUnavailable,
		text: fmt.Sprintf("the data went back to an older state: the namespace was %s at epoch %d "+
			"and is %s at epoch %d; if you want to go on with this data, call "+
			"Service.AcceptRestore", known.ID, known.Epoch, found.ID, found.Epoch),
		causes: []error{installation.ErrRestored},
	}
}
