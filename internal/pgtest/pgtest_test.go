package pgtest

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		shared.main = true // no cleanup: the process waits to be killed
		m.Run()
		return
	}
	Main(m)
}

func TestServerKeepsDataAfterKill(t *testing.T) {
	s := Start(t, "fsync=on")
	s.SQL(t, "postgres", "CREATE TABLE t AS SELECT 42 AS n")
	s.Kill()
	s.Kill()
	s.Restart(t)
	if got := s.SQL(t, "postgres", "SELECT n FROM t"); got != "42" {
		t.Errorf("got %q after kill and restart, want 42", got)
	}
	s.Stop()
	s.Restart(t)
	if got := s.SQL(t, "postgres", "SHOW fsync; SELECT n FROM t"); got != "on\n42" {
		t.Errorf("got %q after stop and restart, want on and 42", got)
	}
}

func TestSnapshotTakesBackWhatFollowed(t *testing.T) {
	s := Start(t)
	addr := s.Addr
	s.SQL(t, "postgres", "CREATE TABLE t AS SELECT 42 AS n")
	backup := s.Snapshot(t)
	for range 2 {
		s.SQL(t, "postgres", "UPDATE t SET n = n + 1")
		s.Restore(t, backup)
		if got := s.SQL(t, "postgres", "SELECT n FROM t"); got != "42" || s.Addr != addr {
			t.Errorf("got %q at %s after the restore, want 42 at %s", got, s.Addr, addr)
		}
	}
}

func TestSharedServerAndDatabases(t *testing.T) {
	s := Shared(t)
	if Shared(t) != s {
		t.Error("got another server, want the same")
	}
	a, b := s.NewDatabase(t), s.NewDatabase(t)
	s.SQL(t, a, "CREATE TABLE t (n int)")
	if got := s.SQL(t, b, "SELECT to_regclass('t') IS NULL"); got != "t" {
		t.Errorf("database %s sees the table of %s", b, a)
	}
}

func TestBouncerForwards(t *testing.T) {
	s := Shared(t)
	url := s.Bouncer(t, "postgres")
	got := run(t, s.dir, find(t, "psql"), "--no-psqlrc", "-At", "--dbname="+url, "-c", "SHOW port")
	if strings.TrimSpace(got) != s.port {
		t.Errorf("got port %q through pgbouncer, want %s", got, s.port)
	}
}

// victim is set in a test process that starts a server, prints the process ID of the server and
// waits.
const victim = "INSTALLATION_TEST_VICTIM"

func TestServerDiesWithKilledTest(t *testing.T) {
	if os.Getenv(victim) != "" {
		s := Start(t)
		_, _ = os.Stdout.WriteString("pid " + strconv.Itoa(s.process.Pid) + " " +
			s.dir + " " + shared.template + "\n")
		select {}
	}
	find(t, "postgres")
	c := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithKilledTest$")
	c.Env = append(os.Environ(), victim+"=1")
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	var line string
	buffer := make([]byte, 1024)
	for !strings.HasSuffix(line, "\n") {
		n, err := out.Read(buffer)
		must(t, err)
		line += string(buffer[:n])
	}
	f := strings.Fields(line)
	pid, err := strconv.Atoi(f[1])
	must(t, err)
	must(t, c.Process.Kill())
	_ = c.Wait() // it was killed
	Await(t, "the server has ended", func() bool { return syscall.Kill(pid, 0) != nil })
	for _, dir := range f[2:] {
		must(t, os.RemoveAll(dir))
	}
}
