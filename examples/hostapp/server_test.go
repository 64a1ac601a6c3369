package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/redistest"
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

// TestStoreID starts on data with an ID that the program logs. With another ID it does not start.
func TestStoreID(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(newKeys(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-dev", "-keys", keys, "-store", "redis://" + redistest.Start(t).Addr}
	first := start(t, args...)
	id := regexp.MustCompile(` id=(\w+)`).FindStringSubmatch(first.log.String())
	if id == nil {
		t.Fatalf("no ID in the log:\n%s", first.log)
	}
	start(t, append(args, "-store-id", id[1])...)
	var out, log bytes.Buffer
	args = append(args, "-addr", "127.0.0.1:0", "-store-id", "another")
	status := program(t.Context(), args, &out, &log)
	if status != 1 || !strings.Contains(log.String(), "another was expected") {
		t.Errorf("status %d, log %q", status, &log)
	}
}

// restored is a store whose data went back to an older state.
type restored struct{ installation.Store }

func (restored) Get(context.Context, installation.Key) (*installation.Record, error) {
	return nil, fmt.Errorf("%w: %w", installation.ErrUnavailable, installation.ErrRestored)
}

// TestHealthNamesRestore checks that a probe and the log tell a restore from an outage.
func TestHealthNamesRestore(t *testing.T) {
	keys, err := loadKeys(settings{}, new(devSecrets))
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(restored{}, keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a := &app{svc: svc, log: slog.New(slog.NewTextHandler(&log, nil))}
	answer := httptest.NewRecorder()
	a.health(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
	if answer.Code != http.StatusServiceUnavailable ||
		!strings.Contains(answer.Body.String(), `"restored"`) {
		t.Errorf("status %d, body %s", answer.Code, answer.Body)
	}
	if !strings.Contains(log.String(), installation.ErrRestored.Error()) {
		t.Errorf("the log does not name the restore: %s", &log)
	}
}

// TestOriginsOfOwnPage sends the preflight of a page to each platform. With -dev, a page of the
// server itself is allowed, and no other.
func TestOriginsOfOwnPage(t *testing.T) {
	r := start(t, "-dev")
	own := "http://" + r.Addr
	_, port, _ := strings.Cut(r.Addr, ":")
	for _, url := range []string{
		r.Vercel.Base + "/v1/installations/icfg_1", r.SoftwareOne.Base + "/installations",
		r.Ampersand.Base + "/projects/project-456",
	} {
		for origin, status := range map[string]int{
			own: 204, "http://localhost:" + port: 204, "http://localhost:1": 405,
			"https://evil.example": 405,
		} {
			got, _ := ask(t, http.MethodOptions, url, "", "Origin", origin,
				"Access-Control-Request-Method", "PUT")
			if got != status {
				t.Errorf("%s from %s: %d, want %d", url, origin, got, status)
			}
		}
	}
}
