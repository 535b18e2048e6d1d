// Package connect keeps the connection to a network camera: it says when to connect, judges whether the camera is
// alive, and makes a source of pictures of each connection, for package video/camera.
//
// A [Line] lives as long as the process. [Line.Open] waits until the next attempt is due, connects, and returns a
// source once the first picture can be shown. The source ends when the camera does; then Open is called again. So there
// is one goroutine that owns the connection, and a new one is opened only after the old socket is closed.
//
// # When the next attempt is due
//
// The first attempt comes at once. After n failures in a row the next comes after Delay·Backoff^(n-1), at most
// MaxDelay, give or take a tenth. Failures count from the last connection that brought healthy pictures for [Healthy];
// a connection that breaks sooner is a failure like any other, so a camera that accepts and dies is not hammered. The
// reason changes the wait:
//
//   - Nobody listens (the camera boots, the cable is out): at most [Booting]. An attempt costs the camera nothing.
//   - It refused user and password, or has no such stream: at least [Slow]. Many cameras lock an account after 5 to 10
//     logins.
//   - It has no room for another viewer: [Crowded], or until the session that a killed process left has expired.
//   - The key cannot be right: never, until the configuration changes.
//
// After MaxAttempts failures the line gives up: nothing is tried any more until [Line.Retry].
//
// # Life is measured by pictures
//
// A camera that answers keepalives and sends no pictures is not alive. Without a whole picture for a second (or five
// picture times, whichever is longer) the state says stalled; after two seconds (or ten picture times) the connection
// is made again. A camera whose connections go silent like that soon after they began may be one that sends a picture
// each few seconds: then each further connection may be silent for twice as long, up to half a minute.
//
// # Pictures that come later and later
//
// If all pictures of the last 8 s are late, a queue has filled somewhere, and a new connection empties it. A publisher
// does not have to come back, so its connection is kept: once its pictures are more than a second late they are left
// out, and the state says stalled, with the reason. When the publisher has caught up, pictures go on at a key frame.
//
// # Talking
//
// [Line.Talk] opens the back channel of the camera that is connected at the time. The line knows nothing more of it.
//
// # Concurrency and shutdown
//
// Open and the source's Close are called by one goroutine at a time; everything else is safe for concurrent use. A
// source owns the goroutine that receives; Close ends it and waits.
package connect
