// Package ptz moves a camera under the rules of package actuator, and serves waldo.ptz.v1.PtzService.
//
// A [Mover] is the only path to the movements of a camera. One goroutine sends one request at a time: the newest
// command, at most five times a second, and not after its expiry.
//
// # Standing still
//
// A camera is another machine, with no deadman that can be relied on: some move on after the time they were given, some
// have no Stop, some answer and do nothing. So a stop is Stop and a velocity of zero, up to three times within a second
// until the camera says that it stands, and on as long as it says that it moves. A request for a movement that is under
// way is cut off; it may still arrive, so the stop is then sent three times at least. A camera that takes no stop is
// away, and when it answers again it is stopped before anything else: so it is after a crash of the process too.
//
// How long a stop takes is measured, not promised; see Ptz.stops_within.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use. Safe and Command do not wait. Run ends with its context, after one more stop
// that takes a second at most.
package ptz
