// Package internet is a small internet on one machine, for tests of what NATs and firewalls let through. It consists of
// network namespaces:
//
//	host ── router ──┐              ┌── router ── host
//	                 ├── backbone ──┤
//	        server ──┘              └── host with an address of its own
//
// An [Internet] is the backbone with the [Host] on which servers run. A [Router] is behind one of the [NAT]s and
// firewalls that robots and people are behind, made of nftables; hosts join it with an address of its private network,
// leave it, and join another, as a phone changes from Wi-Fi to 4G. A host may also join the backbone directly.
//
// Every link to the backbone takes [Config].Delay each way, in order. The kernel need not know netem for it: such a
// link is a TUN device at either end, and the process of the test carries the packets. So a packet from one site to
// another takes two delays, and so does a round trip between a site and the server. [Host.JoinOver] connects a host
// over a rough link of package linktest instead: all that it sends and receives, WebRTC, WebSockets and HTTP, shares
// that link.
//
// The namespaces have no names. They exist while the test's process holds them open or a program runs in them, so
// there is nothing to clean up, even after the process was killed. [Host.Command] and [Host.Do] run programs and code
// in a host's namespace.
//
// What a NAT does with the ports of UDP is exact: [FullCone], [PortRestricted] and [Symmetric] are RFC 4787's
// endpoint-independent mapping with endpoint-independent filtering, endpoint-independent mapping with address- and
// port-dependent filtering, and address- and port-dependent mapping. Nothing from outside is answered by a router
// itself: an early packet of the far end would otherwise occupy the very port that hole punching needs.
package internet
