package oauthtest

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// serverVariable makes the test binary a server.
const serverVariable = "OAUTHTEST_SERVER"

// ServeIfChild makes this process the server, if [StartProcess] started it, and does not return
// then. TestMain calls it first. Otherwise it only turns off the log lines of the server, which
// writes one for each rejected request.
func ServeIfChild() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if os.Getenv(serverVariable) == "" {
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve prints the URL and serves until the standard input ends, so a server never outlives the
// process that started it.
func serve() error {
	h, err := newServer()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, h)
}

// StartProcess starts a server in a process of its own. It is the test binary again, so TestMain
// must call [ServeIfChild]. It ends with the test.
func StartProcess(tb testing.TB) *Provider {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return At(strings.TrimSpace(url))
}
