// Package rtc makes the WebRTC connections that carry video and audio to viewers, and voices to the robot.
//
// A [Transport] is what all connections share: one UDP and one TCP port for all of ICE, one DTLS certificate, the
// codecs, and how many peers there may be. An [Engine] makes the peers of one robot; engines of several robots may
// share a transport. A [Peer] is one connection. The far end makes the offers; the peer answers each with the requested
// tracks, and keeps them through later offers (more tracks, an ICE restart). It never makes an offer. Video and audio
// of a device are separate media streams, so that a far end never delays one for the other. What the far end sends goes
// to the speaker of a device (Opus, package talk) or to a [Sink]; a section with a sink may carry media both ways.
//
// Payload types and header extension numbers are those of the offer, section by section: two sections may number the
// same codec differently. The answer names one codec per section, the one that is sent: the first that the device has
// and the far end accepts, with the parameters closest to the stream's. Players without packetization-mode=1 also
// receive fragments. A far end that offers RTX gets retransmissions in a stream of their own. All sections share one
// connection, so an offer with several must bundle them.
//
// The answer contains all candidates of the gateway that are known: those of its own addresses, and those that package
// outside has found already. Others are sent later to a far end that takes them ([Peer.Trickle]); candidates of the far
// end may arrive later as well.
//
// When the path is lost, the far end restarts ICE by another offer, or by a fragment ([Peer.Take]). The connection
// keeps its keys, tracks and channels; once there is a path again, key frames are asked for.
//
// Refusals are gRPC status errors: InvalidArgument for an offer that cannot be understood, FailedPrecondition when the
// far end cannot decode any available codec, ResourceExhausted when there are too many peers. Their texts are written
// for people.
//
// # Shutdown
//
// A peer ends by [Peer.Close], when it does not connect in time, or when the far end has been silent too long;
// [Peer.Done] is then closed. [Engine.Close] ends all peers.
package rtc
