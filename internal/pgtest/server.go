package pgtest

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Server is a running PostgreSQL server with a cluster of its own. Its superuser is postgres, and
// every user can connect without a password.
type Server struct {
	// Addr is the host and port of the server.
	Addr string

	dir, port string
	settings  []string
	process   *process
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

// launch starts a server on a copy of the template. It tries another port if another process takes
// the chosen port first.
func launch(tb testing.TB, settings []string) *Server {
	tb.Helper()
	find(tb, "postgres")
	s := &Server{dir: makeDir(tb), settings: settings}
	copyFiles(tb, makeTemplate(tb), s.data())
	for range 20 {
		s.port = freePort(tb)
		s.Addr = net.JoinHostPort("127.0.0.1", s.port)
		if s.run(tb) {
			return s
		}
		if !strings.Contains(s.log(), "in use") {
			break
		}
	}
	log := s.log()
	_ = os.RemoveAll(s.dir)
	tb.Fatalf("postgres does not start:\n%s", log)
	return nil
}

// templates guards shared.template. Shared holds the lock of shared meanwhile.
var templates sync.Mutex

// makeTemplate returns a folder with an empty cluster. initdb takes over a second, and a copy takes
// a small part of that.
func makeTemplate(tb testing.TB) string {
	tb.Helper()
	templates.Lock()
	defer templates.Unlock()
	if shared.template == "" {
		dir := makeDir(tb)
		run(tb, dir, find(tb, "initdb"), "--pgdata", dir, "--no-sync", "--auth=trust",
			"--username=postgres", "--encoding=UTF8", "--locale=C")
		shared.template = dir
	}
	return shared.template
}

// copyFiles copies a folder with its owners.
func copyFiles(tb testing.TB, from, to string) {
	tb.Helper()
	must(tb, filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if e.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			var content []byte
			if content, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(target, content, 0o600)
			}
		}
		if err != nil {
			return err
		}
		return own(target)
	}))
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
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
	pid := strconv.Itoa(s.process.command.Process.Pid)
	return s.process.await(tb, "postgres accepts connections", func() bool {
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
	select {
	case <-s.process.exited:
		return
	default:
	}
	first := s.process.command.Process
	_ = first.Signal(syscall.SIGSTOP) // it starts no process now; it may be gone already
	pids := children(first.Pid)
	s.process.end(syscall.SIGKILL)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have followed the first process
	}
}

// Stop ends the server in order: it ends all connections and writes a checkpoint.
func (s *Server) Stop() { s.process.end(syscall.SIGINT) }

// Restart starts a server again that was killed or stopped, at the same address.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	// A client of another test can have the port for a moment, and a process that was killed can
	// hold memory for a moment.
	Await(tb, "the server starts again", func() bool { return s.run(tb) })
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
	pids := append(children(s.process.command.Process.Pid), s.process.command.Process.Pid)
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
