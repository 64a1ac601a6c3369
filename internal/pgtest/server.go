package pgtest

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-installation/installation/internal/servertest"
)

// Server is a running PostgreSQL server with a cluster of its own. Its superuser is postgres, and
// every user can connect without a password.
type Server struct {
	// Addr is the host and port of the server.
	Addr string

	dir, port string
	cluster   string // its folder; "" for one in dir
	settings  []string
	process   *servertest.Process
}

// Start starts a server with an empty cluster. It ends with the test. Settings have the form
// "name=value". A server writes without fsync, unless one of the settings is "fsync=on".
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s := launch(tb, settings)
	tb.Cleanup(func() {
		s.Kill()
		must(tb, os.RemoveAll(s.dir))
	})
	return s
}

// Shared returns a server that all tests of the binary share. It ends after the last test. Tests
// must use databases or schemas of their own, and must not stop it.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = launch(tb, []string{"max_connections=300"})
	}
	return shared.server
}

// launch starts a server on a copy of the template.
func launch(tb testing.TB, settings []string) *Server {
	tb.Helper()
	s := &Server{dir: makeDir(tb), settings: settings}
	CopyCluster(tb, s.data())
	s.launch(tb)
	return s
}

// launch starts s. It tries another port if another process takes the chosen port first.
func (s *Server) launch(tb testing.TB) {
	tb.Helper()
	for range 20 {
		s.port = freePort(tb)
		s.Addr = net.JoinHostPort("127.0.0.1", s.port)
		if s.run(tb) {
			return
		}
		if !s.hindered() {
			break
		}
	}
	log := s.log()
	_ = os.RemoveAll(s.dir)
	tb.Fatalf("postgres does not start:\n%s", log)
}

// hindered reports whether the server did not start because of another process: a client has the
// port for a moment, or a process that was killed still holds memory.
func (s *Server) hindered() bool { return strings.Contains(s.log(), "in use") }

// StartIn is [Start] with a cluster that is there already, in a folder of the caller. The user of
// the servers must be able to enter the folder.
func StartIn(tb testing.TB, folder string, settings ...string) *Server {
	tb.Helper()
	s := &Server{dir: makeDir(tb), cluster: folder, settings: settings}
	s.launch(tb)
	tb.Cleanup(func() {
		s.Kill()
		must(tb, os.RemoveAll(s.dir))
	})
	return s
}

func (s *Server) data() string    { return cmp.Or(s.cluster, filepath.Join(s.dir, "data")) }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) log() string {
	b, _ := os.ReadFile(s.logFile())
	return string(b)
}

// run starts the process and reports whether it accepts connections. It reads that from the file
// postmaster.pid of the cluster, since a server of another test can have taken the port.
func (s *Server) run(tb testing.TB) bool {
	tb.Helper()
	args := []string{"-D", s.data()}
	for _, setting := range append([]string{
		"port=" + s.port, "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off",
		"max_wal_size=256MB", "shared_buffers=32MB",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.process = start(tb, command(tb, s.dir, find(tb, "postgres"), args...), s.logFile())
	pid := strconv.Itoa(s.process.Pid)
	return s.process.Await(tb, "postgres accepts connections", func() bool {
		b, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		lines := strings.Split(string(b), "\n")
		if len(lines) < 8 || lines[0] != pid {
			return false
		}
		state := strings.TrimSpace(lines[7])
		return state == "ready" || state == "standby"
	})
}

// Kill ends all processes of the server at once, as a crash would, and waits until the first one is
// gone. Calling Kill again does nothing.
func (s *Server) Kill() {
	if !s.Running() {
		return
	}
	first := s.process
	_ = first.Signal(syscall.SIGSTOP) // it starts no process now; it may be gone already
	pids := children(first.Pid)
	s.process.End(syscall.SIGKILL)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have followed the first process
	}
}

// Stop ends the server in order: it ends all connections and writes a checkpoint.
func (s *Server) Stop() { s.process.End(syscall.SIGINT) }

// Restart starts a server again that was killed or stopped, at the same address.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	must(tb, s.Recover(tb))
}

// Recover is Restart for a cluster that may be damaged. If the server refuses it, the error has the
// log of the server.
func (s *Server) Recover(tb testing.TB) (err error) {
	tb.Helper()
	Await(tb, "the server starts again", func() bool {
		if s.run(tb) {
			return true
		}
		if s.hindered() {
			return false
		}
		err = fmt.Errorf("postgres refuses to start: %s", s.log())
		return true
	})
	return err
}

// StandBy restarts the server as a standby that accepts only reads.
func (s *Server) StandBy(tb testing.TB) {
	tb.Helper()
	s.Stop()
	signal := filepath.Join(s.data(), "standby.signal")
	must(tb, os.WriteFile(signal, nil, 0o600))
	must(tb, own(signal))
	s.Restart(tb)
}

// Pause stops all processes of the server without ending them, as a stalled machine would. They go
// on when resume is called or the test ends.
func (s *Server) Pause(tb testing.TB) (resume func()) {
	tb.Helper()
	pids := append(children(s.process.Pid), s.process.Pid)
	signal := func(sig syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig) // it may be gone already
		}
	}
	signal(syscall.SIGSTOP)
	resume = func() { signal(syscall.SIGCONT) }
	tb.Cleanup(resume)
	return resume
}

// URL returns the address of a database for clients, for the superuser.
func (s *Server) URL(database string) string { return s.URLAs("postgres", database) }

// URLAs returns the address of a database for a user.
func (s *Server) URLAs(user, database string) string {
	return "postgres://" + user + "@" + s.Addr + "/" + database + "?sslmode=disable"
}

// NewDatabase creates an empty database and returns its name. It lasts as long as the server.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strconv.FormatInt(counter.Add(1), 10)
	s.SQL(tb, "postgres", "CREATE DATABASE "+name)
	return name
}

// SQL runs statements in a database as the superuser and returns the rows, columns separated by
// "|".
func (s *Server) SQL(tb testing.TB, database, statements string) string {
	tb.Helper()
	return strings.TrimSpace(run(tb, s.dir, find(tb, "psql"), "--no-psqlrc", "--quiet",
		"--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname="+s.URL(database),
		"--command="+statements))
}

// Running reports whether the first process of the server is alive.
func (s *Server) Running() bool { return s.process.Running() }
