package redisstore_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// A swallower stands between a client and a server. It can be told to carry out a script and keep the answer to itself:
// the connection breaks instead.
type swallower struct {
	listener net.Listener
	server   string
	wait     sync.WaitGroup

	mu      sync.Mutex
	swallow func() bool // asked for each script that is sent; may be nil
	between func()      // called after a script has run and before its connection breaks; may be nil
	open    map[net.Conn]bool
	closed  bool
}

func newSwallower(tb testing.TB, server string) *swallower {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &swallower{listener: l, server: server, open: make(map[net.Conn]bool)}
	p.wait.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

func (p *swallower) addr() string { return p.listener.Addr().String() }

// tell sets which answers are swallowed from now on, and what happens meanwhile.
func (p *swallower) tell(swallow func() bool, between func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow, p.between = swallow, between
}

func (p *swallower) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.keep(client, server) {
			_ = client.Close()
			continue
		}
		p.wait.Go(func() { p.serve(client, server) })
	}
}

// keep remembers connections for close, and reports false if it came first.
func (p *swallower) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.closed
}

// serve carries bytes both ways. A client sends no second command before the answer to the first, so what the server says
// after a swallowed script is the answer to it.
func (p *swallower) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	swallowing := make(chan struct{})
	p.wait.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				_ = client.Close()
				return
			}
			select {
			case <-swallowing:
				p.mu.Lock()
				between := p.between
				p.mu.Unlock()
				if between != nil {
					between()
				}
				_ = client.Close()
				return
			default:
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("evalsha")) {
			p.mu.Lock()
			swallow := p.swallow
			p.mu.Unlock()
			if swallow != nil && swallow() {
				close(swallowing)
				_, _ = server.Write(buffer[:n])
				_, _ = io.Copy(io.Discard, client) // until the other half closes it
				return
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *swallower) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}
