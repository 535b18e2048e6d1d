// Package work deals the frames of a camera to many workers, on any number of machines and in any language, and
// collects what they make of them in the order in which the frames were captured.
//
//	w, err := work.Start(conn, camera, "faces", findFaces, work.Config{})             // as often as there are cores
//	results, err := work.Collect(conn, camera, "faces", work.ResultsConfig{})
//	for result, err := range results.All(ctx) {
//
// # Concepts
//
// A track is a group of workers that do the same. Every track gets every frame of the stream `video-jpeg`, and within a
// track each frame goes to one [Worker]. Workers join and leave at any time. A worker gives exactly one answer for each
// frame that it got: a result, that it failed, or that it dropped the frame because it was behind. [Results] puts the
// answers in order; it waits for one that has not come for a bounded time only, and counts what comes later.
//
// # The protocol
//
// Any client of NATS can be a worker. With the messages of waldo.media.v1 and waldo.work.v1:
//
//  1. Hold the stream: call HoldStream of waldo.device.v1.DeviceService, as a request to the subject
//     waldo.v1.<robot>.<camera>.rpc.waldo.device.v1.DeviceService.HoldStream, with a ttl of 3 s, once a second. The
//     camera encodes while anybody holds the stream.
//  2. Subscribe to waldo.v1.<robot>.<camera>.out.video-jpeg in the queue group track.<track>. Each message is a
//     VideoFrame; one with the header Waldo-Part is a part of a frame that is too large to be dealt.
//  3. Publish one Result for each frame to waldo.v1.<robot>.<camera>.work.<track>, with the header
//     Waldo-Type: waldo.work.v1.Result, and the frame's epoch, sequence and capture time.
//  4. To leave, drain the subscription.
//
// Who wants results subscribes to that last subject. e2e/readers/worker.mjs is a worker in Node, made so.
//
// # What may be lost
//
// A queue group deals at random, to workers that are busy as well, so frames wait at a worker, 2 by default; of
// more the oldest are dropped. A worker that dies loses the frames that it had, a few milliseconds' worth, and the
// next ones go to the others at once. One that is frozen, or whose network is gone, keeps getting its share until
// the NATS server misses the answers to its pings: 4 to 5 s with the server of `waldo up` and `waldo bus`. With a
// server of one's own, which by default takes up to 8 minutes, set ping_interval: 1s and ping_max: 3, and
// max_payload: 8MB for large pictures.
//
// # Frames that must not be lost
//
// With [Config.Lossless] the server keeps each frame until a worker of every track has answered for it
// (JetStream). A worker takes a frame when it is free, so it never drops one. If it says nothing for 5 s
// ([bus.KeptFor]) another worker gets the frame, up to five in turn; so an answer may come twice, which Results
// counts. In the protocol, step 2 is:
//
//   - make the stream waldo_v1_<robot>_<camera>_out_video-jpeg of that one subject, with memory storage, retention
//     "interest", discard "old" and max_bytes 67108864, and in it the durable consumer track_<track>, with deliver
//     policy "new", explicit acks, ack_wait 5 s, max_deliver 5, max_ack_pending 256 and inactive_threshold 60 s; again
//     when they are gone, as after a restart of the server; if there is no memory left (error 10028), remove streams
//     without consumers whose names begin with waldo_v1_ first;
//   - pull one frame at a time, send "+WPI" while working on it, and acknowledge it after its result.
//
// What bounds it: the server keeps at most [Config.KeepBytes] of a stream and gives up the oldest, and the server of
// `waldo up` keeps 256 MiB in all, in memory, nothing on the disk: four streams at a time, unless they ask for less
// than 64 MiB. A frame is lost when it is published while the server is away, while no worker has held the stream for 3
// s, or when the server restarts. Results are not kept.
//
// # Concurrency and shutdown
//
// Every type says who may call it. A Worker owns its goroutines, one for each frame at a time and one for what comes
// in; Close drains it. Results runs none.
package work
