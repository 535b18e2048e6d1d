// Package insta360 receives from Insta360 cameras by their private protocol (see package wire), and controls them.
//
// A [Camera] lives as long as the process. [Camera.Open] connects: it synchronises, sets the camera's clock, starts the
// preview, and returns a [feed.Conn] when it knows whether the camera sends H.264 or H.265. The commands, such as
// [Camera.TakePicture], use the connection that is open at the time; without one they fail with an error that wraps
// [device.ErrAway]. Events and the samples of the gyroscope are for any number of readers, over all connections.
//
// # What a connection does
//
//   - Any packet is a sign of life. After 10 s without one the connection has failed; its end is noticed at once. The
//     camera drops a peer that is silent for 10 s, so a keepalive goes out every 2 s.
//   - The kind of a packet decides who gets it: pictures and samples never reach those who wait for an answer. Of the
//     messages only an answer is compared with the sequence numbers of commands; notifications have numbers of their
//     own.
//   - An answer other than 200 is a [CommandError].
//   - A packet of an impossible length ends the connection: there is no mark at which to begin again.
//   - Each connection starts the preview, so it comes back with the connection.
//
// # Pictures
//
// The preview is a stream of NAL units with start codes in packets. How a camera cuts it is learned from the first
// pictures: if each comes in one packet, a picture is complete with its packet; else when the next one begins, one
// picture later. Nothing is used before the first parameter sets, from which the codec is known. The time of a picture
// is the camera's, in milliseconds.
//
// # Concurrency and shutdown
//
// All methods of a Camera may be called at any time by any goroutine, except that only one connection is open at a
// time: Open is called after the last Conn has been closed. A connection is read by the caller of Open and then by the
// caller of Run; one more goroutine sends keepalives, and ends with the connection. [Camera.Close] ends the readers of
// events and samples.
package insta360
