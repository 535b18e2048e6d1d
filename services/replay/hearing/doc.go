// Package hearing makes a microphone of recorded sound: AudioService, and the streams audio and levels.
//
// A [Microphone] is given the messages of one recorded channel, in the order of the recording, by one goroutine. On the
// bus, and for listeners who take Opus, packets are as they were recorded, byte for byte, with an epoch of their own;
// they keep the time at which they were captured, and their replay_time is when the replay came to them. For all other
// formats they are decoded, by package capture, as the sound of a microphone.
//
// # Pauses and speed
//
// Sound is heard at the speed at which it was recorded, and otherwise not at all. After a jump, a pause, or another
// speed, a new epoch begins: what follows does not continue what came before.
//
// # Bad input
//
// What is no AudioFrame, or cannot be heard, is left out, counted and logged. What is missing between two packets is
// silence for listeners in other formats, and for those who take Opus a gap in the sequence, as it is of a live
// microphone.
//
// # Concurrency and shutdown
//
// Jump, Lead, Arrived, Message and Pace are called by one goroutine, and never wait. For a listener who is slow up to
// half a second of packets waits; then the oldest are lost. [Microphone.Run] owns everything that runs.
package hearing
