//go:build !linux && !darwin && !freebsd

package boltstore

import "errors"

// roomOf is unsupported on this system.
func roomOf(string) (int64, error) { return 0, errors.ErrUnsupported }
