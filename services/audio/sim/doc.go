// Package sim has a microphone and a speaker that need no hardware: the microphone hears a tone, the speaker plays into
// nothing.
//
// Both keep step with the clock of the computer, and so do WAV files: see package pace. They wake up only when there is
// something to do: a pace takes several blocks at once where nobody waits for the first of them, and the speaker rests
// while nothing is to be heard.
package sim
