package oauth

import (
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, tc := range []struct {
		public bool
		texts  []string
	}{
		{true, []string{
			"8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1",
			"223.255.255.255", "::ffff:8.8.8.8", "2600::1", "2a00:1450::1", "64:ff9b::808:808",
			"2003::1", "2001:200::1",
		}},
		{false, []string{
			"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
			"127.255.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
			"192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.0.1",
			"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.0.0.1", "240.0.0.1",
			"255.255.255.255",
		}},
		{false, []string{
			"::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::10.0.0.1", "fe80::1",
			"fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1",
			"ff02::1%eth0", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
			"64:ff9b:1::808:808", "2002:a00:1::", "2002:808:808::", "2001::1", "2001:2::1",
			"2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1",
		}},
	} {
		for _, text := range tc.texts {
			if got := new(guard).allows(netip.MustParseAddr(text)); got != tc.public {
				t.Errorf("%s: public is %v", text, got)
			}
		}
	}
}

// TestNoProxy looks at the field, because net/http reads the environment once in a process, and
// never uses a proxy of it for loopback addresses.
func TestNoProxy(t *testing.T) {
	if SafeClient(nil).Transport.(*guard).transport.Proxy != nil {
		t.Error("the client uses a proxy")
	}
}

func TestAllowedAddresses(t *testing.T) {
	g := &guard{allowed: prefixes("10.1.0.0/16", "fe80::/10")}
	for text, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fe80::1%eth0": true,
		"10.2.0.1": false, "64:ff9b::a01:203": false, "fd00::1": false,
	} {
		if got := g.allows(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: allowed is %v, want %v", text, got, want)
		}
	}
	for _, address := range []string{"", "10.1.2.3", "name:80", "10.1.2.3:x"} {
		if err := g.control("tcp", address, nil); err == nil {
			t.Errorf("address %q was allowed", address)
		}
	}
}
