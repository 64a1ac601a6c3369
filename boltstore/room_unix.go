//go:build linux || darwin || freebsd

package boltstore

import (
	"math"
	"syscall"
)

// roomOf returns how many bytes an ordinary user can still write on the disk of a file.
func roomOf(path string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return 0, err
	}
	blocks, size := uint64(max(0, int64(stat.Bavail))), uint64(stat.Bsize)
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64, nil
	}
	return int64(blocks * size), nil
}
