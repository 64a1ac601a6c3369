package redisstore_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// lossyProxy stands between a client and a server. It can pass on a script and lose the answer:
// the connection breaks instead.
type lossyProxy struct {
	listener net.Listener
	server   string
	wait     sync.WaitGroup

	mu        sync.Mutex
	loses     func() bool // called for each script; nil to lose no answer
	meanwhile func()      // called between the script and the loss; may be nil
	open      map[net.Conn]bool
	closed    bool
}

func newLossyProxy(tb testing.TB, server string) *lossyProxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &lossyProxy{listener: l, server: server, open: make(map[net.Conn]bool)}
	p.wait.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

func (p *lossyProxy) addr() string { return p.listener.Addr().String() }

// lose sets which answers are lost from now on, and what happens between the script and the
// loss.
func (p *lossyProxy) lose(loses func() bool, meanwhile func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses, p.meanwhile = loses, meanwhile
}

func (p *lossyProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.track(client, server) {
			_ = client.Close()
			continue
		}
		p.wait.Go(func() { p.serve(client, server) })
	}
}

// track remembers connections for close. It reports false if the proxy is closed already.
func (p *lossyProxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.closed
}

// serve copies bytes both ways. A client sends no command before it has the answer to the last
// one, so the first bytes from the server after a script are the answer to it.
func (p *lossyProxy) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	losing := make(chan struct{})
	p.wait.Go(func() { p.answer(client, server, losing) })
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		lose := bytes.Contains(buffer[:n], []byte("evalsha")) && p.losesNext()
		if lose {
			close(losing)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if lose {
			_, _ = io.Copy(io.Discard, client) // until answer closes it
			return
		}
	}
}

// answer copies the answers of a server until losing is closed.
func (p *lossyProxy) answer(client, server net.Conn, losing <-chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			_ = client.Close()
			return
		}
		select {
		case <-losing:
			p.mu.Lock()
			meanwhile := p.meanwhile
			p.mu.Unlock()
			if meanwhile != nil {
				meanwhile()
			}
			_ = client.Close()
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *lossyProxy) losesNext() bool {
	p.mu.Lock()
	loses := p.loses
	p.mu.Unlock()
	return loses != nil && loses()
}

func (p *lossyProxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}
