// Package relay is the TURN and STUN server of a rendezvous (RFC 8656, RFC 8489): it carries the media of robots and
// their viewers where no direct path exists. What it carries is encrypted from end to end.
//
// # Who may use it, and to reach whom
//
// [Relay.Credentials] gives a peer of a robot a user name and password that end after a day; nothing is stored. They
// are checked for every request. Expired ones make no allocation, but keep one alive that was made in time, for another
// life: then the peer needs new credentials and restarts ICE. Half of the life is a good time for that, long before
// anything ends. A request that was heard on its way makes no allocation for anybody else.
//
// Peers are addresses of the internet. Loopback, private, shared and link-local networks, multicast, and addresses of
// IPv6 that stand for such are closed, and so is this machine, unless [Config].Permit names them. The relay's own
// allocations are peers: where both sides can reach nothing but the relay, they meet there. This is checked when a
// client asks for permission, and again for what it sends.
//
// # How data goes
//
// Pion's server decides about allocations, permissions and channels. It sees only control messages; ChannelData goes
// straight from socket to socket, a whole picture with two system calls ([socket.Bursts]).
//
// Nothing is queued but in the sockets. When a client is too slow for what its peers send, the newest packets are lost
// in the socket of its allocation, as they would be in a router; one that takes nothing for ten seconds over TCP is
// disconnected. Losses, and requests that were refused, are counted by reason.
//
// # Ports
//
// UDP and TCP on a port of your choice, by convention 3478, and TCP with TLS on 443 through package mux; and for the
// allocations, UDP on [Config].Ports. Clients that can reach only 443 do not need the latter.
//
// A Relay is safe for concurrent use. Close ends all allocations and connections at once.
package relay
