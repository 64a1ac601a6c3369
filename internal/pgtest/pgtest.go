// Package pgtest starts real PostgreSQL servers for tests, and PgBouncer in front of them. The
// servers run as child processes on free ports of the loopback interface, and end with the test.
//
// The package finds the programs on the path and in /usr/lib/postgresql. Without them, tests are
// skipped and say so. If the environment variable INSTALLATION_TEST_POSTGRES is "require", they
// fail instead. If it is "skip", they are skipped even with the programs.
//
// PostgreSQL refuses to run as root. A test that runs as root starts it as the user postgres or
// nobody, so the folder for temporary files must be open to other users.
//
// Nothing here depends on the speed of the machine. Functions return when the servers report the
// wanted state. Time limits only end a hang.
package pgtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-installation/installation/internal/servertest"
)

// Patience is [servertest.Patience].
const Patience = servertest.Patience

// Await is [servertest.Await].
var Await = servertest.Await

// shared is what the tests of one binary share. Main removes it.
var shared struct {
	sync.Mutex
	main     bool    // Main runs
	template string  // a folder that initdb made; "" before the first server
	server   *Server // of Shared
}

// Main runs the tests of a package and removes what they shared. Call it in TestMain. The other
// functions of this package need it, or [Use].
func Main(m *testing.M) {
	Use(func() { m.Run() }) // the testing package exits with the result after TestMain has returned
}

// Use calls f, which can use this package, and then removes what it shared. It is for programs.
func Use(f func()) {
	shared.main = true
	f()
	if s := shared.server; s != nil {
		s.Kill()
		_ = os.RemoveAll(s.dir) // the system cleans its temporary folder up otherwise
	}
	if shared.template != "" {
		_ = os.RemoveAll(shared.template)
	}
}

// find returns the path of a program. Debian keeps the programs of the server off the path.
func find(tb testing.TB, name string) string {
	tb.Helper()
	if !shared.main {
		tb.Fatal("call pgtest.Main in TestMain")
	}
	path, _ := exec.LookPath(name)
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/"} {
		if found, _ := filepath.Glob(pattern + name); path == "" && len(found) > 0 {
			path = slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		}
	}
	return servertest.Program(tb, name, path, "INSTALLATION_TEST_POSTGRES")
}

// version returns the number in a path such as /usr/lib/postgresql/15/bin/postgres, or 0.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// makeDir makes a folder that the user of the server owns. It is not the TempDir of the test,
// because another user cannot enter that.
func makeDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pgtest-")
	must(tb, err)
	must(tb, own(dir))
	return dir
}

// own gives a file to the user that runs the servers.
func own(path string) error {
	user, err := runAs()
	if err != nil || user == nil {
		return err
	}
	return os.Chown(path, int(user.Uid), int(user.Gid))
}

// command prepares a program that runs as the user of the servers and dies with the test.
func command(tb testing.TB, dir, program string, args ...string) *exec.Cmd {
	tb.Helper()
	user, err := runAs()
	must(tb, err)
	c := exec.Command(program, args...)
	c.Dir, c.SysProcAttr = dir, &syscall.SysProcAttr{Credential: user}
	servertest.EndWithTest(c, syscall.SIGQUIT) // a server then ends without a checkpoint
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PG") // settings of clients
	}), "LC_ALL=C")
	return c
}

// run runs a program to its end.
func run(tb testing.TB, dir, program string, args ...string) string {
	tb.Helper()
	out, err := command(tb, dir, program, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
	return string(out)
}

// must fails the test if a step that prepares servers has failed.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("prepare postgres: %v", err)
	}
}

// freePort returns a free port below the range from which systems take ports for clients.
func freePort(tb testing.TB) string {
	tb.Helper()
	return strconv.Itoa(servertest.FreePort(tb, 22_000)) // above the ports of redistest
}

// start starts a program that writes its output to a file.
func start(tb testing.TB, c *exec.Cmd, log string) *servertest.Process {
	tb.Helper()
	out, err := os.Create(log)
	must(tb, err)
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	return servertest.Start(tb, c)
}
