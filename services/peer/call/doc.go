// Package call brings a robot in that answers offers over HTTP, as those of RTCBot do: it POSTs an offer to the robot's
// /connect, publishes the robot's video and sound in the slot of the device, and connects the robot's data channel
// `default` to a topic on the bus, in JSON (package pkg/rtcbot).
//
// An RTCBot robot answers only offers with a section of video for each of its cameras, and one of audio for its
// microphone; of several cameras the first is published. H.264 is offered first: RTCBot's VP8 sends many times the bit
// rate that it aims at.
//
// A call ends when the connection is lost, when the robot closes its channel, when it has not come up within
// [connectTimeout], or when media that flowed has stopped for [silence]. Then the robot is called again, after pauses
// that grow up to [maxPause]. RTCBot notices a vanished peer only after half a minute, so its robots may answer while
// they still serve the call before.
//
// # Concurrency and shutdown
//
// [Caller.Run] owns all goroutines, and returns when they have ended.
package call
