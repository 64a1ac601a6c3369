package redistest

import (
	"bytes"
	"testing"

	"github.com/go-installation/installation/internal/servertest"
)

// StartProxy starts a proxy for the server at an address. It loses scripts and answers to them. It
// ends with the test.
func StartProxy(tb testing.TB, server string) *servertest.Proxy {
	tb.Helper()
	return servertest.StartProxy(tb, server, func(sent []byte) bool {
		return bytes.Contains(sent, []byte("evalsha"))
	})
}
