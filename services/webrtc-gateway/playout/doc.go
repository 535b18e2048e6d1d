// Package playout decides how long each viewer's player holds pictures back, and puts it into the header extension
// "playout-delay" of RTP.
//
// A player that shows each picture at once (0/0: the least and the greatest delay are 0) is the fastest, and freezes
// while a lost packet is on its way again. One that holds pictures back for the time of a repair shows them evenly. So:
//
//   - Who drives gets 0/0. A driver needs the newest picture, not an even one.
//   - Everybody else too, until more than 1 % of the packets of 5 s had to be sent again. Then the least delay becomes
//     the round trip and 20 to 40 ms, a multiple of 10 ms, and the greatest 1 s. It stays for 12 s after the last such
//     time, and returns by 10 ms every 100 ms: Chromium follows by 100 ms a second, so nobody sees it.
//   - On paths of more than 150 ms it is 0/0: waiting for repairs would take longer than anybody wants to wait for a
//     picture.
//
// A delay is never one that makes Chromium worse: with the least 0 and the greatest from 10 to 500 ms it spaces
// pictures by its own clock, and in measurements with 70 ms stalls it then was slower than with none and froze as
// often. [Parse] refuses such a delay.
//
// A player keeps the last delay that it was told. So it is sent with the first packet of each picture until the player
// is known to have received one ([Notice]), and with key frames from then on, because a player that starts again starts
// with one. Where all packets of a picture are equally long only with it, it stays in every picture: that costs 4
// bytes, and saves a system call.
//
// The package does not know the time: it is told. Nothing in it is safe for concurrent use, and nothing is to be shut
// down.
package playout
