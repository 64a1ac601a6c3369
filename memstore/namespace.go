package memstore

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/go-installation/installation"
)

// Namespace implements [installation.Namespacer].
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	return *s.namespace.Load(), nil
}

// AcceptRestore implements [installation.Namespacer]. Memory is never restored. The method is here
// for tests of programs that call [installation.Service.AcceptRestore] on another store.
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	txn := s.db.Txn(true) // no commit compares its epoch meanwhile
	defer txn.Abort()
	next := *s.namespace.Load()
	next.Epoch, next.Era = max(next.Epoch+1, now.UnixMicro()), rand.Text()
	s.namespace.Store(&next)
	return next, nil
}
