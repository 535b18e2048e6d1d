// Package server is the HTTP side of a rendezvous server: robots connect out to it, and people reach them through it.
//
//	GET  /robot        WebSocket: a robot registers and keeps a tunnel up, see package tunnel
//	any  /r/{robot}/…  goes to the robot with the prefix taken off; WebSockets pass
//	GET  /healthz      whether the server serves
//	GET  /             what this is; there is no list of robots
//
// # Names and keys
//
// A robot's name belongs to the key that has registered it first. Another key is refused until the name is forgotten
// ([Forget]), so nobody takes the place of a robot that is away. The names are kept in one small file. If it is lost,
// the next robot to come has the name again; peers are not deceived by that, as they know the fingerprint of their
// robot's key.
//
// Who may register is decided by a token, by a list of keys, or by both. A robot that connects again replaces its own
// earlier connection, which it may not know to be dead.
//
// # What the server sees
//
// It reads and could change what passes through the tunnel: the page, and the signalling. Media, data channels and the
// sessions on them are encrypted between peer and robot, who verify each other's certificates by the robot's key and
// token, which the server has not. Nothing of a request is logged.
//
// All robots share the origin of the server in browsers. The server takes headers out of their answers that would act
// on the whole origin, and cookies for more than the robot's own folder; but the pages of one robot can read what those
// of another have stored in the same browser. Robots of people who do not trust each other need servers of their own.
//
// # Limits
//
// [Limits] bounds robots, registrations, connections and requests, in total, per robot and per client. A client is an
// IPv4 address or an IPv6 network of 64 bits. If a proxy on the same machine is in between, it is the last address of
// X-Forwarded-For. What is beyond a limit is refused with a status and Retry-After, and counted.
//
// Everything here is safe for concurrent use. [Server.Close] ends all tunnels and returns when their goroutines have
// ended.
package server
