// Package rtmp receives from cameras and programs that speak RTMP: pulled from a server ([Open]), or pushed to us
// ([Listen]) by OBS, ffmpeg and the like.
//
// Messages are read one by one, as they come, and tracks are taken as they appear: no picture waits until it is known
// what else will be sent. H.264 and H.265 (legacy codec id 12 and enhanced RTMP) become pictures; AAC, G.711, Opus
// and L16 become sound; everything else is left out. A message that cannot be read is skipped, since the next one can
// be.
//
// Sound and pictures have one clock. A [feed.Report] with a time of 1970 says so once a second; it proves nothing
// else.
//
// # Pulling
//
// A server is told which codecs we know, since some keep H.265 from those who do not say so. Others do not understand
// the list and never answer; after a second they are asked again without it, and [Memory] keeps that.
//
// # Pushing
//
// A [Listener] takes one publisher at a time. It must know the stream key; another with the right key takes the place
// of the one before, since a publisher that crashed often leaves a connection that never ends. One with a wrong key
// waits for its answer, as everywhere in Waldo ([access.Guesses]).
// [Listener.Open] tells why nobody publishes: nobody came, or who came with a wrong key or another protocol.
//
// # Concurrency and shutdown
//
// A [Conn] starts no goroutine. A Listener has one that accepts, and one for each guest that has not said its key
// yet, at most 16, 8 of one host, for at most 13 s each. [Listener.Close] ends and awaits them. Every read and write
// has a deadline.
package rtmp
