package servertest

import (
	"os/exec"
	"syscall"
)

// EndWithTest makes the kernel send a signal to a program if the test process is killed before it
// could clean up.
func EndWithTest(c *exec.Cmd, signal syscall.Signal) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = new(syscall.SysProcAttr)
	}
	c.SysProcAttr.Pdeathsig = signal
}
