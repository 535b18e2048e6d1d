// Package peer makes a Go program a peer of a robot, as the page in a browser is. It sees the robot's cameras and hears
// its microphones, reads its streams, calls its devices and drives it under the same rules, and sends its own picture
// and sound, over one UDP flow that finds its way through NATs. A robot and a desktop connect this way, and so do two
// robots.
//
//	robot, err := peer.Dial(ctx, "http://127.0.0.1:8080/", peer.Options{})
//	…
//	defer robot.Close()
//	for frame, err := range robot.Camera("front").Frames(ctx, 8) {
//
// The words are those of waldo.js, and the messages those of the gRPC API: a frame is a waldo.media.v1.VideoFrame, and
// [Robot.Device] is a connection for generated clients and for package lease. Package video/decode turns frames into
// pictures, video/encode pictures into frames; this package needs no C compiler.
//
// # What happens by itself
//
// A [Robot] is kept connected until its context ends. When packets stop getting through, another path is searched for
// (an ICE restart); a session that was lost is replaced by another, which goes on with the connection; and if that does
// not help within 6 s, everything is set up again, as often as needed, with pauses that grow from 0.5 to 30 s and are
// random, so that many peers do not return at once. [Robot.States] says what happens, and why: connecting, live, stale,
// lost, refused.
//
// Cameras, microphones, streams, topics and device connections stay valid throughout: nothing comes while the robot is
// away, and then it goes on, pictures with a key frame. Nothing is kept to be sent later. A lease does not outlast its
// connection: the driver acquires it again, and begins with a neutral command, so that no program drives on by
// accident.
//
// # Slow readers
//
// Every loop has a queue of the length that it asks for. What does not fit is lost and counted; of encoded video,
// everything up to the next key frame, which is asked for. So a slow program gets less, and not older data, and its
// memory does not grow.
//
// # How old pictures are
//
// Once a second the gateway is told how old the frames were that loops and Latest returned, for its metrics, and says
// what it knows of the path: [Robot.Path]. Ages are by the gateway's clock, which pings estimate to within half the
// shortest round trip.
//
// # A robot behind a rendezvous server
//
// A link to such a robot, https://server/r/robot/#key=…, has the fingerprint of the robot's key, which `waldo link`
// prints. The server is not trusted: the robot signs each connection with its key, and this program proves that it
// knows the robot's token without showing it. What goes over the connection, calls included, is out of the server's
// reach, and goes on when the server is gone. A key that was used once is remembered in a file; a robot whose key is
// unknown, or has changed, is refused.
//
// The gateway of a fleet has such addresses too, https://server/r/robot/, but no key of the robot. Such a server sees
// what passes, and asks for the token. So do not use the address of a rendezvous server without its key: an honest one
// leads to a robot that is not known, a server that was taken over could ask for the token.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use, except that one loop belongs to one goroutine. [Robot.Close] ends all loops,
// and returns when all goroutines of the robot have ended. A loop that is left ends what it used: a stream at once,
// frames after 5 s, so that a loop that is begun again finds them flowing.
package peer
