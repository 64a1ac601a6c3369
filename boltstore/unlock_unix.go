//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package boltstore

import (
	"os"
	"syscall"
)

// unlock releases the lock of bbolt. Closing the file is not enough while its memory is mapped.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
