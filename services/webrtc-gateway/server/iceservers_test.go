package server

import (
	"sync"
	"testing"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// changing are ICE servers whose credentials are renewed.
type changing struct {
	mu      sync.Mutex
	name    string
	changed chan struct{}
}

func (c *changing) get() ([]*signalingv1.IceServer, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []*signalingv1.IceServer{{Urls: []string{"turn:192.0.2.1"}, Username: c.name, Credential: "c"}}, c.changed
}

func (c *changing) renew(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.name, c.changed = name, make(chan struct{})
}

// Peers are told when the credentials are renewed.
func TestRenewedICEServers(t *testing.T) {
	c := &changing{name: "first", changed: make(chan struct{})}
	s := newSite(t, Config{ICEServers: c.get}, 0)
	k := s.dial()
	defer k.close()
	m, err := k.read()
	if got := m.GetWelcome().GetIceServers(); err != nil || len(got) != 1 || got[0].GetUsername() != "first" {
		t.Fatalf("at first: %v, %v", got, err)
	}
	for _, name := range []string{"second", "third"} {
		c.renew(name)
		m := k.await(func(m *signalingv1.GatewayMessage) bool { return m.GetIceServers() != nil })
		if got := m.GetIceServers().GetIceServers(); len(got) != 1 || got[0].GetUsername() != name {
			t.Errorf("after %s: %v", name, got)
		}
	}
}
