// Package capture carries sound from one microphone to any number of listeners, doing every piece of work once.
//
// A listener asks for a format ([Pipeline.Open]). Listeners that want the same share one variant: one goroutine that
// converts, encodes and hands the result to all of them. The first listener starts the capture, and the last one stops
// it.
//
//	microphone ──► clean, volume, level ──► variant Opus          ──► listeners, bus
//	                                  └───► variant 16 kHz, S16LE ──► listeners
//
// What a speaker plays is captured in the same way: see [Tap].
//
// # Time
//
// A frame's sample index counts from the beginning of the process, and goes on through what was not captured or not
// sent: so it is the place of the sound in time. The sequence counts what was made, without gaps.
//
// # What may be lost
//
// A variant, or a listener, that is half a second late loses the oldest sound, so that its delay does not grow. All
// losses are counted.
//
// # Concurrency and shutdown
//
// All methods of Pipeline are safe for concurrent use, except that Run is called by one goroutine at a time. Run may be
// called again with another microphone after it returned: listeners stay and go on. A Reader belongs to one goroutine,
// but Close may be called from any, and waits for the variant if it was its last reader. Pipeline.Close ends all
// variants and listeners.
package capture
