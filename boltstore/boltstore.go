package boltstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/go-installation/installation"
)

// DefaultMaxEvents is the default of Options.MaxEvents.
const DefaultMaxEvents = 100_000

// Options configure [Open]. The zero value of each field is its default.
type Options struct {
	// MaxEvents is the maximum number of events in the change log, for all tenants together. The
	// oldest events are trimmed first. An event has at most [installation.MaxEvent] bytes, so the
	// default bounds the log to about 200 MB. Default: [DefaultMaxEvents].
	MaxEvents int

	// Expect names the namespace that must be in the file. Open then creates no file. Set it
	// wherever the file exists already: without it, a process that starts beside the wrong folder
	// begins a new namespace, and every installation is gone for that process.
	Expect Expect

	// NoSync leaves it to the operating system when a commit reaches the disk. A commit then
	// survives the end of the process, but a crash of the machine can lose commits and damage the
	// whole file. Use it for tests and for data that can be made again.
	NoSync bool
}

// Expect names a namespace; see [Store.Namespace]. The zero value expects nothing.
type Expect struct {
	ID string
	// MinEpoch is the lowest epoch to accept. With an epoch that AcceptRestore has returned, Open
	// fails on a copy from before that call, with [installation.ErrRestored]. It needs ID.
	MinEpoch int64
}

// Store keeps records in one file. Make one with [Open], and close it after use. It is safe for
// concurrent use.
type Store struct {
	path      string // absolute, because the process can change its folder
	opts      Options
	namespace atomic.Pointer[installation.Namespace]

	// writing holds a token while a write transaction runs. A mutex would not end with a context.
	writing chan struct{}

	// life is locked while the file is opened or closed, and read-locked while it is used.
	life   sync.RWMutex
	file   *file // nil if the store cannot use the file
	reason error // why file is nil
	// first is the file that Open opened. Another file at path is never used in its place.
	first  os.FileInfo
	closed bool // by the caller
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
	_ installation.Namespacer    = (*Store)(nil)
	_ installation.Mover         = (*Store)(nil)
	_ installation.Trimmer       = (*Store)(nil)
)

// Open opens the store in the file at path, and creates the file if it does not exist. The folder
// must exist. Open copies the options; nil stands for the defaults.
//
// An error about the options names the option, and one about an empty path says so. Any other error
// matches [installation.ErrUnavailable] and names the file and the cause: another process uses the
// file, it is damaged, it is no file of this package, or it is of a later release.
func Open(path string, o *Options) (*Store, error) {
	s := &Store{writing: make(chan struct{}, 1)}
	if o != nil {
		s.opts = *o
	}
	if err := s.opts.check(); err != nil {
		return nil, fmt.Errorf("boltstore: open: %w", err)
	}
	if s.opts.MaxEvents == 0 {
		s.opts.MaxEvents = DefaultMaxEvents
	}
	if path == "" { // filepath.Abs would make it the current folder
		return nil, errors.New("boltstore: open: the path is empty")
	}
	var err error
	if s.path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("boltstore: open %w", unavailable(path, err))
	}
	if err := s.openOrCreate(); err != nil {
		return nil, fmt.Errorf("boltstore: open %w", err)
	}
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.MaxEvents < 0:
		return fmt.Errorf("MaxEvents is %d, want 0 or more", o.MaxEvents)
	case o.Expect.MinEpoch < 0:
		return fmt.Errorf("Expect.MinEpoch is %d, want 0 or more", o.Expect.MinEpoch)
	case o.Expect.ID == "" && o.Expect.MinEpoch > 0:
		return errors.New("Expect.MinEpoch needs Expect.ID")
	}
	return nil
}

// Close closes the file. It waits for calls that run. Later calls fail with
// [installation.ErrUnavailable]. Namespace does not, because it needs no file.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	open := s.file
	s.file, s.closed, s.reason = nil, true, errClosed(s.path)
	if open == nil {
		return nil
	}
	return open.close()
}

// bucket is the name of a bucket of bbolt.
type bucket string

// The buckets of a file. The package documentation describes their keys and values.
const (
	bucketMeta     bucket = "meta"
	bucketRecords  bucket = "records"
	bucketLists    bucket = "lists"
	bucketClaims   bucket = "claims"
	bucketOutcomes bucket = "outcomes"
	bucketExpiry   bucket = "expiry"
	bucketEvents   bucket = "events"
	bucketLogs     bucket = "logs"
)

// buckets are all buckets.
var buckets = []bucket{
	bucketMeta, bucketRecords, bucketLists, bucketClaims, bucketOutcomes, bucketExpiry,
	bucketEvents, bucketLogs,
}
