package boltstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-installation/installation"
)

// layout is the version of buckets, keys and values.
const layout = 1

// keyMeta is the key of the meta in its bucket.
var keyMeta = []byte("meta")

// meta identifies a file of this package. It is stored as JSON.
type meta struct {
	Layout int    `json:"layout"`
	ID     string `json:"id"`
	Epoch  int64  `json:"epoch"`
	Era    string `json:"era"`
}

func (m meta) namespace() installation.Namespace {
	return installation.Namespace{ID: m.ID, Epoch: m.Epoch, Era: m.Era}
}

func (t *tx) putMeta(m meta) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return t.put(bucketMeta, keyMeta, value)
}

// Namespace implements [installation.Namespacer].
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	return *s.namespace.Load(), nil
}

// AcceptRestore implements [installation.Namespacer].
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (installation.Namespace, error) {
	var m meta
	err := s.update(ctx, func(t *tx) (err error) {
		if m, err = t.meta(); err != nil {
			return err
		}
		m.Epoch, m.Era = max(m.Epoch+1, now.UnixMicro()), rand.Text()
		next := m.namespace()
		t.OnCommit(func() { s.namespace.Store(&next) })
		return t.putMeta(m)
	})
	if err != nil {
		return installation.Namespace{}, fmt.Errorf("accept restore: %w", err)
	}
	return m.namespace(), nil
}
