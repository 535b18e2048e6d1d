package ingest

import (
	"context"
	"errors"
	"sync"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
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

// sound has a camera heard as a sound card is: by AudioService and the streams audio and levels. They are in the
// device's description as soon as the camera has sent sound that can be decoded. Whatever becomes of the sound, the
// pictures go on.
type sound struct {
	kit        *device.Kit
	microphone *microphone.Microphone
	pipeline   *capture.Pipeline
	levels     *playout.Levels
	service    *service.Service
	audio      *device.Out[*mediav1.AudioFrame]
	loudness   *device.Out[*audiov1.StreamLevelsResponse]

	mu  sync.Mutex
	now *microphone.State // of this connection; nil if it has brought no sound
}

func newSound(kit *device.Kit) *sound {
	s := &sound{kit: kit}
	s.microphone = microphone.New(microphone.Config{Format: heard, Changed: s.changed, Log: kit.Log})
	s.pipeline = capture.New(capture.Config{
		Epoch: kit.Epoch(), Format: heard, Tap: "camera", Log: kit.Log, Metrics: capture.NewMetrics(kit.Metrics),
	})
	s.levels = playout.NewLevels(s.pipeline, nil)
	s.service = service.New(service.Config{
		Microphone: s.pipeline, Levels: s.levels, Stopping: kit.Stopping(),
		NoSpeaker: "nothing can be played at a network camera",
		List:      func() ([]*audiov1.SoundDevice, error) { return nil, nil },
	})
	audiov1.RegisterAudioServiceServer(kit, s.service)
	s.audio = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{Absent: true})
	s.loudness = device.NewOut[*audiov1.StreamLevelsResponse](kit, "levels", device.OutOptions{Absent: true})
	return s
}

// start serves listeners until stop is called, with the reason. Those over gRPC stay in between.
func (s *sound) start(ctx context.Context) (stop func(why error)) {
	working, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { _ = s.pipeline.Run(working, s.microphone) }) // ends with its context: the microphone never fails
	parts.Go(func() { _ = s.levels.Run(working) })                 // the same
	parts.Go(func() {
		device.Serve(working, s.audio, func() (*capture.Reader, error) { return s.pipeline.Open(nil, 0) })
	})
	parts.Go(func() {
		device.Serve(working, s.loudness, func() (*stream.Subscription[*audiov1.StreamLevelsResponse], error) {
			return s.levels.Subscribe(), nil
		})
	})
	return func(why error) {
		s.disconnected(why)
		cancel()
		parts.Wait()
		if ctx.Err() != nil { // for good: ends the calls in progress
			s.levels.Close()
			s.pipeline.Close()
		}
	}
}

// connected notes that there are pictures, by which time there mostly is sound.
func (s *sound) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		s.service.Detach(errSilent)
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
		s.service.Detach(state.Err)
		text = "none: " + state.Err.Error()
	case !here:
		s.service.Attach()
	}
	s.audio.SetPresent(state.Err == nil)
	s.loudness.SetPresent(state.Err == nil)
	s.kit.SetAttributes(map[string]string{"sound": text})
}

// disconnected notes that the connection is gone. The streams stay in the description: the sound comes back with the
// pictures.
func (s *sound) disconnected(why error) {
	s.microphone.Forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = nil
	s.service.Detach(why)
}
