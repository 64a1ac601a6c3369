package redistest

import "syscall"

// dieWithParent makes the kernel kill a server whose test process was killed before it could
// clean up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
