// Package portaudio is the driver for sound cards, by the PortAudio library.
//
// Streams run by callbacks only: a blocking read never returns when a card is unplugged under it, and takes a whole
// core. A callback of a microphone copies into a ring, one of a speaker has the sound made on the spot. Each has a
// watchdog: when no callback has come for half a second, and the first five seconds are over, the card counts as gone,
// and Capture or Play ends. PortAudio finds new cards only when it is started again, with nothing open; so a card that
// was opened is closed as a whole, and opened again.
//
// A card that does not offer the wanted rate is used at the rate that it prefers, and the sound converted.
//
// With a sound server that hangs PortAudio hangs as well, in whatever is called. So no call is waited for longer than a
// bounded time: Capture, Play, Open and Close return, and nothing is opened before the call has ended after all. Where
// that takes too long Open fails with [ErrStuck].
//
// # Concurrency and shutdown
//
// PortAudio is one for the whole process, so there is one [Library], which has one card open at a time. Its methods may
// be called from any goroutine. The threads of callbacks are PortAudio's. They never wait for a goroutine, and reach
// nothing of the caller's when Capture or Play has returned.
package portaudio
