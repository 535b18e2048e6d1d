// Package playout decides how long each viewer's player holds pictures back, and puts it into the header extension
// "playout-delay" of RTP.
//
// A player that shows each picture at once (0/0: both the least and the greatest delay are 0) is the fastest, but
// freezes while a lost packet is retransmitted. One that holds pictures back for as long as a repair takes shows them
// evenly. So:
//
//   - A driver gets 0/0: they need the newest picture, not an even sequence.
//   - So does everybody else, until more than 1 % of the packets of 5 s had to be sent again. Then the least delay
//     becomes the round trip plus 30 to 40 ms, as a multiple of 10 ms, and the greatest 1 s. It stays for 12 s after
//     the last such time, and then shrinks by 10 ms every 100 ms: Chromium follows by 100 ms a second, so nobody sees
//     it.
//   - On paths of more than 150 ms it is 0/0: waiting for repairs would take longer than anybody wants to wait for a
//     picture.
//
// No delay has a least of 0 and a greatest of 10 to 500 ms: Chromium then spaces pictures by its own clock, and in
// measurements with stalls of 70 ms it was slower than without a delay and froze as often. [Parse] refuses such a
// delay.
//
// A player keeps the last delay that it received. So the delay is sent with the first packet of each picture until the
// player is known to have received it ([Notice]), and with key frames from then on, because a player that starts again
// starts with one. Where only the extension makes all packets of a picture equally long, every picture carries it: that
// costs 4 bytes and saves a system call.
//
// Time is passed in. Nothing in this package is safe for concurrent use, and nothing needs to be shut down.
package playout
