// Package inflight bounds the age of the messages that a gRPC reader gets, by bounding how much is in
// flight to it.
//
// The transport does not do that: clients buffer far more than their program reads before flow control
// reaches the server (grpcio 4 MiB and more, Node 64 KiB, Go 64 KiB and more as its window grows), so a
// slow program reads stale messages. [Readers] is the one place where a server learns how far each of
// its readers has read. While too much is in flight, Send of a server stream does not return, so its
// handler takes nothing new, and the stream's own policy decides what happens to values published
// meanwhile.
//
// # How the server knows
//
//	the reader                              what is known                               in flight at most
//	sends the metadata waldo-window         messages, as it acknowledges them           as many as it asked for
//	is built on gRPC's C core (Python …)    bytes, by its window updates                1 message, more if it reads fast
//	any other, or behind a proxy            bytes, by its window updates, roughly       half of its HTTP/2 window, and 1 message
//
// Window updates are read from the connection that [Readers.Listen] wraps. The C core prepares one for
// each message that its program has taken, but sends it only together with another frame; so a PING asks
// for it. Other clients send one when at most half of their window has been read.
//
// # What nobody takes
//
// The transport holds what a client does not take: answers of single calls without a bound, and a message of each
// stream, which may be a picture of 6 MB. So messages larger than 1 KB have to find room before they are encoded: 128
// MiB are for all that are encoded and not yet written to their connections, and as many for those that wait. One
// connection has as much as is left for others at most, so one that is alone gets half. A stream waits for room, and a
// single call for 10 s; a call for which there is no room to wait in fails with RESOURCE_EXHAUSTED. If all the room is
// taken, clients that have taken nothing for 10 s are disconnected as others need it. Connections (1024), calls (2048)
// and the metadata of a call (64 KiB) are bounded, too. One host has as many connections as are left for others at
// most, and those without calls make way for its new ones; likewise one connection has as many calls, and 512 at most.
// So neither can keep others out. [Readers.Options] and [Readers.Listen] together do this.
//
// Not bounded are messages of clients that have not come completely: they may be as large as the server allows, for
// each call.
//
// # Promises
//
//   - Nothing changes for a reader that keeps up, whatever its round-trip time: the limit grows as it is used up.
//   - Every call has an unguessable id, the response header waldo-call. It ends with the call.
//   - A reader that stops forever blocks its own call, and nothing else while there is room. Waiting ends with the call
//     or when the server stops.
//   - A connection whose frames are not understood is not bounded, and works as it would without this package.
//
// [Acknowledging] is the other side, for clients in Go. Everything in the package is safe for concurrent
// use; it starts no goroutines except those of Acknowledging, which end with their calls.
package inflight
