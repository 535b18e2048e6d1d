// Package foxglove shows a live robot in Foxglove, and in other programs that speak its WebSocket protocol
// (foxglove.sdk.v1, and foxglove.websocket.v1 as it was called before).
//
// # Concepts
//
// A [Gateway] serves the clients of one robot. The first one opens a view of the robot: the list of its streams, as
// package tap has it, and the player if the robot is a replay. The last one closes it, so a gateway without clients
// does nothing.
//
// Each stream is a channel whose schema is the one a recording has ([recording.Channel]), so pictures and sound are
// what Foxglove knows as such and everything else is described by its device. A channel has the same id for as long as
// neither its name nor its schema changes, whatever happens to the device. A channel that somebody subscribes to has a
// feed, which reads, holds and encodes the stream once for all. Besides there are the channels /log, with what happens
// to the robot, and /msg/<topic>, which come with their first message. What devices are sent is not shown.
//
// Messages have the time at which they came to the gateway, or in a replay the time at which they were recorded, as far
// as the player says where it is. What they say themselves is not changed.
//
// Parameters are what is known of the robot and its devices. They cannot be set, nor can anything be published or
// called. A client may play, pause and seek if the robot is a replay and its role allows that.
//
// # Slow clients
//
// Each client has one outbox for the messages of all its channels. If it is full, or something has waited in it for too
// long, the oldest is lost; of video all that depends on it, and a key frame is asked for. The client is told once a
// second how many were lost, and they are counted. A client that takes nothing at all for 10 s is cut off. Nobody waits
// for a client.
//
// # Concurrency and shutdown
//
// A Gateway is safe for concurrent use. [Gateway.Serve] returns when its session has ended, with all goroutines of it;
// [Gateway.Close] waits for what sessions share, after they have ended.
package foxglove
