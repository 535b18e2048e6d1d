// Package mux serves HTTP and TURN on one port, both with and without TLS: networks that let only port 443 out let all
// of a rendezvous through then.
//
// The first byte of a connection tells what it is. A TLS handshake begins with 0x16 (RFC 8446, 5.1), a request of STUN
// or TURN with two zero bits (RFC 8489, 5; RFC 7983 tells these protocols apart by the same byte), and one of HTTP with
// a capital letter. After a handshake, ALPN decides: "h2" and "http/1.1" are HTTP, "stun.turn" is TURN (RFC 7443). Who
// has not agreed on a protocol, as no browser does for TURN, is again told by the first byte.
//
// A connection that says nothing costs a goroutine and a few kilobytes, for [Config].Patience at most. There are never
// more of them than the limits allow: when one more comes, the oldest of the same address, or of all, is closed. So
// nobody who speaks at once is kept out by those who do not.
//
// A Mux is safe for concurrent use. Close closes the port and what is undecided, and waits for its goroutines.
// Connections that were handed over belong to who accepted them.
package mux
