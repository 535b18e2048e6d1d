package relay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where a relay is, and whom it serves. Public is needed; the zero value of everything else works.
type Config struct {
	// Public are the addresses at which peers reach this machine, at most one of each family. Allocations have them. One
	// that is not an address of this machine, because a router translates it, is served on all addresses.
	Public []netip.Addr
	// UDP are the addresses of the servers for UDP. Without a host, as in ":3478", they are at the public addresses.
	UDP []string
	// Ports are those of the allocations.
	Ports PortRange
	// Permit are networks that peers may be in although they are not part of the internet, for robots and viewers on the
	// relay's own network. The relay's own addresses are peers like others if they are in one of them.
	Permit []netip.Prefix
	// Secret signs credentials. Without one they end with the process.
	Secret []byte
	// Realm is what clients are told; "waldo" if it is empty.
	Realm string
	// Life is how long credentials are good for a new allocation; 24 h if it is 0. An allocation ends at the latest as
	// long after that.
	Life time.Duration
	// URLs are what [Relay.ICEServers] gives out, such as "turns:example.org:443?transport=tcp".
	URLs []string
	// Limits bound what one client, one robot, and all together may use.
	Limits Limits

	Log     *slog.Logger          // nil logs nothing
	Metrics prometheus.Registerer // nil keeps the counters to itself
}

// PortRange is a range of ports, both ends included. The zero PortRange is that of RFC 8656, 49152 to 65535.
type PortRange struct{ First, Last uint16 }

// Limits bound what clients may use. A zero value means the number that is named.
type Limits struct {
	Total       int // allocations; 4000
	PerRobot    int // allocations of all peers of a robot; 200
	PerAddress  int // allocations of clients at one IPv4 address, or one /64 of IPv6; 200
	Permissions int // addresses of peers of an allocation; 64
	Channels    int // of an allocation; 64
	Bandwidth   int // of an allocation, in bytes per second in each direction; 12,500,000, which is 100 Mbit/s
	Requests    int // per second of clients at one address, and ten times as many at once; 200
	Connections int // of TCP, TLS included, of clients at one address; 400
}

func (l *Limits) complete() error {
	for _, n := range []struct {
		value *int
		usual int
		name  string
	}{
		{&l.Total, 4000, "Total"}, {&l.PerRobot, 200, "PerRobot"}, {&l.PerAddress, 200, "PerAddress"},
		{&l.Permissions, 64, "Permissions"}, {&l.Channels, 64, "Channels"}, {&l.Bandwidth, 12_500_000, "Bandwidth"},
		{&l.Requests, 200, "Requests"}, {&l.Connections, 400, "Connections"},
	} {
		if *n.value < 0 {
			return fmt.Errorf("relay: Limits.%s is %d, but cannot be negative", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.usual
		}
	}
	return nil
}

func (c *Config) complete() error {
	if len(c.Public) == 0 {
		return errors.New("relay: Public is empty: name the address at which peers reach this machine")
	}
	c.Public = slices.Clone(c.Public)
	families := map[bool]netip.Addr{}
	for i, a := range c.Public {
		a = a.Unmap()
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			return fmt.Errorf("relay: peers cannot reach the public address %q", a)
		}
		if other, taken := families[a.Is4()]; taken {
			return fmt.Errorf("relay: %s and %s are public addresses of one family: name one", other, a)
		}
		families[a.Is4()], c.Public[i] = a, a
	}
	if c.Ports == (PortRange{}) {
		c.Ports = PortRange{First: 49152, Last: 65535}
	}
	if c.Ports.First == 0 || c.Ports.Last < c.Ports.First {
		return fmt.Errorf("relay: %d to %d is not a range of ports: write the smaller one first, above 0", c.Ports.First,
			c.Ports.Last)
	}
	if c.Life < 0 {
		return fmt.Errorf("relay: Life is %s, but cannot be negative", c.Life)
	}
	if c.Life == 0 {
		c.Life = 24 * time.Hour
	}
	if c.Realm == "" {
		c.Realm = "waldo"
	}
	if len(c.Secret) == 0 {
		c.Secret = make([]byte, 32)
		_, _ = rand.Read(c.Secret) // never fails
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.Limits.complete()
}
