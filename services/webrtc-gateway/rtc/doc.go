// Package rtc makes WebRTC connections that show streams, let them be heard, and bring voices.
//
// An [Engine] owns what all connections share: one UDP and one TCP port for all of ICE, one DTLS certificate, the codecs. A
// [Peer] is one connection. The far end makes the offers; the peer answers each with the tracks that were asked for, and keeps
// them over later offers (more tracks, an ICE restart). It never offers by itself. Video and sound of a device are media streams of their
// own, so that a far end never delays one for the other. The only media received are voices: Opus, for the speaker of a device.
//
// Payload types and the numbers of header extensions are those of the offer, section by section: two sections may number the same codec
// differently. The answer names the one codec of each section that is sent: the first that the device has and the far end takes, with the parameters that are
// most like the stream.
// Players without packetization-mode=1 are sent fragments as well. All sections share one connection, so more than one must be bundled.
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
