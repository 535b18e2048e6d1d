// Package tunnel carries HTTP between a robot and its rendezvous server over one connection that the robot opens, so
// that it works behind NAT and firewalls: streams (yamux) over a WebSocket at /robot below the server's address.
//
// The streams that the server opens are HTTP connections to the robot, those that the robot opens are HTTP connections
// to the server. A [Session] is one end of a tunnel: a net.Listener for the streams of the far end, and a dialler of
// its own.
//
// # Registration
//
// After the WebSocket is open, which may take a token (Authorization: Bearer …), both ends send text messages:
//
//	server  {"challenge": "<32 hexadecimal digits>"}
//	robot   {"robot": "<name>", "key": "<base64>", "signature": "<base64>"}
//	server  {} or {"refused": "<why, and what to do>"}
//
// key is the robot's public key as a DER SubjectPublicKeyInfo. signature is made by [identity.Key.Sign] of the lines
// "waldo robot", the server's host as in the address that the robot has dialled (lower case, with the port unless it is
// the scheme's own), the robot's name, and the challenge. The challenge is random and used once, so a registration
// cannot be replayed, and the host keeps another server from passing it on. No clock is involved, except that TLS needs
// one to verify the server's certificate. Binary messages follow.
//
// # Losing the far end
//
// Both ends send a heart-beat every 3 s; a far end from which nothing is heard for 9 s is given up. A server that ends
// a session says why with the status of the WebSocket, see [ErrReplaced]. [Keep] dials again for as long as the robot
// runs.
//
// # Bounds
//
// A message of a registration has at most 4 KiB and is awaited for 10 s. The far end may keep [Config.MaxStreams]
// streams open, each with a window of 256 KiB; more are closed at once.
//
// Everything here is safe for concurrent use. [Session.Close] returns when the session's goroutines have ended.
package tunnel
