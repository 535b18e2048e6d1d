package tunnel

import (
	"net/netip"
	"testing"
)

func TestHas(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1": true, "192.0.2.1": false} {
		if got := has(netip.MustParseAddr(address)); got != want {
			t.Errorf("the machine has %s: %v", address, got)
		}
	}
}
