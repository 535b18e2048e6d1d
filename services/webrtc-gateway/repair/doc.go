// Package repair decides which of the packets that a viewer missed are sent again.
//
// Retransmitting is right for a packet here and there, and wrong when the path is full: then every repair displaces
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
// If a refused packet leaves a picture incomplete, one key frame repairs it; [Budget.NeedsKey] asks for it once the
// queue is at most 100 ms.
//
// # What can still be shown
//
// Browsers resume at a key frame, whatever is missing before it. They are sent nothing from before the last key frame,
// and nothing that was first sent more than 250 ms ago, or 1.5 round trips plus 100 ms if that is more, because a first
// request cannot arrive before a round trip has passed. The limit is never more than 1 s: nobody can drive by a picture
// that old.
//
// Other players wait. The Python library aiortc collects up to 512 packets after the first that is missing and shows
// nothing meanwhile, key frames or not; it asks once, and again only when it misses another packet. Such a patient
// viewer gets any of its last 512 packets, however old, and no key frames of its own. Transport-wide congestion control
// tells the two apart: all browsers, and everything built from their code, offer it, and aiortc does not.
//
// # Floods
//
// Requests are examined up to a rate that no honest player exceeds: 1000 at once, as many as libwebrtc can have open,
// and 5000 a second. Any beyond that cost no more than parsing them.
//
// Time is passed in. A Budget is not safe for concurrent use, and has nothing to shut down.
package repair
