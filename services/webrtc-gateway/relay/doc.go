// Package relay carries one video stream to many WebRTC viewers at the price of one.
//
// A [Hub] keeps one relay for each stream of a device that somebody looks at: one subscription, one hold, and each frame cut
// into RTP payloads once. A [Viewer] is one receiving track. It shares the payloads with all others and owns what must be
// its own: SSRC, payload type, sequence numbers, header extensions, a bounded queue and the goroutine that empties it. So a
// viewer that stalls loses its own frames and slows nobody.
//
// # Promises
//
//   - A viewer's sequence numbers have no gaps and its timestamps only grow, whatever the device does: restart, vanish for an
//     hour, lose frames. The peer sees a picture that stands still, and then one that moves again.
//   - Nothing but a key frame starts a picture: at first, after a loss, after a restart of the device.
//   - A new viewer begins at once: with the frames since the last key frame when they are few (or when the device cannot make
//     a key frame on request), else with a key frame that is asked for.
//   - However many viewers ask for a key frame, the device is asked at most every 100 ms, and the last wish is never lost. One viewer that
//     keeps asking is heard every 2 s.
//   - At most 150 packets are sent to a viewer at once, and 4 a millisecond.
//   - What a viewer or the bus loses is counted.
//
// # Shutdown
//
// A relay and its hold end with the last of its viewers; [Viewer.Close] returns when its goroutines have ended. [Hub.Close]
// waits for all relays.
package relay
