// Package rtc makes WebRTC connections that show streams, let them be heard, and bring voices.
//
// An [Engine] owns what all connections share: one UDP and one TCP port for all of ICE, one DTLS certificate, the codecs. A
// [Peer] is one connection. The far end makes the offers; the peer answers each with the tracks that were asked for, and keeps
// them over later offers (more tracks, an ICE restart). It never offers by itself. Video and sound of a device are media streams of their
// own, so that a far end never delays one for the other. The only media received are voices: Opus, for the speaker of a device.
//
// The answer holds all candidates of the gateway, since they are known at once; candidates of the far end may come later.
//
// Refusals are gRPC status errors: InvalidArgument for an offer that cannot be understood, FailedPrecondition when the far end
// cannot decode what there is, ResourceExhausted when there are too many peers. The texts are made for people.
//
// # Shutdown
//
// A peer ends by [Peer.Close], when it does not connect in time, or when nothing was heard of the far end for too long;
// [Peer.Done] tells. [Engine.Close] ends all peers.
package rtc
