// Package publish brings what peers send to devices of the kind `peer`: video and sound of a WHIP client, of a page
// that shares its camera, of a program.
//
// A [Publication] has the slot of one device. It is opened with [Publishers.Open], which asks the device, and offers
// two sinks for the media sections of a connection ([rtc.Sink]). RTP packets become frames (package frames), which go
// to the device's streams `camera` and `microphone` with the epoch that the device has granted.
//
//   - What the device wishes is passed on: key frames are asked of the sender by PLI, and by FIR as well if that does
//     not help. Lost packets are asked for by NACK, and REMB tells the sender the most that the device takes.
//   - A publication ends when the device says so (somebody else has taken the slot, nothing came for 5 s, what came
//     cannot be shown), or when it is closed. Done and Err tell. Its opener closes it when its connection ends,
//     and ends the connection when the publication does.
//   - When the device's process restarts, the publication asks for the slot again, and for a key frame.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use; a sink belongs to one section. [Publication.Close] stops the goroutines of a
// publication and waits for them; [Publishers.Close] does that for all. Nothing blocks the goroutine that reads a
// connection.
package publish
