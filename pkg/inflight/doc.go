// Package inflight bounds how old what a gRPC reader gets can be, by bounding what is under way to it.
//
// The transport does not do that: clients take in far more than their program reads before flow control reaches the server
// (grpcio 4 MiB and more, Node 64 KiB, Go 64 KiB and more as its window grows), so a slow program reads what is long over. [Readers] is the one place where a server learns
// how far each of its readers has read. While too much is under way, Send of a server stream does not return, so its handler takes
// nothing new, and the stream's own policy says what becomes of what is published meanwhile.
//
// # How the server knows
//
//	the reader                              what is known                               under way at most
//	sends the metadata waldo-window         messages, as it acknowledges them           as many as it asked for
//	is built on gRPC's C core (Python …)    bytes, by its window updates                1 message, more if it reads fast
//	any other, or behind a proxy            bytes, by its window updates, roughly       half of its HTTP/2 window, and 1 message
//
// Window updates are read from the connection that [Readers.Listen] wraps. The C core has one ready for each message that its program has
// taken, but sends it only together with something else; so it is asked with a PING. Other clients send one when half of their window, or
// less, has been read.
//
// # Promises
//
//   - Nothing changes for a reader that keeps up, whatever its round trip: what may be under way grows as it is used up.
//   - Every call has an id, the response header waldo-call, that cannot be guessed. It ends with the call.
//   - A reader that stops for ever costs its call and nothing else. Waiting ends with the call or when the server stops.
//   - A connection whose frames are not understood is not bounded, and works as without this package.
//
// [Acknowledging] is the other side, for clients in Go. All of the package is safe for concurrent use; it starts no goroutines but those
// of Acknowledging, which end with their calls.
package inflight
