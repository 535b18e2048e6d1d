// Package congestion finds out how fast packets may be sent over a path, from when they left and when they arrived.
//
// A [Controller] belongs to one path. It is pure: time is passed in, and it does nothing by itself. What it knows comes
// from [Controller.Sent] and [Controller.Report]; what it says is a bit rate ([Controller.Rate]), whether more is on
// the way than the path takes ([Controller.Full]), and how long packets wait ([Controller.Queue]).
//
// # What it measures
//
// Queue: the least delay of the packets of a report, without the time that they themselves take on the bottleneck,
// minus the least delay of the last 20 s. The clocks of both ends need not agree; only their difference may not change
// by more than a few ms in that time. The least of a report is not moved by single late packets, nor by the time that a
// burst itself takes.
//
// Received rate: bytes by time of arrival. While packets queue, it is what the bottleneck lets through.
//
// Busy rate: the same without the pauses of the sender. A packet that waited for longer than since the one before it
// arrived had the bottleneck busy all that time.
//
// Trains: packets that left within 2 ms, as those of a picture do, arrive as far apart as the bottleneck is slow. So
// pictures show that a path has become faster without a byte sent for that. One train may be wrong by much (others'
// packets, batches of a radio), so the lower quarter of the last two seconds counts, and only to decide how fast to
// try more.
//
// # What it does
//
//   - Packets wait for more than 55 ms at once, or for 28 ms over 0.3 s or while many are lost; these limits rise with
//     the jitter of the path, and fall where its queue overflows earlier. The rate falls to 0.9 of what the path passes
//     while it is busy, and further if the queue has not become shorter by when it should have: others may send through
//     the same bottleneck.
//   - The queue stays all the same, although less was sent: it is not ours. Then its delay counts as that of the path:
//     others fill it, the route has changed, or the machine at either end is overloaded. None of these may drive the
//     rate to the floor for long.
//   - More than 1 % are lost while nearly all is used that trains show: a queue overflows that is too short to be seen.
//     The rate falls to 0.9 of that.
//   - More than 12 % are lost without a queue, as behind a policer: the rate falls to 0.9 of what is received, and is
//     not tried again for 5 to 40 s. If nearly as many are lost afterwards, the path loses that much at any rate, and
//     the fall is undone.
//   - Nothing waits and nothing is lost: the rate grows by 4 % in 200 ms, by up to 12 % while trains arrive at much
//     more, by 1 % near where it failed in the last 6 s. It never grows beyond 1.5 times what is received, or,
//     where more is wanted ([Controller.Want]), what the trains show: what a path could carry is not known from what it
//     does not.
//   - More bytes are on the way than the path carries in its shortest turn plus 170 ms: the path is full. A queue is
//     reported only after it was waited in; only a limit of what is on the way acts in time.
//   - No report for the shortest turn plus 200 ms while packets are sent: what is on the way counts as gone, the window
//     shrinks to 8 kB until the next report, and the rate is halved once.
//
// Before anything speaks against it there is no limit: a made-up first rate would only make the first picture worse.
package congestion
