// Package loudspeaker makes a speaker for package playout of the back channel of a network camera.
//
// A [Loudspeaker] is a [card.Speaker]. It opens the back channel when somebody begins to talk, and lets it go when
// nobody has talked for [Linger]: others may want to talk through the camera as well, and most cameras have one back
// channel. In between it sends silence, so that the next sentence need not wait.
//
// # What is sent
//
// Blocks of 20 ms in what the camera takes: G.711 or L16, of any rate and one or two channels. They are sent in step
// with the clock, at most [patience] late: cameras play what they get, so sound that came in a burst would delay all
// that follows. What is later is left out, by the talkers' own queues.
//
// # What can go wrong
//
// A back channel that breaks after it has worked for a while is opened again at once. If it cannot be opened, or breaks
// at once, Play fails, and the caller decides when to try again.
//
// # Concurrency and shutdown
//
// Play starts no goroutine, and closes the back channel before it returns, also while it is being opened.
package loudspeaker
