// Package paths tells what a gateway knows of the network path to each of its peers.
//
// A [Path] belongs to one connection, because all its media share one way through the network. Every packet sent is
// recorded: with [Path.Number] where transport-wide congestion control is negotiated, otherwise with [Path.Sent]. All
// RTCP of the connection goes through [Path.RTCP]. From both follow the round trip, what arrives, what is lost and how
// long packets wait in queues.
//
// # Numbers
//
// A transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01) counts the packets of a
// connection. The far end reports, some 10 to 20 times a second, when each arrived. A ledger keeps the last 2048
// departures to compare with (16 KiB; about 2 s at 10 Mbit/s). Reports about older packets are ignored.
//
// Pion's interceptors are not used: they give a packet that is repeated on its SSRC another number, and with AES-GCM
// two packets with the same SSRC and sequence number but different contents make the stream forgeable. Here the sender
// keeps the number with the packet and repeats it.
//
// # Without numbers
//
// Peers that do not report arrivals (aiortc, ffmpeg, old players) send estimates (REMB), which are an upper bound, and
// receiver reports, which tell the loss and the round trip. Losses limit the rate when they last. A longer round trip
// does only if it lasts, is large compared with how much round trips vary, and shrinks when less is sent: a receiver
// that is busy answers late too. See [congestion.Coarse]. Nothing is known of the path to a peer that reports nothing
// at all: every value is 0.
//
// Everything is safe for concurrent use and holds no goroutines.
package paths
