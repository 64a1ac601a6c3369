package servertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server. It can lose a request or the answer to it: it then
// closes the connection.
type Proxy struct {
	listener net.Listener
	server   string
	request  func(sent []byte) bool // see StartProxy
	wait     sync.WaitGroup

	mu        sync.Mutex
	loses     func() Loss // see Lose
	meanwhile func()      // see LoseAnswers
	open      map[net.Conn]bool
	closed    bool
}

// Loss is what a [Proxy] loses of a request.
type Loss int

// The request and its answer arrive, or only the request does, or neither does.
const (
	LoseNothing Loss = iota
	LoseAnswer
	LoseRequest
)

// StartProxy starts a proxy for the server at an address. It ends with the test. The proxy loses
// only requests for which request returns true. That function gets the first part of a request. A
// client must send no request before it has the answer to the last one.
func StartProxy(tb testing.TB, server string, request func(sent []byte) bool) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{listener: l, server: server, request: request, open: make(map[net.Conn]bool)}
	p.wait.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the address for clients.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// LoseAnswers makes the proxy lose the answer to each request for which loses returns true. The
// proxy calls meanwhile when the server has answered and the client does not know that yet.
// With a nil loses, nothing is lost. With a nil meanwhile, nothing is called.
func (p *Proxy) LoseAnswers(loses func() bool, meanwhile func()) {
	if loses == nil {
		p.Lose(nil, nil)
		return
	}
	p.Lose(func() Loss {
		if loses() {
			return LoseAnswer
		}
		return LoseNothing
	}, meanwhile)
}

// Lose is LoseAnswers, but loses can also choose to lose the request.
func (p *Proxy) Lose(loses func() Loss, meanwhile func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses, p.meanwhile = loses, meanwhile
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

// serve copies bytes both ways. The first bytes from the server after a request are the answer to
// it.
func (p *Proxy) serve(client, server net.Conn) {
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
		loss := LoseNothing
		if p.request(buffer[:n]) {
			loss = p.next()
		}
		switch loss {
		case LoseRequest:
			return
		case LoseAnswer:
			close(losing)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if loss == LoseAnswer {
			_, _ = io.Copy(server, client) // the rest of it, until answer closes it
			return
		}
	}
}

// answer copies the answers of a server. Once losing is closed, it loses the next one.
func (p *Proxy) answer(client, server net.Conn, losing <-chan struct{}) {
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

// next returns what happens to the next request.
func (p *Proxy) next() Loss {
	p.mu.Lock()
	loses := p.loses
	p.mu.Unlock()
	if loses == nil {
		return LoseNothing
	}
	return loses()
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
