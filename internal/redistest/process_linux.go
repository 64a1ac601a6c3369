package redistest

import "syscall"

// dieWithParent has the kernel kill a server whose test process was itself killed, and so could not clean up.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
