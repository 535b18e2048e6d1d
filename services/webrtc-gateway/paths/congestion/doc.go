// Package congestion finds out how fast packets may be sent over a path, from when they left and when they arrived.
//
// A [Controller] belongs to one path. It is pure: time is passed in, and it does nothing on its own. Its inputs are
// [Controller.Sent] and [Controller.Report]; its outputs are a bit rate ([Controller.Rate]), whether more is in flight
// than the path takes ([Controller.Full]), and how long packets wait ([Controller.Queue]). A [Coarse] does the same,
// less well, from receiver reports alone.
//
// # What it measures
//
// Queue: the smallest one-way delay in a report, excluding the packets' own transmission time at the bottleneck, minus
// the smallest delay of the last 20 s. The two clocks need not agree; they only must not drift apart by more than a few
// ms in that time. The minimum of a report is not affected by single late packets, nor by the length of a burst.
//
// Received rate: bytes by time of arrival. While packets queue, it is what the bottleneck lets through.
//
// Busy rate: the same without the sender's pauses. If a packet waited longer than the time since its predecessor
// arrived, the bottleneck was busy all that time.
//
// Trains: packets that leave at most 2 ms apart, as those of a picture do, are spaced on arrival by the bottleneck. So
// pictures show that a path has become faster without any probe traffic. A single train can be far off (cross traffic,
// radios that deliver in batches), so the lower quartile of the last two seconds is used, and mainly to decide how fast
// to try more.
//
// # What it does
//
//   - Packets wait for more than 55 ms, or for 28 ms during 0.3 s or while many are lost (these limits rise with the
//     path's jitter, and fall where its queue overflows earlier): the rate falls to 0.9 of what the path passes while
//     it is busy, and further if the queue has not shrunk by the time it should have, because others may send through
//     the same bottleneck.
//   - The queue stays although less was sent: it is not ours. Others fill it, the route has changed, or the machine at
//     either end is overloaded. Its delay then counts as part of the path's, so that none of these drives the rate to
//     the floor for long.
//   - More than 1 % are lost while nearly all of the rate that trains show is used: a queue overflows that is too short
//     to be seen. The rate falls to 0.9 of what the path passes.
//   - More than 12 % are lost without a queue, as behind a policer: the rate falls to 0.9 of what is received, and is
//     not tried again for 5 to 40 s. If nearly as many are lost afterwards, the path loses that share at any rate, and
//     the cut is undone.
//   - Nothing waits and little is lost: the rate grows by 4 % every 200 ms, by 12 % while trains arrive much faster,
//     and by 1 % near a rate that failed in the last 6 s. It never grows beyond 1.5 times the received rate or, where
//     more is wanted ([Controller.Want]), 0.8 of what trains show: a path that carries little tells nothing about what
//     it could carry.
//   - More bytes are in flight than the path carries in its shortest turn (from a departure to its report) plus 170 ms:
//     the path is full. A queue is reported only after packets have waited in it, so only a limit on what is in flight
//     acts in time.
//   - No report for the shortest turn plus 200 ms while packets are in flight: they count as gone, and the window
//     shrinks to 8 kB until the next report. The second time in a row, the rate is halved.
//
// Until there is evidence of a bottleneck there is no limit: an assumed initial rate would only make the first picture
// worse.
package congestion
