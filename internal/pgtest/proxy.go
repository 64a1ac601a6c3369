package pgtest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server. It can lose a statement or the answer to it: it then
// closes the connection.
type Proxy struct {
	listener net.Listener
	server   string
	wait     sync.WaitGroup

	mu     sync.Mutex
	marker string      // of the statements to lose
	loses  func() Loss // see Lose
	open   map[net.Conn]bool
	closed bool
}

// Loss is what a [Proxy] loses of a statement.
type Loss int

// The statement and its answer arrive, or only the statement does, or neither does.
const (
	LoseNothing Loss = iota
	LoseAnswer
	LoseStatement
)

// StartProxy starts a proxy for the server. It ends with the test.
func (s *Server) StartProxy(tb testing.TB) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	p := &Proxy{listener: l, server: s.Addr, open: make(map[net.Conn]bool)}
	p.wait.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// URL returns the address of a database for clients, for the superuser.
func (p *Proxy) URL(database string) string {
	return "postgres://postgres@" + p.listener.Addr().String() + "/" + database +
		"?sslmode=disable"
}

// Lose calls loses for each statement that contains marker, to learn what to lose of it. A client
// that keeps prepared statements does not send their text again. The calls come one at a time.
func (p *Proxy) Lose(marker string, loses func() Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marker, p.loses = marker, loses
}

func (p *Proxy) accept() {
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
func (p *Proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.closed
}

// serve copies bytes both ways. A client sends no statement before it has the answer to the last
// one, so the first bytes from the server after a statement are the answer to it.
func (p *Proxy) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	losing := make(chan struct{})
	p.wait.Go(func() { answer(client, server, losing) })
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		loss := p.next(buffer[:n])
		switch loss {
		case LoseStatement:
			return
		case LoseAnswer:
			close(losing)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if loss == LoseAnswer {
			_, _ = io.Copy(server, client) // until answer closes it
			return
		}
	}
}

// answer copies the answers of a server. Once losing is closed, it loses the next one.
func answer(client, server net.Conn, losing <-chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			_ = client.Close()
			return
		}
		select {
		case <-losing:
			_ = client.Close()
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// next returns what happens to the next statement.
func (p *Proxy) next(sent []byte) Loss {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loses == nil || !bytes.Contains(sent, []byte(p.marker)) {
		return LoseNothing
	}
	return p.loses()
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}
