package pgtest

import (
	"testing"

	"github.com/go-installation/installation/internal/proxytest"
)

// StartProxy starts a proxy for the server at an address. It loses statements with arguments, which
// a client sends as a message Bind, and answers to them. It ends with the test.
func StartProxy(tb testing.TB, server string) *proxytest.Proxy {
	tb.Helper()
	return proxytest.Start(tb, server, func(sent []byte) bool {
		return len(sent) > 0 && sent[0] == 'B'
	})
}
