package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestCauseUnderDeadline calls stores whose client cannot connect, with a deadline that ends while
// go-redis still tries. The error names the cause.
func TestCauseUnderDeadline(t *testing.T) {
	cert, key := selfSigned(t)
	plain := redistest.Start(t)
	encrypted := redistest.StartTLS(t, cert, key)
	down := "127.0.0.1:1"
	trusting := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if err := redistest.NewClient(t, &redis.Options{
		Addr: encrypted, TLSConfig: trusting,
	}).Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		addr string
		tls  *tls.Config
		says string
		ends bool // at once: a retry would not help
	}{
		"unknown CA": {encrypted, &tls.Config{},
			"the certificate of the server is not trusted", true},
		"plain to TLS": {encrypted, nil, "expects TLS", false},
		"TLS to plain": {plain.Addr, trusting, "does not speak TLS", false},
		"server down":  {down, nil, "connection refused", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			single := redis.NewClient(&redis.Options{Addr: tc.addr, TLSConfig: tc.tls})
			t.Cleanup(func() { _ = single.Close() })
			// Three addresses, because go-redis tries them one after the other.
			cluster := redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: []string{tc.addr, tc.addr, tc.addr}, TLSConfig: tc.tls,
			})
			t.Cleanup(func() { _ = cluster.Close() })
			for kind, client := range map[string]redis.UniversalClient{
				"standalone": single, "cluster": cluster,
			} {
				for call, f := range callsOf(t, client) {
					what := kind + ", " + call
					wantCause(t, what, f, tc.says, tc.ends)
				}
			}
		})
	}
}

// callsOf returns calls of stores with a client that cannot connect.
func callsOf(tb testing.TB, client redis.UniversalClient) map[string]func(context.Context) error {
	tb.Helper()
	opened := open(tb, dialServer(tb), nil)
	opened.SetClient(client)
	return map[string]func(context.Context) error{
		"open": func(ctx context.Context) error {
			_, err := redisstore.Open(ctx, client, nil)
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := opened.Get(ctx, id("a"))
			return err
		},
		"commit": func(ctx context.Context) error {
			_, err := opened.Commit(ctx, create(id("a"), ""))
			return err
		},
	}
}

// wantCause checks that a call with a deadline of a second or a little more names the cause. Unless
// it ends at once, its error also matches that of the deadline.
func wantCause(
	tb testing.TB, what string, call func(context.Context) error, says string, ends bool,
) {
	tb.Helper()
	var err error
	for limit := time.Second; limit <= 8*time.Second; limit *= 2 {
		ctx, cancel := context.WithTimeout(tb.Context(), limit)
		err = call(ctx)
		cancel()
		wantUnavailable(tb, what, err)
		if !ends {
			wantError(tb, what, err, context.DeadlineExceeded)
		}
		if strings.Contains(err.Error(), says) {
			return
		}
	}
	tb.Errorf("%s: error %v, want %q in it", what, err, says)
}

// selfSigned returns files with a certificate for the loopback address and its key.
func selfSigned(tb testing.TB) (cert, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(
		rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		tb.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return cert, key
}
