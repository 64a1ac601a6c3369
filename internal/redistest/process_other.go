//go:build !linux

package redistest

import "syscall"

// dieWithParent does nothing: the kernel cannot kill a child with its parent.
func dieWithParent() *syscall.SysProcAttr { return nil }
