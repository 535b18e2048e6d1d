// Package microphone makes a microphone for package capture of the sound that a network camera sends.
//
// A [Microphone] lives as long as the process: it is given what each connection brings ([Microphone.Add]), in whatever
// encoding, and gives it on in one format while somebody listens. Without listeners nothing is decoded.
//
// # What can be heard
//
// G.711, L16 and Opus, and with libavcodec AAC and G.726, of one or two channels and of 8 kHz or more. The encoding may
// change at any time. Everything is decoded; Opus is encoded again by package capture, so that every listener gets
// packets of 20 ms with in-band FEC, whatever the camera sends. Other sound is reported in [State] with a remedy, and
// left out. The build tag nolibav leaves libavcodec out.
//
// # Time
//
// Capture times are those of package clock; what the sample rate converter holds back is taken into account. What was
// lost on the way, or could not be decoded, is silence of that length, so that the count of samples goes on. A gap of
// more than [capture.Jump] is left to the pipeline, whose sample index leaps over it. Stamps of the camera that
// contradict the capture times are not believed.
//
// # Concurrency
//
// Add and Forget are for one goroutine at a time, and never wait. Capture is for one goroutine at a time, which may be
// another. If Capture is late, the oldest sound is lost.
package microphone
