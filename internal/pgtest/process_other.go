//go:build !linux

package pgtest

import "syscall"

// attributes returns nil: the kernel cannot kill a child with its parent.
func attributes(*credential) *syscall.SysProcAttr { return nil }

// credential is a user.
type credential struct{ Uid, Gid uint32 }

// runAs returns nil: servers run as the user of the test.
func runAs() (*credential, error) { return nil, nil }

// children returns nothing. Processes of a server end by themselves after its first process.
func children(int) []int { return nil }
