// Package fakecam is a network camera for tests, and for trying things without a camera: an RTSP server, Motion JPEG
// over HTTP, RTMP, and ONVIF with a picture that can be moved, with every oddity of real cameras as a switch.
//
// The RTSP server is written for this: it parses and writes messages itself, so it can also answer as no server library
// would. A [Config] without anything else is a well-behaved camera with H.264. [Behaviours] is the table of the
// oddities that are known, each with its source and the Config that shows it, so that a test can go through all of
// them:
//
//	for _, b := range fakecam.Behaviours() {
//		t.Run(b.Name, func(t *testing.T) {
//			camera := fakecam.Start(t, b.Config)
//			…
//		})
//	}
//
// Pictures come from small clips, repeated without end with timestamps that go on; sounds are tones of 440 Hz.
//
// # Waiting
//
// A camera counts what happens to it ([Kind]). [Camera.Await] waits until something has happened a number of times, so
// no test needs to sleep.
//
// # Concurrency and shutdown
//
// All methods of a Camera may be called at any time from any goroutine. Kill and Close return when all sockets are
// closed and all goroutines have ended. A hook is called from one goroutine.
package fakecam
