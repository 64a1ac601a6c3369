package pgtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// counter makes names unique in a test binary.
var counter atomic.Int64

// Bouncer starts PgBouncer in transaction mode in front of the server and returns the address of a
// database for clients. It ends with the test.
func (s *Server) Bouncer(tb testing.TB, database string) (url string) {
	tb.Helper()
	dir := makeDir(tb)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	config, users := filepath.Join(dir, "config"), filepath.Join(dir, "users")
	must(tb, os.WriteFile(users, []byte("\"postgres\" \"\"\n"), 0o600))
	must(tb, own(users))
	host, serverPort, err := net.SplitHostPort(s.Addr)
	must(tb, err)
	for range 20 {
		port := freePort(tb)
		must(tb, os.WriteFile(config, fmt.Appendf(nil, "[databases]\n* = host=%s port=%s\n"+
			"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\n"+
			"auth_type = trust\nauth_file = %s\npool_mode = transaction\nmax_client_conn = 500\n"+
			"default_pool_size = 10\n", host, serverPort, port, users), 0o600))
		must(tb, own(config))
		log := filepath.Join(dir, "log")
		p := start(tb, command(tb, dir, find(tb, "pgbouncer"), config), log)
		read := func() string { b, _ := os.ReadFile(log); return string(b) }
		up := p.Await(tb, "pgbouncer accepts connections", func() bool {
			return strings.Contains(read(), "process up")
		})
		if up {
			tb.Cleanup(func() { p.End(syscall.SIGKILL) })
			return "postgres://postgres@127.0.0.1:" + port + "/" + database + "?sslmode=disable"
		}
		if !strings.Contains(read(), "in use") {
			tb.Fatalf("pgbouncer does not start:\n%s", read())
		}
	}
	tb.Fatal("pgbouncer finds no free port")
	return ""
}
