// Package peer makes a Go program a peer of a robot, as the page in a browser is: it sees the robot's cameras, hears its
// microphones, reads its streams, calls its devices, drives it, and sends its own picture and sound, over one UDP flow.
//
//	robot, err := peer.Dial(ctx, "http://127.0.0.1:8080/", peer.Options{})
//	…
//	defer robot.Close()
//	for frame, err := range robot.Camera("front").Frames(ctx, 8) {
package peer
