package redistest

import (
	"bytes"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/servertest"
)

// Server is a running redis-server.
type Server struct {
	// Addr is the host and port of the server.
	Addr string

	port    int
	program string
	args    []string
	dir     string        // of its files
	output  *bytes.Buffer // complete once the process has ended
	process *servertest.Process
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
	s.output = new(bytes.Buffer)
	command := exec.Command(s.program, s.args...)
	command.Stdout, command.Stderr = s.output, s.output
	servertest.EndWithTest(command, syscall.SIGKILL)
	s.process = servertest.Start(tb, command)
	c := s.Client(tb)
	defer c.Close()
	pid := strconv.Itoa(s.process.Pid)
	return s.process.Await(tb, "redis-server answers", func() bool {
		return Info(tb.Context(), c, "process_id") == pid
	})
}

// Kill ends the process at once, as a crash would, and waits until it is gone. Calling Kill again
// does nothing.
func (s *Server) Kill() { s.process.End(syscall.SIGKILL) }

// Pause stops the process without ending it, as a stalled machine would. The process goes on
// when resume is called or the test ends.
func (s *Server) Pause(tb testing.TB) (resume func()) {
	tb.Helper()
	must(tb, s.process.Signal(syscall.SIGSTOP))
	resume = sync.OnceFunc(func() {
		_ = s.process.Signal(syscall.SIGCONT) // the process may be gone already
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
	path, _ := exec.LookPath("redis-server")
	return servertest.Program(tb, "redis-server", path, "INSTALLATION_TEST_REDIS")
}

// Servers get ports below the range from which systems take ports for clients. The port of the
// cluster bus is 10,000 higher, and also below that range.
const firstPort, busOffset = 12_000, 10_000

// freePort returns a free port whose cluster bus port is free too.
func freePort(tb testing.TB) int {
	tb.Helper()
	return servertest.FreePort(tb, firstPort, busOffset)
}
