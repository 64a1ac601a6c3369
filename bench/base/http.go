package base

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// Handler returns a bare handler: it reads 2 KiB of JSON with one GET, decodes it and encodes it.
// It knows no tokens.
func Handler(ctx context.Context, client redis.UniversalClient) (http.Handler, error) {
	var keys keys
	for n := range int64(stored) {
		if err := client.Set(ctx, "json-"+stringKey(n), document, 0).Err(); err != nil {
			return nil, err
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := client.Get(r.Context(), "json-"+keys.string()).Bytes()
		var values map[string]any
		if err != nil || json.Unmarshal(text, &values) != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(values)
	}), nil
}

// Callers send GET requests to a server, each over a connection of its own.
type Callers chan *caller

type caller struct {
	net.Conn
	answers *bufio.Reader
}

// NewCallers opens n connections.
func NewCallers(addr string, n int) (Callers, error) {
	callers := make(Callers, n)
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			callers.Close()
			return nil, err
		}
		callers <- &caller{conn, bufio.NewReader(conn)}
	}
	return callers, nil
}

// Close closes the connections. No call may be under way.
func (c Callers) Close() {
	for range len(c) {
		_ = (<-c).Close()
	}
}

// Get sends one request and reads the answer, which has to be 200.
func (c Callers) Get(path, token string) error {
	caller := <-c
	defer func() { c <- caller }()
	const format = "GET %s HTTP/1.1\r\nHost: host.example\r\nAuthorization: Bearer %s\r\n\r\n"
	if _, err := fmt.Fprintf(caller, format, path, token); err != nil {
		return err
	}
	res, err := http.ReadResponse(caller.answers, nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return err
}
