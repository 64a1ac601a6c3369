package oauth

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrRefused means that a [SafeClient] refused an address or a scheme. Nothing was sent there.
var ErrRefused = errors.New("oauth: refused: not a public address, or not https")

// SafeClientOptions are the options of [SafeClient]. The zero value is ready to use.
type SafeClientOptions struct {
	// Allow are addresses that are reached although they are not public, such as those of a
	// provider in the network of the host.
	Allow []netip.Prefix
	// AllowHTTP also allows requests without TLS. A token is then readable on the way.
	AllowHTTP bool
}

// SafeClient returns a client for URLs that a customer can influence. Without it, a customer could
// make the host send requests to servers in its own network.
//
// The client checks the address that it connects to, after it has resolved the name. So a name that
// changes its addresses does not get past the check. It refuses loopback, private, shared (CGNAT),
// link-local, unique local, multicast, unspecified, documentation and other special addresses. It
// also refuses them as IPv4 in IPv6: mapped, NAT64 and 6to4. It refuses redirects to them, and
// redirects from https to http. Such a request fails with [ErrRefused].
//
// It uses no proxy, not even one that the environment names: a proxy would connect to any address.
// It knows only the well-known prefix of NAT64. A network with a prefix of its own has to block it.
//
// A request takes at most 30 seconds, and headers of an answer have at most 64 KiB. The caller has
// to limit the body. opts can be nil. The client is safe for concurrent use.
func SafeClient(opts *SafeClientOptions) *http.Client {
	o := *cmp.Or(opts, &SafeClientOptions{})
	guard := &guard{allowed: slices.Clone(o.Allow), http: o.AllowHTTP}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: guard.control}
	guard.transport = &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{
		Transport: guard, CheckRedirect: checkRedirect, Timeout: 30 * time.Second,
	}
}

// guard refuses addresses and schemes.
type guard struct {
	allowed   []netip.Prefix
	http      bool
	transport *http.Transport
}

// RoundTrip sees redirects too.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.http {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, ErrRefused
	}
	return g.transport.RoundTrip(req)
}

// CloseIdleConnections is for http.Client.CloseIdleConnections.
func (g *guard) CloseIdleConnections() { g.transport.CloseIdleConnections() }

func checkRedirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) >= 10:
		return errors.New("oauth: more than 10 redirects")
	case last.URL.Scheme == "https" && req.URL.Scheme != "https":
		return ErrRefused
	}
	return nil
}

// control is called with the resolved address, before each connection.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: no address of %s", ErrRefused, network)
	}
	if !g.allows(at.Addr()) {
		return ErrRefused
	}
	return nil
}

// allows reports whether the client may connect to an address. No prefix contains an address with a
// zone, so the zone is removed.
func (g *guard) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return slices.ContainsFunc(g.allowed, in) || isPublic(a)
}

// isPublic reports whether an address can be that of a server on the Internet, by the registries of
// special addresses of IANA.
func isPublic(a netip.Addr) bool {
	if nat64.Contains(a) { // its last 4 bytes are an IPv4 address
		bytes := a.As16()
		a, _ = netip.AddrFromSlice(bytes[12:])
	}
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return (a.Is4() || global.Contains(a)) && !slices.ContainsFunc(special, in)
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	global = netip.MustParsePrefix("2000::/3") // all public addresses of IPv6
)

var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared, CGNAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // relays of 6to4
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
	"2001::/23",       // protocol assignments, Teredo
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}
