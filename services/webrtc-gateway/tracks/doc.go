// Package tracks carries the streams of devices to many WebRTC receivers at the price of one.
//
// A [Hub] keeps one source for each stream that somebody receives: one subscription, one hold, and each frame cut into
// RTP payloads once. A [Track] is one receiving track. It shares the payloads with all others and owns what must be its
// own: SSRC, payload type, sequence numbers, header extensions, a bounded queue and the goroutine that empties it. A
// receiver that stalls therefore loses its own frames and slows nobody. A [Reader] gets whole pictures, for browsers
// that WebRTC does not reach.
//
// Video and sound share all of this. What differs is in two files: video.go keeps key frames and the group of pictures
// since the last one; audio.go keeps the timeline. What depends on the codec is in package codecs.
//
// # Promises
//
//   - A track's timestamps only grow and its SSRC stays, whatever the device does: restart, vanish for an hour, lose
//     frames. The sequence numbers of video have no gaps; a gap in those of sound is a loss, which the far end
//     conceals.
//   - A track may change to another stream with the same content ([Track.Send]), at a key frame of the new one. Nothing
//     is negotiated, and no picture is missing in between.
//   - A track never carries a frame in another codec than the negotiated one. If a stream changes its media type, its
//     tracks pause until it changes back.
//   - Only a key frame starts a picture: at first, after a loss, after a restart of the device, after a change of
//     codec.
//   - A new viewer starts at once: with the frames since the last key frame if they are few (or if they are as the
//     hardware compresses them), otherwise with a key frame that is requested. One that came before those frames,
//     which then arrive in a burst, gets all of them too.
//   - While a replay stands still, a viewer gets its picture again until it reports that it has it, ten times at most.
//   - However many viewers ask for a key frame, the device is asked at most every 100 ms, and the last request is never
//     lost. A viewer that keeps asking is heard every 2 s.
//   - At most 150 packets are sent to a viewer at once, and 4 per millisecond. Where the path is known, a picture of
//     more than 10 packets leaves in bursts of 8, as fast as the path carries them, and within 50 ms.
//   - While the path is full, pictures wait here, where a router's queue cannot lose them. Sound never waits.
//   - What a viewer missed is sent again within a budget, a quarter of what is sent anyway (package repair); one key
//     frame repairs what is refused.
//   - Sound is neither kept for later listeners nor delayed here.
//   - Losses on the bus and by each receiver are counted.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use, except that a Reader belongs to one goroutine. A source and its hold end with
// the last of its tracks and readers; [Track.Close] returns when its goroutine has ended. [Hub.Close] ends all sources
// and waits for them.
package tracks
