// Package outside finds the addresses at which the gateway's media port is reached from beyond a NAT or a firewall.
//
// An [Outside] asks STUN servers, from the media port itself, which address a NAT gives it (a mapping), and asks again
// often enough that the NAT keeps it. So the address is known before a connection needs it. When no server answers,
// UDP does not get out: then the Outside keeps an address at a TURN server (a relay), by TLS or TCP where it has to. A
// relay costs the server a port, so there is at most one, for all connections; where UDP works there is none until
// somebody asks for it with [Outside.Demand].
//
// The servers may change at any time, with new credentials. Then a new relay is opened. The old one stays for as long
// as connections use it.
//
// Nothing here blocks who sends: packets to an address that the relay does not permit yet, and packets for which a TCP
// connection to the relay has no room, are lost.
//
// All methods are safe for concurrent use. [Outside.Close] ends the relays and waits for all goroutines.
package outside
