// Package servertest has what tests against real servers share: programs that run as child
// processes, and a proxy that loses requests and answers.
package servertest

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Patience limits how long a test waits for anything. It is so long that only a hang exceeds it.
const Patience = 2 * time.Minute

// Await polls ok until it returns true. It fails the test after [Patience], or when the test ends.
func Await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			tb.Fatalf("gave up waiting: %s", what)
		case <-tick.C:
		}
	}
}

// Program returns the path of a program, which is "" if the program was not found. The test is then
// skipped, or fails if the environment variable is "require". If the variable is "skip", the test
// is skipped even with the program.
func Program(tb testing.TB, name, path, variable string) string {
	tb.Helper()
	mode := os.Getenv(variable)
	switch why := "no " + name + " found: tests against real servers need one"; {
	case path != "" && mode != "skip":
	case mode == "require":
		tb.Fatal(why)
	default:
		tb.Skip(why)
	}
	return path
}

// FreePort returns a free port from the 10,000 that begin with first. The ports at the given
// distances above it are free too.
func FreePort(tb testing.TB, first int, distances ...int) int {
	tb.Helper()
	for range 1000 {
		port := first + rand.N(10_000)
		taken := func(distance int) bool { return !isFree(port + distance) }
		if !slices.ContainsFunc(append(distances, 0), taken) {
			return port
		}
	}
	tb.Fatal("no free port")
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}

// Process is a program that a test has started.
type Process struct {
	*os.Process
	exited chan struct{}
}

// Start starts a program.
func Start(tb testing.TB, c *exec.Cmd) *Process {
	tb.Helper()
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &Process{c.Process, make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = c.Wait() // tests end servers by killing them
	}()
	return p
}

// Await waits until up returns true or the program has ended, and reports whether up did.
func (p *Process) Await(tb testing.TB, what string, up func() bool) (ok bool) {
	tb.Helper()
	Await(tb, what, func() bool {
		if !p.Running() {
			return true
		}
		ok = up()
		return ok
	})
	return ok
}

// Running reports whether the program has not ended yet. If it has, its output is complete.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// End sends a signal to the program and waits until it has ended. It may have ended before.
func (p *Process) End(signal syscall.Signal) {
	_ = p.Signal(signal) // the process may be gone already
	<-p.exited
}
