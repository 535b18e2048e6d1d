package internet_test

import (
	"cmp"
	"context"
	"net"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/turn/v5"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// inside is the network of a host, for libraries that take one.
type inside struct {
	*stdnet.Net
	host *internet.Host
}

func newInside(t *testing.T, h *internet.Host) inside {
	t.Helper()
	in := inside{host: h}
	err := h.Do(func() (err error) {
		in.Net, err = stdnet.NewNet() // it reads the list of interfaces
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (in inside) ListenPacket(network, address string) (c net.PacketConn, err error) {
	err = in.host.Do(func() (err error) { c, err = in.Net.ListenPacket(network, address); return err })
	return c, err
}

func (in inside) ListenUDP(network string, address *net.UDPAddr) (c transport.UDPConn, err error) {
	err = in.host.Do(func() (err error) { c, err = in.Net.ListenUDP(network, address); return err })
	return c, err
}

func (in inside) DialUDP(network string, local, remote *net.UDPAddr) (c transport.UDPConn, err error) {
	err = in.host.Do(func() (err error) { c, err = in.Net.DialUDP(network, local, remote); return err })
	return c, err
}

func (in inside) DialTCP(network string, local, remote *net.TCPAddr) (c transport.TCPConn, err error) {
	err = in.host.Do(func() (err error) { c, err = in.Net.DialTCP(network, local, remote); return err })
	return c, err
}

const realm, user, password = "test", "user", "password"

// startTURN runs a relay on the server: UDP on port 3478, TCP on port 443.
func startTURN(t *testing.T, server *internet.Host) {
	t.Helper()
	in := newInside(t, server)
	packets := listen(t, server, internet.ServerAddress.String()+":3478")
	var streams net.Listener
	err := server.Do(func() (err error) {
		streams, err = net.Listen("tcp4", internet.ServerAddress.String()+":443")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	generator := &turn.RelayAddressGeneratorStatic{
		RelayAddress: internet.ServerAddress.AsSlice(), Address: internet.ServerAddress.String(), Net: in,
	}
	relay, err := turn.NewServer(turn.ServerConfig{
		Realm: realm,
		AuthHandler: func(*turn.RequestAttributes) (string, []byte, bool) {
			return user, turn.GenerateAuthKey(user, realm, password), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: generator}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: streams, RelayAddressGenerator: generator}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close() })
}

// newAgent starts ICE on a host, which may use the relay over a protocol, or not at all.
func newAgent(t *testing.T, h *internet.Host, relay string) *ice.Agent {
	t.Helper()
	server := internet.ServerAddress.String()
	urls := []*stun.URI{{Scheme: stun.SchemeTypeSTUN, Host: server, Port: 3478, Proto: stun.ProtoTypeUDP}}
	for proto, port := range map[stun.ProtoType]int{stun.ProtoTypeUDP: 3478, stun.ProtoTypeTCP: 443} {
		if relay == proto.String() {
			urls = append(urls, &stun.URI{
				Scheme: stun.SchemeTypeTURN, Host: server, Port: port, Proto: proto, Username: user, Password: password,
			})
		}
	}
	a, err := ice.NewAgentWithOptions(ice.WithUrls(urls), ice.WithNet(newInside(t, h)),
		ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithTURNTransportProtocols([]ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeTCP4}),
		ice.WithDisconnectedTimeout(3*time.Second),
		ice.WithFailedTimeout(2*time.Second), ice.WithSTUNGatherTimeout(time.Second),
		ice.WithRelayAcceptanceMinWait(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// gather exchanges the candidates of two agents, once each has all of its own.
func gather(t *testing.T, from, to *ice.Agent) {
	t.Helper()
	done := make(chan struct{})
	err := from.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
		}
	})
	if err == nil {
		err = from.GatherCandidates()
	}
	if err != nil {
		t.Fatal(err)
	}
	<-done
	candidates, err := from.GetLocalCandidates()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range candidates {
		copied, err := ice.UnmarshalCandidate(c.Marshal())
		if err == nil {
			err = to.AddRemoteCandidate(copied)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// connect connects two agents, and returns the types of the candidates in use; "" if there is no path.
func connect(t *testing.T, a, b *ice.Agent) string {
	t.Helper()
	gather(t, a, b)
	gather(t, b, a)
	failed := make(chan struct{})
	_ = a.OnConnectionStateChange(func(s ice.ConnectionState) {
		if s == ice.ConnectionStateFailed {
			close(failed)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ufragA, pwdA, _ := a.GetLocalUserCredentials()
	ufragB, pwdB, _ := b.GetLocalUserCredentials()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		_, _ = b.Accept(ctx, ufragA, pwdA) // without a path it fails as Dial does
	}()
	defer func() {
		cancel()
		<-accepted
	}()
	go func() {
		select {
		case <-failed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if _, err := a.Dial(ctx, ufragB, pwdB); err != nil {
		return ""
	}
	pair, err := a.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		t.Fatalf("no pair is selected: %v", err)
	}
	if pair.Local.Type() == ice.CandidateTypeRelay || pair.Remote.Type() == ice.CandidateTypeRelay {
		return "relayed"
	}
	return "direct"
}

// TestICE has two agents of pion connect through every pair of NATs, with and without a relay.
func TestICE(t *testing.T) {
	const open = internet.NAT("")
	for _, tt := range []struct {
		a, b  internet.NAT
		relay string
		want  string
	}{
		{open, open, "", "direct"},
		{open, internet.Symmetric, "", "direct"},
		{internet.FullCone, internet.FullCone, "", "direct"},
		{internet.FullCone, internet.Symmetric, "", "direct"},
		{internet.PortRestricted, internet.PortRestricted, "", "direct"},
		{internet.PortRestricted, internet.PortRestricted, "udp", "direct"},
		{internet.PortRestricted, internet.Symmetric, "", ""},
		{internet.Symmetric, internet.PortRestricted, "udp", "relayed"},
		{internet.Symmetric, internet.Symmetric, "", ""},
		{internet.Symmetric, internet.Symmetric, "udp", "relayed"},
		{internet.UDPBlocked, open, "", ""},
		{internet.UDPBlocked, internet.PortRestricted, "tcp", "relayed"},
		{internet.Only443, internet.Only443, "tcp", "relayed"},
	} {
		name := cmp.Or(string(tt.a), "open") + " and " + cmp.Or(string(tt.b), "open")
		if tt.relay != "" {
			name += " with a relay over " + tt.relay
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := internet.Start(t, internet.Config{})
			startTURN(t, n.Server())
			var agents [2]*ice.Agent
			for i, nat := range []internet.NAT{tt.a, tt.b} {
				h := n.Host(t)
				if nat == open {
					h.JoinBackbone(t, n)
				} else {
					h.Join(t, n.Router(t, nat))
				}
				agents[i] = newAgent(t, h, tt.relay)
			}
			if got := connect(t, agents[0], agents[1]); got != tt.want {
				t.Errorf("the path is %q, not %q", got, tt.want)
			}
		})
	}
}
