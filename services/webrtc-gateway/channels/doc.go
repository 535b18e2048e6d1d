// Package channels serves the data channels of peers. The label of a channel selects what it carries:
//
//   - [Calls]: calls that may be lost, above all commands to the robot's motors. A call is forwarded at once or
//     dropped: each peer may have a few in flight.
//   - `waldo.stream/<device>/<stream>`: what a device publishes, as JSON. However many peers listen, the stream is
//     subscribed, held and encoded once. A slow peer loses the oldest frames. Messages that cannot be read, or that are
//     too large for a data channel, are reported on the channel, which stays open.
//   - `waldo.lines/<device>/<stream>`: the same, gathered: the frames of 100 ms arrive as the lines of one message,
//     which costs the robot and the page much less where messages come faster than people can read. Over a path that
//     limits the connection they get a tenth of it: only the newest frame of 100 ms is sent, or none.
//   - any other: a topic. Messages from a peer are published on the bus for programs and other peers, and theirs are
//     sent to it. Floods are cut off; a slow peer loses the oldest messages.
//
// The messages are those of waldo.signaling.v1. All losses are counted.
//
// # Concurrency and shutdown
//
// A [Bridge] is safe for concurrent use. Its work for a channel ends with the channel; [Bridge.Close] waits until all
// streams are released.
package channels
