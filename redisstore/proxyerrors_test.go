package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// proxyErrors are texts of proxies: Envoy, Twemproxy, managed services, and one that nobody knows.
var proxyErrors = []string{
	"upstream failure", "no upstream host", "ERR upstream failure", "ERR Proxy error",
	"PROXY timed out", "ERR Connection timed out", "ERR something `sealed` else",
}

// TestProxyErrors has a proxy answer a commit with an error of its own after the server has applied
// the change. The retry finds out. If it gets no further, the outcome is unknown.
func TestProxyErrors(t *testing.T) {
	server := redistest.Start(t)
	p := &failingProxy{}
	client := redistest.NewClient(t, &redis.Options{Addr: server.Addr, Dialer: p.dial})
	for _, o := range []redisstore.Options{
		{Namespace: "alone"},
		{Namespace: "replicated", RequireReplicas: 1, ReplicaTimeout: time.Millisecond},
	} {
		var log retries
		o.Logger = log.logger()
		s := open(t, client, &o)
		for i, text := range proxyErrors {
			t.Run(o.Namespace+"/"+text, func(t *testing.T) {
				defer p.fail("", 0)
				p.fail(text, 1)
				c := create(id("%d", i), text)
				receipt, err := s.Commit(t.Context(), c)
				wantError(t, "commit", err, nil, installation.ErrNotReplicated)
				if !receipt.Replayed || countEvents(t, s)[text] != 1 {
					t.Errorf("receipt %+v, events %v", receipt, countEvents(t, s))
				}
				p.fail(text, 1000)
				_, err = s.Commit(log.firstTry(t), create(id("failed-%d", i), ""))
				onlyUnknown(t, err)
				if strings.Contains(fmt.Sprint(err), "sealed") {
					t.Errorf("error %v quotes the server", err)
				}
			})
		}
	}
}

// TestProxyErrorsOfReads has a proxy answer a read with an error of its own, which ends the read.
func TestProxyErrorsOfReads(t *testing.T) {
	server := miniredis.RunT(t)
	client := redistest.NewClient(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
	s := open(t, client, nil)
	for _, text := range proxyErrors {
		server.SetError(text)
		_, err := s.Get(t.Context(), id("none")) // without a deadline
		wantUnavailable(t, text, err)
	}
}

// failingProxy replaces answers of a server to scripts by an error.
type failingProxy struct {
	mu    sync.Mutex
	text  string
	times int
}

// fail replaces as many of the next answers.
func (p *failingProxy) fail(text string, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.times = text, times
}

func (p *failingProxy) dial(_ context.Context, network, addr string) (net.Conn, error) {
	c, err := net.Dial(network, addr)
	return &failingConn{Conn: c, proxy: p}, err
}

// failingConn is a connection through a failingProxy.
type failingConn struct {
	net.Conn
	proxy *failingProxy
	text  string // replaces the next answer
}

// Write implements [net.Conn].
func (c *failingConn) Write(b []byte) (int, error) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.times > 0 && bytes.Contains(b, []byte("evalsha")) {
		p.times--
		c.text = p.text
	}
	return c.Conn.Write(b)
}

// Read implements [net.Conn]. The first read after a script takes at least the start of its answer.
func (c *failingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.text == "" || err != nil {
		return n, err
	}
	answer := "-" + c.text + "\r\n"
	if !bytes.HasPrefix(b[:n], []byte("*")) {
		return n, fmt.Errorf("the answer of the script is %q", b[:n])
	}
	// The answer of WAIT, ":0", comes after that of the script.
	if wait := bytes.LastIndexByte(b[:n], ':'); wait > 0 {
		answer += string(b[wait:n])
	}
	c.text = ""
	return copy(b, answer), nil
}
