// Package playout brings the sound of many talkers to one speaker.
//
// A [Mixer] has two kinds of talkers, and one way out:
//
//	in                  from                      waits for
//	[Mixer.Receive]     the network, by the bus   nobody: a jitter buffer, concealment and drift correction make it even
//	[Mixer.Open]        a program, by gRPC        room: a [Feed] holds up a writer that is faster than the speaker
//	[Mixer.Read]        the speaker's callback    nobody: it always fills what it is given, with silence if there is nothing else
//
// # Talkers of the network
//
// A talker is one sender with one name and epoch. The session begins with a packet and ends after a silence of [Pause];
// the next one starts from scratch. Packets are put into the order of their sequence. The delay from the quickest
// packet's arrival to its sound is held at a target, which follows the network: the 95th percentile of how much later
// than the quickest packets came, of the newest 256, and one packet, between Config.MinDelay and Config.MaxDelay.
//
// The clocks of sender and card are never quite the same. What a talker says is therefore resampled by up to 0.5 %,
// which nobody hears, by a slow PI controller that sees the smoothed delay. The target rises at once when the sound has
// run dry, and falls by 3 ms a second when the network has become better. When the delay stays more than 40 ms too
// long, as after a burst, sound is cut out, with a cross-fade of 10 ms. When it is too long by more than 200 ms, as
// after a speaker that stood still, all that is too old is left out.
//
// A packet that is missing when its turn comes is rebuilt from the one behind it, if that is there and carries a copy
// (in-band FEC), and otherwise made up by the decoder (PLC). When nothing has come at all, the sound is spun out and
// fades within 60 ms, and goes on where it stopped.
//
// # The sum
//
// Talkers are added up. A limiter without look-ahead turns the sum down so far that peaks stay at -1 dBFS: at once, and
// up again within about 200 ms. What it cannot know yet, the rise within its 1 ms of attack, is bent by a curve that is
// straight up to 0.89 and never reaches 1. So a single talker below -1 dBFS goes through bit by bit as it is, and
// nothing ever wraps or exceeds [-1, 1].
//
// # Bounds
//
// Whatever arrives, a talker holds at most 128 packets, and there are at most Config.MaxTalkers of them. A talker who
// goes on for Config.MaxTalk without a pause is cut off until they pause. What is lost, late, made up or refused is
// counted in metrics waldo_audio_*.
//
// # Concurrency and shutdown
//
// All methods may be called at any time from anywhere, Read from one goroutine at a time. Read allocates nothing while
// the same people talk, and waits for no more than the copying of a packet, or the making of a decoder when somebody
// begins to talk, a fifth of a millisecond. The package starts no goroutines. [Mixer.Close] ends all feeds.
package playout
