// Package sound is the root of the module that services with sound share. It contains no code, only this page.
//
// A service that has sound to be heard, whatever it comes from, is a [card.Microphone] and the kind of device:
//
//	microphone := capture.New(capture.Config{Epoch: kit.Epoch(), Format: pcm.Format{Rate: 48000, Channels: 1}})
//	audiov1.RegisterAudioServiceServer(kit, service.New(service.Config{Microphone: microphone, …}))
//	out := device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{})
//
// While the hardware is there, its driver runs microphone.Run with the card.Microphone, and [device.Serve] with out.
// What it gets for that: AudioService over gRPC and the bus, the stream `audio` in Opus, which is captured and encoded
// only while somebody holds it, any number of listeners in any format from one capture and one encode per format, the
// volume, the levels, and metrics. services/audio does it for sound cards.
//
// # The packages
//
//   - [card], cardtest: the contract of a driver, and its conformance suite
//   - [capture]: one capture, one encode per format, any number of listeners
//   - [playout]: everything on the way to a speaker: jitter buffers, concealment, mixing; and the levels of both ends
//   - [service]: AudioService
//   - pace: sound that no hardware times, in step with the clock
//   - [pcm], convert, samplerate, ring: samples, resampling, and what carries samples between threads
//   - libav: decodes AAC and G.726, for network cameras; the one package that links libavcodec (GPL)
//
// The module links libopus and libsamplerate with cgo. It has no drivers.
package sound
