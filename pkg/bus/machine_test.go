package bus

import (
	"errors"
	"net"
	"testing"
)

func TestSameMachine(t *testing.T) {
	for _, tt := range []struct {
		server, client string // as the server sees it; empty: it does not say
		want           bool
	}{
		{"127.0.0.1:4222", "127.0.0.1", true},
		{"[::1]:4222", "::1", true},
		{"127.0.0.1:4222", "172.17.0.1", true}, // forwarded, as to a container
		{"192.0.2.1:4222", "192.0.2.1", true},
		{"[::ffff:192.0.2.1]:4222", "192.0.2.1", true},
		{"192.0.2.1:4222", "192.0.2.2", false},
		{"192.0.2.1:4222", "127.0.0.1", false}, // through a proxy
		{"192.0.2.1:4222", "", false},
		{"", "192.0.2.1", false}, // there is no connection
	} {
		var err error
		if tt.client == "" {
			err = errors.New("not said")
		}
		if got := sameMachine(tt.server, net.ParseIP(tt.client), err); got != tt.want {
			t.Errorf("server %s, client %s: %v", tt.server, tt.client, got)
		}
	}
}
