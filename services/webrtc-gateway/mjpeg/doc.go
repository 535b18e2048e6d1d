// Package mjpeg gives the pictures of cameras to clients that take Motion JPEG: browsers' <img>, ffmpeg, OpenCV, and
// whatever else reads a multipart/x-mixed-replace response.
//
// A [Hub] reads the JPEG stream of a camera once, and holds it, while it has a [Viewer]; all viewers share the
// pictures. A viewer that is slow sees only the newest one. What it missed is counted, and a picture that has waited
// for half a second is dropped. Viewers stay while the camera or the bus is away, and go on when it is back. [Parts]
// writes pictures as the parts of a response.
//
// A Hub is safe for concurrent use. It owns one goroutine for each camera that has viewers, and [Hub.Close] ends them
// and waits. A Viewer has one reader at a time.
package mjpeg
