package pgtest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/go-installation/installation/internal/servertest"
)

// Proxy stands between a client and a server. It can lose a statement or the answer to it: it then
// closes the connection.
type Proxy struct {
	proxy *servertest.Proxy

	mu     sync.Mutex
	marker []byte // of the statements to lose
}

// Loss is what a [Proxy] loses of a statement.
type Loss = servertest.Loss

// The statement and its answer arrive, or only the statement does, or neither does.
const (
	LoseNothing   = servertest.LoseNothing
	LoseAnswer    = servertest.LoseAnswer
	LoseStatement = servertest.LoseRequest
)

// StartProxy starts a proxy for the server. It ends with the test.
func (s *Server) StartProxy(tb testing.TB) *Proxy {
	tb.Helper()
	p := &Proxy{}
	p.proxy = servertest.StartProxy(tb, s.Addr, func(sent []byte) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.marker != nil && bytes.Contains(sent, p.marker)
	})
	return p
}

// URL returns the address of a database for clients, for the superuser.
func (p *Proxy) URL(database string) string {
	return "postgres://postgres@" + p.proxy.Addr() + "/" + database + "?sslmode=disable"
}

// Lose calls loses for each statement that contains marker, to learn what to lose of it. A client
// that keeps prepared statements does not send their text again. The calls come one at a time. With
// a nil loses, nothing is lost.
func (p *Proxy) Lose(marker string, loses func() Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marker = []byte(marker)
	if loses == nil {
		p.proxy.Lose(nil, nil)
		return
	}
	p.proxy.Lose(func() Loss {
		p.mu.Lock()
		defer p.mu.Unlock()
		return loses()
	}, nil)
}
