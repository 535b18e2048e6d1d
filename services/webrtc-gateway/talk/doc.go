// Package talk brings what peers say to the speakers of devices: RTP packets come in, and go out on the bus as they are, as AudioFrames
// of `in.speaker`.
//
// A [Voice] is one sending track of a peer. Its packets are checked and published one by one, in the order in which they come; to put
// them in order, to wait for late ones and to make up for lost ones is the work of the device. For that each frame says where it belongs:
// sequence and sample_index are those of RTP, extended, so that a gap is a loss. What someone says without a long pause is one epoch.
//
// What makes no sense, and what is too much, is dropped and counted. While the bus is away everything is: nothing is kept for later.
//
// # Concurrency and shutdown
//
// Methods are safe for concurrent use, and none waits. After [Voice.Close] nothing of it is published. The package starts no goroutines.
package talk
