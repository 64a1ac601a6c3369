package redisstore_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
)

// trap breaks a connection instead of sending bytes that contain a word.
type trap struct {
	mu   sync.Mutex
	word string // "" if the trap is not set
	stay bool   // the trap stays set
}

func (t *trap) set(word string)        { t.put(word, false) }
func (t *trap) setForGood(word string) { t.put(word, true) }

func (t *trap) put(word string, stay bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.word, t.stay = word, stay
}

func (t *trap) springs(p []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.word == "" || !bytes.Contains(p, []byte(t.word)) {
		return false
	}
	if !t.stay {
		t.word = ""
	}
	return true
}

// client returns a client whose connections are trapped.
func (t *trap) client(tb testing.TB, addr string, o *redis.Options) *redis.Client {
	if o == nil {
		o = new(redis.Options)
	}
	o.Addr = addr
	o.Dialer = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return trapped{c, t}, err
	}
	return redistest.NewClient(tb, o)
}

type trapped struct {
	net.Conn
	trap *trap
}

func (c trapped) Write(p []byte) (int, error) {
	if c.trap.springs(p) {
		_ = c.Conn.Close()
		return len(p), nil
	}
	return c.Conn.Write(p)
}
