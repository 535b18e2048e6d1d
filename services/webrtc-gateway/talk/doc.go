// Package talk carries the voices of peers to the speakers of devices: it publishes incoming RTP packets on the bus
// unchanged, as AudioFrames on `in.speaker`.
//
// A [Voice] is one sending track of a peer. Its packets are validated and published one by one, in the order of
// arrival; reordering, buffering and concealment are left to the device. Each frame carries its place for that:
// sequence and sample_index extend the numbers of RTP, so a gap is a loss. Speech without a long pause is one epoch.
//
// Invalid and excessive packets are dropped and counted. So are all packets while the bus is unavailable: nothing is
// kept for later.
//
// # Concurrency and shutdown
//
// Methods are safe for concurrent use and never block. After [Voice.Close] nothing is published. The package starts no
// goroutines.
package talk
