// Package viewing keeps, as metrics, how well the robot's videos get to those who watch: how old pictures are on their
// screens, how often they freeze, and the round trip to them.
//
// A peer reports once a second what it has shown (waldo.signaling.v1.Shown). Ages are its own measurement: capture to
// screen, with the offset between its clock and the gateway's, which it estimates from pings, taken off. So they are
// wrong by at most half the shortest round trip of the last half minute, and by what the camera's clock differs from
// the gateway's where the camera is on another machine. The round trip is measured by the gateway's clock alone.
//
// Reports are outside input: their counts and values are bounded, and one that breaks a bound is refused as a whole.
//
// The metrics have the viewer as a label, so that one bad link can be told from a bad camera. A viewer's series are
// removed when it leaves. At most 64 viewers at a time have a label of their own; all others share "others".
//
// Everything is safe for concurrent use and holds no goroutines.
package viewing
