// Package frames makes the frames of package waldo.media.v1 of the RTP packets of a WebRTC track: [Video] makes
// VideoFrames, [Audio] makes AudioFrames. It serves receivers: the gateway, for what browsers and OBS send into
// the robot, and Go peers, for what the robot sends them.
//
// # Video
//
//   - Packets wait up to 50 ms for those that they overtook, or that are asked for again. What is missing then is lost.
//   - A frame of which a part was lost does not come out, and nothing after it up to the next key frame. That is asked
//     for: at once, and then every half second until it comes. The first frame is a key frame.
//   - Key frames begin with the parameter sets that they need, whenever those came. Width and height are those of the
//     bitstream. Package picture does this; [Video.State] has what it knows of the stream.
//   - sequence counts frames. Frames that were lost or left out are skipped numbers, as in every stream of Waldo.
//   - capture_time is estimated by package clock: the arrival, smoothed by the sender's timestamps.
//   - Packets without a payload, as Chromium sends to probe the network, carry nothing, and are not losses.
//   - A frame has at most 8 MiB.
//
// # Audio
//
// A packet of sound is a frame. It comes out at once: sequence and sample_index tell where it belongs, and whoever
// plays it puts it in order. A gap in sequence is a loss.
//
// # Concurrency and shutdown
//
// A Video and an Audio belong to one goroutine each, start none, and read no clock. [ReadVideo] and [ReadAudio] read a
// track until it ends, on the goroutine of their caller. There is nothing to close. Frames are their receiver's own.
package frames
