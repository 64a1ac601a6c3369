package servertest

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// child is set in a process that waits to be killed.
const child = "INSTALLATION_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		select {}
	}
	m.Run()
}

func TestProcess(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), child+"=1")
	EndWithTest(c, syscall.SIGKILL)
	p := Start(t, c)
	polls := 0
	up := func() bool { polls++; return polls == 3 }
	if !p.Await(t, "the third poll", up) || !p.Running() {
		t.Error("the program does not run, want it to run until it is killed")
	}
	p.End(syscall.SIGKILL)
	p.End(syscall.SIGKILL)
	if p.Await(t, "the program ends", func() bool { return false }) || p.Running() {
		t.Error("the program still runs after it was killed")
	}
}

// outcome records how a test ends.
type outcome struct {
	testing.TB
	is string
}

func (o *outcome) Helper()      {}
func (o *outcome) Skip(...any)  { o.is = "skipped" }
func (o *outcome) Fatal(...any) { o.is = "failed" }

func TestProgram(t *testing.T) {
	const variable = "INSTALLATION_TEST_VARIABLE"
	for _, tc := range []struct{ path, mode, want string }{
		{"/bin/server", "", ""},
		{"/bin/server", "require", ""},
		{"/bin/server", "skip", "skipped"},
		{"", "", "skipped"},
		{"", "require", "failed"},
		{"", "skip", "skipped"},
	} {
		t.Setenv(variable, tc.mode)
		o := &outcome{TB: t}
		if got := Program(o, "server", tc.path, variable); got != tc.path || o.is != tc.want {
			t.Errorf("path %q, mode %q: the test is %q with path %q, want %q", tc.path, tc.mode,
				o.is, got, tc.want)
		}
	}
}

func TestFreePort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if isFree(taken) {
		t.Errorf("port %d counts as free while something listens there", taken)
	}
	const first, distance = 12_000, 10_000
	port := FreePort(t, first, distance)
	if port < first || port >= first+10_000 {
		t.Errorf("got port %d, want one of the 10,000 from %d", port, first)
	}
}
