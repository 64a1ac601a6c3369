package pgstore

import "time"

// For tests of package pgstore_test.
var (
	LockNumber = lockNumber
	ErrServer  = errServer
	Fill       = fill
)

// TrimEvery is trimEvery.
const TrimEvery = trimEvery

// SetFailoverLoss and SetRetryFor change an option of an open store.
func (s *Store) SetFailoverLoss(d time.Duration) { s.opts.FailoverLoss = d }
func (s *Store) SetRetryFor(d time.Duration)     { s.opts.RetryFor = d }
