// Package redistest starts real Redis servers for tests: one, one with Sentinel, or a cluster. They run as child processes on
// free ports of the loopback interface, keep their files in the directory of the test, and are killed when it ends.
//
// The program is the redis-server on the path. Without one the test is skipped and says so; if the environment variable
// INSTALLATION_TEST_REDIS is "require", it fails.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long anything may take that a test waits for.
const patience = 60 * time.Second

// Await polls ok until it is true. It fails the test after a minute, or when the test is over.
func Await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			tb.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// Server is a running redis-server.
type Server struct {
	// Addr is its host and port.
	Addr string

	port    int
	command *exec.Cmd
	output  *bytes.Buffer // complete once exited is closed
	exited  chan struct{}
}

// Start starts one server. It neither saves nor logs to disk unless the configuration, in the form of command line options
// such as "--appendonly", "yes", says so.
func Start(tb testing.TB, config ...string) *Server {
	tb.Helper()
	base := []string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	return launch(tb, "", append(base, config...))
}

// launch starts redis-server on a port of its own, with a configuration file if there is one. The port could be taken by
// another process before the server has it; then it is another one's turn.
func launch(tb testing.TB, file string, config []string) *Server {
	tb.Helper()
	program := find(tb)
	var lastOutput string
	for range 20 {
		port := freePort(tb)
		args := []string{}
		if file != "" {
			args = append(args, file)
		}
		args = append(args, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", tb.TempDir(), "--daemonize", "no")
		s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), port: port}
		if s.run(tb, program, append(args, config...)) {
			tb.Cleanup(s.Kill)
			return s
		}
		lastOutput = s.output.String()
		if !strings.Contains(lastOutput, "in use") {
			break
		}
	}
	tb.Fatalf("redis-server does not start:\n%s", lastOutput)
	return nil
}

// run starts the process and reports whether it came to answer.
func (s *Server) run(tb testing.TB, program string, args []string) bool {
	tb.Helper()
	s.output, s.exited = new(bytes.Buffer), make(chan struct{})
	s.command = exec.Command(program, args...)
	s.command.Stdout, s.command.Stderr = s.output, s.output
	s.command.SysProcAttr = dieWithParent()
	if err := s.command.Start(); err != nil {
		tb.Fatalf("start redis-server: %v", err)
	}
	go func() {
		defer close(s.exited)
		_ = s.command.Wait() // being killed is how it is to end
	}()
	c := s.Client(tb)
	defer c.Close()
	up := false
	Await(tb, "redis-server answers", func() bool {
		select {
		case <-s.exited:
			return true
		default:
			err := c.Ping(tb.Context()).Err()
			up = err == nil || redis.HasErrorPrefix(err, "NOAUTH")
			return up
		}
	})
	return up
}

// Kill ends the process at once, as a crash would, and waits until it is gone. It may be called again.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // it may be gone already
	<-s.exited
}

// Pause stops the process without ending it, as a stalled machine would, until the function it returns is called or the test ends.
func (s *Server) Pause(tb testing.TB) (resume func()) {
	tb.Helper()
	must(tb, s.command.Process.Signal(syscall.SIGSTOP))
	resume = sync.OnceFunc(func() { _ = s.command.Process.Signal(syscall.SIGCONT) }) // it may be gone already
	tb.Cleanup(resume)
	return resume
}

// Client returns a plain client of this server alone, which is closed when the test ends.
func (s *Server) Client(tb testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Info returns one field of INFO, "" if the server does not answer.
func (s *Server) Info(ctx context.Context, c redis.Cmdable, field string) string {
	text, _ := c.Info(ctx, "everything").Result()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return value
		}
	}
	return ""
}

// find returns the path of redis-server.
func find(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	const why = "no redis-server on the path: tests against real servers need one"
	if os.Getenv("INSTALLATION_TEST_REDIS") == "require" {
		tb.Fatal(why)
	}
	tb.Skip(why)
	return ""
}

// Ports lie below those that systems give to clients, and so do the cluster bus ports, 10,000 above.
const firstPort, ports, busOffset = 12_000, 10_000, 10_000

// freePort returns a port that nobody listens on, nor on the one of its cluster bus.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		port := firstPort + rand.N(ports)
		if free(port) && free(port+busOffset) {
			return port
		}
	}
	tb.Fatal("no free port")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// writeFile writes a file into a directory of the test.
func writeFile(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// must fails the test on an error of a command that prepares servers.
func must(tb testing.TB, errs ...error) {
	tb.Helper()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(fmt.Errorf("prepare redis: %w", err))
	}
}
