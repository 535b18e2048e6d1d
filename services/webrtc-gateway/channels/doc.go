// Package channels is what is behind the data channels of peers. Their label says what they are for:
//
//   - [Calls]: calls that may be lost, above all commands to what drives the robot. They are passed on at once or not at all: a few may be
//     under way for one peer, and the next is dropped.
//   - `waldo.stream/<device>/<stream>`: what a device publishes, as JSON. It is subscribed, held and put into JSON once, however many peers listen. A
//     slow peer loses the oldest frames.
//   - `waldo.lines/<device>/<stream>`: the same, gathered: the frames of 100 ms come as the lines of one message, which costs the robot and
//     the page much less where messages come faster than people can read.
//   - any other: a topic. What a peer says on it is published on the bus for programs and other peers, and what they say comes back. Floods are
//     cut off; a slow peer loses the oldest.
//
// The messages are those of waldo.signaling.v1. All losses are counted.
//
// # Concurrency and shutdown
//
// A [Bridge] is safe for concurrent use. What it does for a channel ends with the channel; [Bridge.Close] waits for the streams to be let go.
package channels
