package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/api/httpapi"
)

// Wherever the program listens, the addresses of its first line lead to it and
// its tokens are valid.
func TestPrintedAddressesWork(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "localhost:0"} {
		t.Run(addr, func(t *testing.T) {
			r := start(t, "-dev", "-addr", addr)
			if host, _, err := net.SplitHostPort(r.Addr); err != nil ||
				!net.ParseIP(host).IsLoopback() {
				t.Errorf("announced %s", r.Addr)
			}
			const id = "icfg_9aXw3LmQ7vBn2TzK5rYd8PcH"
			token := expect(t, "GET", r.Vercel.Tokens+"?auth=system&installation="+id, "", nil,
				200, ".")
			expect(t, "GET", r.Vercel.Base+"/v1/installations/"+id, "", bearer(token), 404,
				"not_found")
		})
	}
}

// A request whose body never arrives times out on every path, but not before the
// deadline of the API itself.
func TestMissingBodyTimesOut(t *testing.T) {
	server := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if server.ReadTimeout <= httpapi.DefaultTimeout ||
		server.WriteTimeout <= 2*httpapi.DefaultTimeout {
		t.Errorf("the server allows %s to read and %s to write, an API %s for each",
			server.ReadTimeout, server.WriteTimeout, httpapi.DefaultTimeout)
	}
	server.ReadTimeout = 50 * time.Millisecond
	s := httptest.NewUnstartedServer(nil)
	s.Config = server
	s.Start()
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn,
		"POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // until the server closes it
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404") {
		t.Errorf("%q, %v", answer, err)
	}
}
