package redistest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is a running redis-server.
type Server struct {
	// Addr is the host and port of the server.
	Addr string

	port    int
	program string
	args    []string
	dir     string // of its files
	command *exec.Cmd
	output  *bytes.Buffer // complete once exited is closed
	exited  chan struct{}
}

// Start starts one server. It writes nothing to disk unless the configuration says so. config
// has the form of command line options, such as "--appendonly", "yes".
func Start(tb testing.TB, config ...string) *Server {
	tb.Helper()
	base := []string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	return launch(tb, append(base, config...)...)
}

// StartTLS starts a server and returns the address of a port of it that expects TLS. The test is
// skipped if the program does not support it.
func StartTLS(tb testing.TB, certFile, keyFile string) (addr string) {
	tb.Helper()
	if out, _ := exec.Command(find(tb), "--tls-port", "-1").CombinedOutput(); bytes.Contains(
		out, []byte("Bad directive")) {
		tb.Skip("redis-server was built without TLS")
	}
	port := strconv.Itoa(freePort(tb))
	Start(tb, "--tls-port", port, "--tls-cert-file", certFile, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", certFile, "--tls-auth-clients", "no")
	return net.JoinHostPort("127.0.0.1", port)
}

// launch starts redis-server. config holds command line options, with a configuration file before
// them if there is one. launch tries another port if another process takes the chosen port first.
func launch(tb testing.TB, config ...string) *Server {
	tb.Helper()
	program := find(tb)
	var lastOutput string
	for range 20 {
		port := freePort(tb)
		s := &Server{
			Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), port: port,
			program: program, dir: tb.TempDir(),
		}
		s.args = slices.Concat(config, []string{"--port", strconv.Itoa(port),
			"--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"})
		up := s.run(tb)
		tb.Cleanup(s.Kill) // also a process that was restored meanwhile
		if up {
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

// run starts the process and reports whether that process answers at the port. It compares process
// IDs, since a server of another test can have taken the port.
func (s *Server) run(tb testing.TB) bool {
	tb.Helper()
	s.output, s.exited = new(bytes.Buffer), make(chan struct{})
	s.command = exec.Command(s.program, s.args...)
	s.command.Stdout, s.command.Stderr = s.output, s.output
	s.command.SysProcAttr = dieWithParent()
	if err := s.command.Start(); err != nil {
		tb.Fatalf("start redis-server: %v", err)
	}
	go func() {
		defer close(s.exited)
		_ = s.command.Wait() // tests end servers by killing them
	}()
	c := s.Client(tb)
	defer c.Close()
	pid, up := strconv.Itoa(s.command.Process.Pid), false
	Await(tb, "redis-server answers", func() bool {
		select {
		case <-s.exited:
			return true
		default:
			up = Info(tb.Context(), c, "process_id") == pid
			return up
		}
	})
	return up
}

// Kill ends the process at once, as a crash would, and waits until it is gone. Calling Kill again
// does nothing.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // the process may be gone already
	<-s.exited
}

// Pause stops the process without ending it, as a stalled machine would. The process goes on
// when resume is called or the test ends.
func (s *Server) Pause(tb testing.TB) (resume func()) {
	tb.Helper()
	must(tb, s.command.Process.Signal(syscall.SIGSTOP))
	resume = sync.OnceFunc(func() {
		_ = s.command.Process.Signal(syscall.SIGCONT) // the process may be gone already
	})
	tb.Cleanup(resume)
	return resume
}

// Client returns a client of this server that does not retry. The client is closed when the test
// ends.
func (s *Server) Client(tb testing.TB) *redis.Client {
	return NewClient(tb, &redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
}

// find returns the path of redis-server.
func find(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	mode := os.Getenv("INSTALLATION_TEST_REDIS")
	if err == nil && mode != "skip" {
		return path
	}
	const why = "no redis-server on the path: tests against real servers need one"
	if mode == "require" {
		tb.Fatal(why)
	}
	tb.Skip(why)
	return ""
}

// Servers get ports below the range from which systems take ports for clients. The port of the
// cluster bus is 10,000 higher, and also below that range.
const firstPort, ports, busOffset = 12_000, 10_000, 10_000

// freePort returns a free port whose cluster bus port is free too.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		port := firstPort + rand.N(ports)
		if isFree(port) && isFree(port+busOffset) {
			return port
		}
	}
	tb.Fatal("no free port")
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
