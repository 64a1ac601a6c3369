package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// The meta member of every bucket has the epoch of the namespace. A store keeps the meta that it
// read last. A script can find another meta in its bucket for three reasons. A restore was
// accepted: the store adopts the new meta. Or the bucket was restored, and nobody has accepted
// this. Or the bucket belongs to another namespace.

// Namespace implements [installation.Namespacer]. It returns what the store has read last, without
// a round trip. If the store has noticed that the data went back to an older state, Namespace first
// reads whether someone has accepted this. If not, it returns [installation.ErrRestored].
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := s.ready(ctx); err != nil {
		return installation.Namespace{}, fmt.Errorf("namespace: %w", err)
	}
	return s.meta().namespace(), nil
}

// AcceptRestore implements [installation.Namespacer]. It raises the epoch of each bucket by a
// compare-and-swap, and reads all buckets again before it returns.
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	accepted, err := s.acceptRestore(ctx, now)
	if err != nil {
		return installation.Namespace{}, fmt.Errorf("accept restore: %w", err)
	}
	return accepted.namespace(), nil
}

func (s *Store) acceptRestore(ctx context.Context, now time.Time) (meta, error) {
	metas, err := s.readMetas(ctx)
	if err != nil {
		return meta{}, err
	}
	// All buckets get one target. It is above the metas of all buckets and the known one.
	target := highest(append(metas, s.meta()))
	target.epoch, target.era = max(target.epoch+1, now.UnixMicro()), randomHex()
	for {
		for i, b := range s.keys.all() {
			if err := s.raise(ctx, b, metas[i], target); err != nil {
				return meta{}, err
			}
		}
		if metas, err = s.readMetas(ctx); err != nil {
			return meta{}, err
		}
		if target = highest(append(metas, target)); target == lowest(metas) {
			s.adopt(target)
			return target, nil
		}
		// Another call accepts at the same time: the highest target wins. Or a failover has lost
		// the target in a bucket: that bucket is raised again.
	}
}

// raise replaces the meta of a bucket by target, unless the bucket has the same or a higher one.
// The caller has read the meta was in the bucket, which may be outdated.
func (s *Store) raise(ctx context.Context, b bucket, was, target meta) error {
	for was.less(target) {
		reply, err := s.runScript(ctx, s.raising, b.fixed()[:1],
			[]string{was.member(), target.member()})
		switch {
		case err != nil:
			return err
		case len(reply) != 1:
			return errReply
		case reply[0] == "raised":
			return nil
		}
		if was, err = s.finalMeta(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// meta returns the meta that the store has read last.
func (s *Store) meta() meta { return *s.known.Load() }

// adopt makes m the known meta, unless the known one is the same or higher. It first forgets the
// events that the store has seen. The accepted restore may have removed them, so they must not be
// missed in the new epoch.
func (s *Store) adopt(m meta) {
	for known := s.known.Load(); known.less(m); known = s.known.Load() {
		s.watch.forget()
		if s.known.CompareAndSwap(known, &m) {
			return
		}
	}
}

// ready returns an error if the context has ended, or if the store has noticed that its data went
// back to an older state. If someone has accepted this since, the store goes on.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	noticed := s.watch.restored.Load()
	if noticed == nil || noticed.in != s.meta() {
		return nil
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	if noticed.in == s.meta() {
		return noticed.err
	}
	return nil
}

// follow reads the metas again after a script or reader did not find the meta used in bucket b. It
// returns nil if the caller can try again. Then the store has adopted another meta, or bucket b now
// has the meta used, because another process has just raised its epoch.
func (s *Store) follow(ctx context.Context, b bucket, used meta) error {
	if err := s.reload(ctx); err != nil || s.meta() != used {
		return err
	}
	found, err := s.hasMeta(ctx, b, used, func(redis.Pipeliner) {})
	if err == nil && !found {
		err = errForeign(b)
	}
	return err
}

// reload reads the metas of all buckets again, and adopts them if their epoch is higher. It returns
// an error if an epoch went back, or if the buckets have different epochs.
func (s *Store) reload(ctx context.Context) error {
	metas, err := s.readMetas(ctx)
	if err != nil {
		return err
	}
	known, first, last := s.meta(), lowest(metas), highest(metas)
	switch {
	case first.less(known):
		return storecall.Restored("its epoch is %d, and this process has seen epoch %d",
			first.epoch, known.epoch)
	case first != last:
		return storecall.Restored("its buckets have the epochs %d and %d, because a restore was "+
			"accepted in part or was one of a part", first.epoch, last.epoch)
	case known.less(last):
		s.adopt(last)
	}
	return nil
}

// readMetas returns the metas of all buckets, or an error if one is not of this namespace.
func (s *Store) readMetas(ctx context.Context) ([]meta, error) {
	buckets := s.keys.all()
	metas := make([]meta, len(buckets))
	for i, b := range buckets {
		m, err := s.finalMeta(ctx, b)
		if err != nil {
			return nil, err
		}
		metas[i] = m
	}
	return metas, nil
}

// finalMeta returns the meta of a bucket, or an error if it is forming or of another namespace.
func (s *Store) finalMeta(ctx context.Context, b bucket) (meta, error) {
	stored, err := s.readMeta(ctx, b)
	if err != nil {
		return meta{}, err
	}
	m, err := parseMeta(stored)
	if known := s.meta(); err != nil || !m.final || m.id != known.id || m.buckets != known.buckets {
		return meta{}, errForeign(b)
	}
	return m, nil
}
