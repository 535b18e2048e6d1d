package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/microphone"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
	"github.com/waldo-robot/waldo/sound/service"
)

// heard is the format in which the camera's sound is heard: cameras have one microphone.
var heard = pcm.Format{Rate: pcm.OpusRate, Channels: 1}

// errSilent is why nothing is heard of a camera that is connected.
var errSilent = errors.New("the camera has sent no sound: switch its microphone on")

// sound has a camera heard as a sound card is, and people talk through it: by AudioService and the streams audio,
// speaker and levels. Audio is in the device's description as soon as the camera has sent sound that can be decoded.
// Whatever becomes of the sound, the pictures go on.
type sound struct {
	kit        *device.Kit
	microphone *microphone.Microphone           // nil if the camera is not to be heard …
	pipeline   *capture.Pipeline                // … and this
	audio      *device.Out[*mediav1.AudioFrame] // … and this
	speech     *speech                          // nil if nobody may talk
	levels     *playout.Levels
	service    *service.Service
	loudness   *device.Out[*audiov1.StreamLevelsResponse]

	mu  sync.Mutex
	now *microphone.State // of this connection; nil if it has brought no sound
}

// newSound returns what the configuration wants of the sound. Talk opens the back channel.
func newSound(kit *device.Kit, c Config, talk func(context.Context) (feed.Voice, error)) (*sound, error) {
	s := &sound{kit: kit}
	pipelines := capture.Config{
		Epoch: kit.Epoch(), Format: heard, Tap: "camera", Log: kit.Log, Metrics: capture.NewMetrics(kit.Metrics),
	}
	config := service.Config{
		Stopping: kit.Stopping(), NoMicrophone: "set sound: true",
		NoSpeaker: "set speaker: true, if the camera has a loudspeaker",
		List:      func() ([]*audiov1.SoundDevice, error) { return nil, nil },
	}
	if c.Sound {
		s.microphone = microphone.New(microphone.Config{Format: heard, Changed: s.changed, Log: kit.Log})
		s.pipeline = capture.New(pipelines)
		s.audio = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{Absent: true})
		config.Microphone = s.pipeline
	}
	if c.Speaker {
		pipelines.Tap = "speaker"
		var err error
		if s.speech, err = newSpeech(kit, capture.New(pipelines), talk); err != nil {
			return nil, err
		}
		config.Speaker = s.speech.speaker
		kit.BeforeRestart(s.speech.speaker.Mixer.Obstacles)
	}
	s.levels = playout.NewLevels(s.pipeline, config.Speaker)
	s.loudness = device.NewOut[*audiov1.StreamLevelsResponse](kit, "levels", device.OutOptions{Absent: !c.Speaker})
	config.Levels = s.levels
	s.service = service.New(config)
	audiov1.RegisterAudioServiceServer(kit, s.service)
	return s, nil
}

// add takes sound of the camera.
func (s *sound) add(one feed.Sound, captured time.Time) {
	if s.microphone != nil {
		s.microphone.Add(one, captured)
	}
}

// start serves listeners until stop is called, with the reason, and talkers once connected is called. Listeners over
// gRPC stay in between.
func (s *sound) start(ctx context.Context) (connected func(), stop func(why error)) {
	working, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	if s.microphone != nil {
		parts.Go(func() { _ = s.pipeline.Run(working, s.microphone) }) // ends with its context: the microphone never fails
		parts.Go(func() {
			device.Serve(working, s.audio, func() (*capture.Reader, error) { return s.pipeline.Open(nil, 0) })
		})
	}
	parts.Go(func() { _ = s.levels.Run(working) }) // ends with its context
	parts.Go(func() {
		device.Serve(working, s.loudness, func() (*stream.Subscription[*audiov1.StreamLevelsResponse], error) {
			return s.levels.Subscribe(), nil
		})
	})
	connected = func() {
		s.connected()
		if s.speech != nil {
			s.service.Speaker.Attach()
			parts.Go(func() { s.speech.run(working, s.service.Speaker) })
		}
	}
	return connected, func(why error) {
		cancel()
		parts.Wait()
		s.disconnected(why)
		if ctx.Err() != nil {
			s.end()
		}
	}
}

// end is for good: it ends the calls in progress.
func (s *sound) end() {
	s.levels.Close()
	if s.microphone != nil {
		s.pipeline.Close()
	}
	if s.speech != nil {
		s.speech.speaker.Close()
	}
}

// connected notes that there are pictures, by which time there mostly is sound.
func (s *sound) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.microphone != nil && s.now == nil {
		s.service.Microphone.Detach(errSilent)
		s.kit.SetAttributes(map[string]string{"sound": "none"})
	}
}

// changed notes what the camera sends.
func (s *sound) changed(state microphone.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	here := s.now != nil && s.now.Err == nil
	s.now = &state
	text := state.Text
	switch {
	case state.Err != nil:
		s.service.Microphone.Detach(state.Err)
		text = "none: " + state.Err.Error()
	case !here:
		s.service.Microphone.Attach()
	}
	s.audio.SetPresent(state.Err == nil)
	s.loudness.SetPresent(state.Err == nil || s.speech != nil)
	s.kit.SetAttributes(map[string]string{"sound": text})
}

// disconnected notes that the connection is gone. The streams stay in the description: the sound comes back with the
// pictures.
func (s *sound) disconnected(why error) {
	if s.microphone != nil {
		s.microphone.Forget()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = nil
	s.service.Detach(why)
}
