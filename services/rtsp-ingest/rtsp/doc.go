// Package rtsp receives pictures and sound of cameras that speak RTSP, over TCP, TLS or UDP.
//
// [Open] describes the camera, sets up its pictures and its sound, and starts them; the [Conn] that it returns is a
// [feed.Conn]. Packets go through package rtp.
//
// # Why no library speaks RTSP here
//
// Cameras keep few of the rules, and libraries end the connection over most of what they break: a request that the
// camera makes, a nonce that expires, a section of the description that cannot be read, packets on a channel that was
// not announced, a frame that was cut short. Of ten such repairs, five would have to hook into the messages of a
// library and three would have to parse and write the bytes of the connection a second time underneath it. So this
// package reads the connection itself, and takes from it what makes sense:
//
//   - wire: messages with any line ends, version and CSeq, and bodies whose bytes were counted wrongly or not at all;
//     after damage it finds the next frame.
//   - sdp: sections that cannot be used are left out and named in [Conn.Attributes]; the others play.
//   - srtp: packets are encrypted where the camera insists on it, with keys by MIKEY; the library does the arithmetic.
//   - OPTIONS is asked only to keep the connection alive, so it cannot be in the way; and first of all by a camera that
//     takes nothing else as the first request. What the camera answers to it decides how it is kept alive.
//   - PLAY is asked without a range, for each stream alone, or not waited for any longer while packets come, where the
//     camera wants it so.
//   - track: packets of other types and other streams among those of the pictures are left out, unless the announced
//     ones have ended.
//
// # Sessions outlive a crash
//
// A camera with room for few viewers keeps a session for a minute or more after its viewer has died. So the id of a
// session is noted in a file, and the next process adopts the session: it names the old id in SETUP. A back channel has
// a file of its own. The file holds no address, name or password.
//
// # What is not here
//
// Multicast, and RTSP through HTTP. A camera that can do only these says so with 461, and the error names it.
//
// # Concurrency and shutdown
//
// A Conn has one goroutine that reads the connection and two for each track over UDP. What they receive goes to the
// Receiver one after the other, never at the same time. Run and Close tell the camera goodbye, close the sockets and
// wait for all goroutines; Run takes at most 100 ms for that. KeyFrameWays and Talk may be called while Run runs.
package rtsp
