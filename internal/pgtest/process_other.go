//go:build !linux

package pgtest

import "syscall"

// runAs returns nil: servers run as the user of the test.
func runAs() (*syscall.Credential, error) { return nil, nil }

// children returns nothing. Processes of a server end by themselves after its first process.
func children(int) []int { return nil }
