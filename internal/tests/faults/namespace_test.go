package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

// errRestored is the error of a process that noticed a restore.
var errRestored = errors.Join(installation.ErrRestored, installation.ErrUnavailable)

// check notices a restore: the epoch went back, or the newest event that this process knows of is
// gone and no restore was accepted since.
func (c *client) check() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	meta, seen := c.server.meta[0], c.namespaceSeen
	switch {
	case meta.Epoch < seen.Epoch:
		return errRestored
	case c.newest.ID == "", meta.Era != seen.Era:
		return nil
	}
	if slices.ContainsFunc(c.server.log, func(e installation.Event) bool {
		return e.ID == c.newest.ID && e.Time.Equal(c.newest.Time)
	}) {
		return nil
	}
	return errRestored
}

// see remembers the newest event and the era.
func (c *client) see() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.namespaceSeen, c.newest = c.server.meta[0], installation.Event{}
	if n := len(c.server.log); n > 0 {
		c.newest = c.server.log[n-1]
	}
}

// Namespace implements [installation.Namespacer]. Buckets of different epochs are not one
// namespace.
func (c *client) Namespace(ctx context.Context) (in installation.Namespace, err error) {
	if err := ctx.Err(); err != nil {
		return in, err
	}
	c.server.mu.Lock()
	meta := c.server.meta
	c.server.mu.Unlock()
	if meta[0] != meta[1] {
		return in, fmt.Errorf("%w: buckets of epochs %d and %d",
			installation.ErrUnavailable, meta[0].Epoch, meta[1].Epoch)
	}
	return meta[0], nil
}

// acceptTries is more than the rounds that the calls of a race can spoil for each other.
const acceptTries = 100

// AcceptRestore implements [installation.Namespacer]. It reads each bucket, raises each bucket to
// one target, and reads each bucket again, one step each.
func (c *client) AcceptRestore(
	ctx context.Context, now time.Time,
) (in installation.Namespace, err error) {
	var meta [buckets]installation.Namespace
	for range acceptTries {
		if meta, err = c.readMeta(ctx); err != nil {
			return in, err
		}
		target := c.target(meta, now)
		for b := range meta {
			next := target
			if c.broke.ownTarget {
				next.Epoch = max(meta[b].Epoch+1, now.UnixMicro())
			}
			if err := c.send(func() { c.raise(b, next) }); err != nil {
				return in, installation.ErrUnavailable
			}
		}
		if meta, err = c.readMeta(ctx); err != nil {
			return in, err
		}
		if meta[0] == meta[1] && meta[0].Epoch >= target.Epoch {
			c.see()
			return meta[0], nil
		}
	}
	return in, installation.ErrUnavailable
}

func (c *client) readMeta(ctx context.Context) (meta [buckets]installation.Namespace, err error) {
	for b := range meta {
		if err := ctx.Err(); err != nil {
			return meta, err
		}
		if c.send(func() { meta[b] = c.server.metaOf(b) }) != nil {
			return meta, installation.ErrUnavailable
		}
	}
	return meta, nil
}

func (s *server) metaOf(bucket int) installation.Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta[bucket]
}

// target returns the namespace above all buckets, in a new era.
func (c *client) target(
	meta [buckets]installation.Namespace, now time.Time,
) installation.Namespace {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	next := installation.Namespace{ID: meta[0].ID}
	for _, m := range meta {
		next.Epoch = max(next.Epoch, m.Epoch+1)
	}
	if !c.broke.countedEpoch {
		next.Epoch = max(next.Epoch, now.UnixMicro())
	}
	c.server.eras++
	next.Era = fmt.Sprintf("era%d", c.server.eras)
	if c.broke.noEra {
		next.Era = fmt.Sprintf("epoch%d", next.Epoch)
	}
	return next
}

// raise sets the namespace of a bucket unless its epoch is greater already.
func (c *client) raise(bucket int, next installation.Namespace) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	now := c.server.meta[bucket].Epoch
	if now >= next.Epoch && !c.broke.blindAccept {
		return
	}
	c.server.lowered = c.server.lowered || next.Epoch < now
	c.server.meta[bucket] = next
}
