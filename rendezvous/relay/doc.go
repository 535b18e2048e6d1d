// Package relay is the TURN and STUN server of a rendezvous (RFC 8656, RFC 8489): it carries the media of robots and
// their viewers where no direct path exists.
package relay
