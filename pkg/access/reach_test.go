package access

import (
	"net"
	"net/netip"
	"testing"
)

func TestReachable(t *testing.T) {
	own := ownAddress().String()
	for address, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", "localhost:80": "localhost:80", "192.0.2.1:80": "192.0.2.1:80",
		"robot.example:80": "robot.example:80",
		":8080":            net.JoinHostPort(own, "8080"), "0.0.0.0:1": net.JoinHostPort(own, "1"),
		"[::]:7101": net.JoinHostPort(own, "7101"),
		"8080":      "8080",
	} {
		if got := Reachable(address); got != want {
			t.Errorf("Reachable(%q) = %q, want %q", address, got, want)
		}
	}
	if ip := netip.MustParseAddr(own); ip.IsUnspecified() {
		t.Errorf("this machine's address is %v", ip)
	}
}

func TestFirstOf(t *testing.T) {
	for _, tt := range []struct {
		addresses []string
		want      string
	}{
		{nil, "127.0.0.1"},
		{[]string{"127.0.0.1/8", "::1/128"}, "127.0.0.1"},
		{[]string{"127.0.0.1/8", "fe80::1/64", "169.254.1.1/16", "192.168.1.5/24", "10.0.0.1/8"}, "192.168.1.5"},
		{[]string{"::1/128", "2001:db8::5/64", "10.0.0.1/8"}, "10.0.0.1"},
		{[]string{"::1/128", "fe80::1/64", "2001:db8::5/64", "2001:db8::6/64"}, "2001:db8::5"},
	} {
		var addresses []net.Addr
		for _, a := range tt.addresses {
			ip, network, err := net.ParseCIDR(a)
			if err != nil {
				t.Fatal(err)
			}
			addresses = append(addresses, &net.IPNet{IP: ip, Mask: network.Mask})
		}
		if got := firstOf(addresses).String(); got != tt.want {
			t.Errorf("firstOf(%v) = %s, want %s", tt.addresses, got, tt.want)
		}
	}
}
