// Package sound carries the sound of one device to many WebRTC listeners at the price of one.
//
// A [Hub] keeps one source for each stream that somebody listens to: one subscription, one hold. A [Listener] is one receiving track.
// The device's Opus packets go to all listeners as they are; each listener owns what must be its own: SSRC, payload type, a
// bounded queue and the goroutine that empties it. So a listener that stalls loses its own sound and slows nobody.
//
// # Promises
//
//   - Timestamps are the device's positions in samples, sequence numbers those of its packets: what was lost is a gap in them, which the
//     far end conceals.
//   - A listener's track goes on whatever the device does. After a restart the next packet has the next sequence number, and a timestamp
//     that is later by the time that has passed; its marker bit is set, as is that of the first after a silence that was not sent.
//   - Nothing is kept for those who come later, and nothing is delayed: what waits for the network waits at the far end.
//   - What the bus or a listener loses is counted.
//
// # Shutdown
//
// A source and its hold end with the last of its listeners; [Listener.Close] returns when its goroutine has ended. [Hub.Close] waits
// for all sources.
package sound
