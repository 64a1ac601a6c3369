package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis dials several times before it returns an error, and returns only that the context has
// ended if it ends meanwhile. So a call that takes long connects by itself and finds out what is
// wrong, before its deadline ends.

const (
	checkupAfter   = 150 * time.Millisecond // the time of a call before it connects by itself
	checkupEvery   = 500 * time.Millisecond // a store connects at most so often
	checkupTimeout = 2 * time.Second
	tlsPatience    = 250 * time.Millisecond // before a handshake counts as unanswered
)

var (
	errExpectsTLS = errors.New("the server closes connections without TLS: maybe it expects TLS")
	errNoTLS      = errors.New("the server does not speak TLS")
)

// checkups are the checkups of a store. Concurrent calls share one.
type checkups struct {
	mu   sync.Mutex
	last *checkup
}

// checkup finds out why the servers cannot be reached.
type checkup struct {
	started time.Time
	done    chan struct{}
	err     error // nil if they can be; set before done is closed
}

// start starts a checkup, unless the last one is recent.
func (c *checkups) start(of client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && time.Since(c.last.started) < checkupEvery {
		return
	}
	next := &checkup{started: time.Now(), done: make(chan struct{})}
	c.last = next
	go func() {
		defer close(next.done)
		next.err = of.connect()
	}()
}

// since returns what a checkup has found that was started at t or shortly before.
func (c *checkups) since(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || c.last.started.Before(t.Add(-checkupEvery)) {
		return nil
	}
	select {
	case <-c.last.done:
		return c.last.err
	default:
		return nil
	}
}

// target is a server to connect to.
type target struct {
	addr string
	tls  bool
	dial func(context.Context) (net.Conn, error)
}

// targets returns the servers that the options of the client name.
func (c client) targets() (list []target) {
	type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)
	add := func(dial dialer, network, addr string, tls bool) {
		list = append(list, target{addr, tls, func(ctx context.Context) (net.Conn, error) {
			return dial(ctx, network, addr)
		}})
	}
	switch c := c.UniversalClient.(type) {
	case interface{ Options() *redis.Options }:
		o := c.Options()
		add(o.Dialer, o.Network, o.Addr, o.TLSConfig != nil)
	case interface{ Options() *redis.ClusterOptions }:
		o := c.Options()
		dial := o.Dialer
		if dial == nil {
			dial = redis.NewDialer(
				&redis.Options{TLSConfig: o.TLSConfig, DialTimeout: checkupTimeout})
		}
		for _, addr := range o.Addrs {
			add(dial, "tcp", addr, o.TLSConfig != nil)
		}
	}
	return list
}

// connect connects to all servers and returns the first error that tells a cause.
func (c client) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), checkupTimeout)
	defer cancel()
	list := c.targets()
	found := make(chan error, len(list))
	for _, t := range list {
		go func() { found <- t.check(ctx) }()
	}
	for range list {
		if err := <-found; err != nil {
			return err
		}
	}
	return nil
}

// check connects to a server. It returns nil if that works, and if it does not end in time.
func (t target) check(ctx context.Context) error {
	type dialed struct {
		conn net.Conn
		err  error
	}
	ended := make(chan dialed)
	go func() {
		conn, err := t.dial(ctx)
		select {
		case ended <- dialed{conn, err}:
		case <-ctx.Done():
			if err == nil {
				_ = conn.Close()
			}
		}
	}()
	var silent <-chan time.Time
	if t.tls {
		silent = time.After(tlsPatience)
	}
	for {
		select {
		case d := <-ended:
			switch {
			case d.err != nil && isContextError(d.err):
				return nil
			case d.err != nil:
				return d.err
			}
			defer d.conn.Close()
			if !t.tls {
				if _, err := ping(ctx, d.conn); isClosed(err) {
					return errExpectsTLS
				}
			}
			return nil
		case <-silent:
			// Redis waits for more when it gets a handshake that it does not understand.
			if t.answersPlain(ctx) {
				return errNoTLS
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// answersPlain reports whether the server answers without TLS.
func (t target) answersPlain(ctx context.Context) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	first, err := ping(ctx, conn)
	return err == nil && (first == '+' || first == '-')
}

// ping sends a command that needs no user, and returns the first byte of the answer.
func ping(ctx context.Context, conn net.Conn) (byte, error) {
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	if _, err := io.WriteString(conn, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return 0, err
	}
	first := make([]byte, 1)
	_, err := io.ReadFull(conn, first)
	const alert = 0x15 // the type of a record of TLS
	if err == nil && first[0] == alert {
		err = io.EOF
	}
	return first[0], err
}

// isClosed reports whether err says that the other side closed a connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}
