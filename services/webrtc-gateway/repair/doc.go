// Package repair decides which of the packets that a viewer missed are sent again.
//
// Sending again is right for a packet here and there, and wrong when the path is full: then every repair displaces
// something new, which is missed in turn. So each viewer has a [Budget], which knows what was sent and answers each
// request with a [Verdict]. A packet is sent again
//
//   - not before the last copy had a round trip to arrive, 50 ms at least, 100 ms if the round trip is not known;
//   - at most 3 times;
//   - only while it can still be shown, see below;
//   - only from a quarter of what was sent anyway in the last second. A stream of a low rate may use 40 kbit/s, and
//     12 kB at once;
//   - not while what was sent before waits in a queue of the path for more than 150 ms.
//
// What is refused although it is missing in the picture is repaired by one key frame, which [Budget.NeedsKey] asks for
// once the queue is below 100 ms.
//
// # What can still be shown
//
// Browsers go on at a key frame, whatever is missing before it. They are sent nothing from before the last key frame,
// and nothing that was first sent more than 250 ms ago, or 1.5 round trips and 100 ms ago if that is more: a first
// request cannot come earlier than after a round trip. Beyond 1 s nobody drives by the picture any more.
//
// Other players wait. The Python library aiortc collects up to 512 packets behind the first that is missing and shows
// nothing meanwhile, key frames or not; it asks once, and again only when it misses another one. Such a patient viewer
// gets what is among its last 512 packets, however old, and no key frames of its own. The two are told apart by
// transport-wide congestion control: all browsers, and everything else that is made from their code, offer it, and
// aiortc does not.
//
// # Floods
//
// Requests are looked at up to a rate that no honest player exceeds: 1000 at once, as many as libwebrtc can have open,
// and 5000 a second. What is beyond that costs its parsing and nothing else.
//
// A Budget does not know the time: it is told. It is not safe for concurrent use, and has nothing to shut down.
package repair
