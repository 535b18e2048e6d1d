package ingest

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/hraban/opus.v2"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// withSpeaker is a camera with a loudspeaker.
func withSpeaker(takes *fakecam.Media) fakecam.Config {
	return withSound(fakecam.Track{Media: takes, BackChannel: true})
}

func talks(c *Config) { c.Speaker = true }

// spoken is a tone at half of full scale, -6 dBFS.
const spoken = 1000

var said = &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: pcm.S16LE, SampleRateHz: pcm.OpusRate, Channels: 1}

// tone is so much of it.
func tone(d time.Duration) *mediav1.AudioFrame {
	samples := tonetest.Sine(spoken, 0.5, pcm.OpusRate, int(d.Seconds()*pcm.OpusRate))
	return &mediav1.AudioFrame{Format: said, Data: pcm.Encode(nil, pcm.S16LE, samples), Talker: "Ann"}
}

// say plays frames, and returns how the call ended.
func (w *world) say(frames ...*mediav1.AudioFrame) (time.Duration, error) {
	w.t.Helper()
	call, err := w.audio.PlayAudio(w.context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range frames {
		if call.Send(&audiov1.PlayAudioRequest{Frame: f}) != nil {
			break // CloseAndRecv says why
		}
	}
	r, err := call.CloseAndRecv()
	return r.GetPlayed().AsDuration(), err
}

func happens(t *testing.T, camera *fakecam.Camera, what fakecam.Kind, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := camera.Await(ctx, what, n); err != nil {
		t.Fatal(err)
	}
}

// heardBy is what a camera has heard, without the silence at its beginning.
func heardBy(camera *fakecam.Camera) (samples []float32) {
	for _, p := range camera.Said() {
		for _, s := range p.Samples {
			if len(samples) > 0 || s > 1000 {
				samples = append(samples, float32(s)/(1<<15))
			}
		}
	}
	return samples
}

// What a program says is heard at the camera; then the back channel is let go.
func TestTalk(t *testing.T) {
	const rate = 16000
	camera := fakecam.Start(t, withSpeaker(fakecam.Tone(fakecam.PCMU, rate)))
	w := start(t, camera, talks)
	w.awaitSpeaker("back channel")
	if n := camera.Count("SETUP"); n != 1 {
		t.Errorf("%d tracks were set up though nobody talks", n)
	}
	played, err := w.say(tone(500*time.Millisecond), tone(500*time.Millisecond))
	if err != nil || (played-time.Second).Abs() > 20*time.Millisecond {
		t.Fatalf("played %v, %v", played, err)
	}
	w.awaitSpeaker("back channel, G.711 µ-law, 16000 Hz mono")
	happens(t, camera, fakecam.TornDown, 1)
	heard := heardBy(camera)
	if len(heard) < rate {
		t.Fatalf("heard %d samples", len(heard))
	}
	m := tonetest.Of(heard[rate/10:rate*8/10], rate)
	if math.Abs(m.Hz-spoken) > 1 || math.Abs(m.Level+6) > 0.5 || m.Pure < 0.98 || len(m.Gaps) > 0 {
		t.Errorf("heard %+v", m)
	}
	w.awaitSpeaker("back channel")
	if n := len(camera.Sessions()); n != 1 {
		t.Errorf("%d sessions are left", n)
	}
}

// awaitSpeaker waits until the description says so of the speaker.
func (w *world) awaitSpeaker(is string) {
	w.t.Helper()
	w.await("the speaker", func(d *devicev1.Device) bool { return d.GetAttributes()["speaker"] == is })
}

// beeps has Ann talk by the bus, as the gateway does for a browser: a beep of 200 ms in every second, until stop is
// called. It returns when each of them began.
func (w *world) beeps() (began func() []time.Time, stop func()) {
	encoder, err := opus.NewEncoder(pcm.OpusRate, 1, opus.AppVoIP)
	if err != nil {
		w.t.Fatal(err)
	}
	var mu sync.Mutex
	var starts []time.Time
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		packet, sine := make([]byte, 1000), tonetest.Sine(spoken, 0.5, pcm.OpusRate, 960)
		for i := int64(0); ; i++ {
			samples := sine
			if i%50 >= 10 {
				samples = make([]float32, 960)
			}
			n, err := encoder.EncodeFloat32(samples, packet)
			if err == nil {
				err = w.bus.Publish(w.address.In("speaker"), &mediav1.AudioFrame{
					Epoch: 5, Sequence: i, SampleIndex: i * 960, SampleCount: 960, Talker: "Ann", Data: packet[:n],
					Format:      &mediav1.AudioFormat{MediaType: pcm.Opus, SampleRateHz: pcm.OpusRate, Channels: 1},
					CaptureTime: timestamppb.Now(),
				})
			}
			if err != nil {
				w.t.Error(err)
				return
			}
			if i%50 == 0 {
				mu.Lock()
				starts = append(starts, time.Now())
				mu.Unlock()
			}
			select {
			case <-tick.C:
			case <-ended:
				return
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(ended); <-done })
	w.t.Cleanup(stop)
	return func() []time.Time { mu.Lock(); defer mu.Unlock(); return slices.Clone(starts) }, stop
}

// onsets are when the beeps came that a camera of 8 kHz heard.
func onsets(camera *fakecam.Camera) (came []time.Time) {
	quiet := 8000
	for _, p := range camera.Said() {
		for i, s := range p.Samples {
			if s < 3000 && s > -3000 {
				quiet++
				continue
			}
			if quiet > 2400 {
				came = append(came, p.Arrival.Add(time.Duration(i)*time.Second/8000))
			}
			quiet = 0
		}
	}
	return came
}

// What a browser says comes soon, and goes on when the camera hangs up. Everybody can see who it is.
func TestTalkByTheBus(t *testing.T) {
	camera := fakecam.Start(t, withSpeaker(fakecam.Tone(fakecam.PCMU, 8000)))
	w := start(t, camera, func(c *Config) { c.Speaker, c.Sound = true, false })
	levels := hold[*audiov1.StreamLevelsResponse](w, "levels")
	began, stop := w.beeps()
	hears := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(patience); len(onsets(camera)) < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("heard %d beeps of %d; %d were said", len(onsets(camera)), n, len(began()))
			}
		}
	}
	hears(2)
	for seen := false; !seen; {
		l, err := levels.Next(w.context())
		if err != nil {
			t.Fatal(err)
		}
		seen = len(l.GetTalkers()) == 1 && l.GetTalkers()[0].GetName() == "Ann" && l.GetSpeaker().GetRmsDbfs() > -20
	}
	camera.Drop()
	hears(4)
	stop()
	happens(t, camera, fakecam.TornDown, 1)
	for _, came := range onsets(camera) {
		delay := patience
		for _, b := range began() {
			if d := came.Sub(b); d > 0 {
				delay = min(delay, d)
			}
		}
		if t.Logf("a beep is heard after %v", delay); delay > 700*time.Millisecond {
			t.Errorf("a beep is heard after %v", delay)
		}
	}
	for begin := time.Now(); len(camera.Sessions()) != 1; time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("%d sessions are left", len(camera.Sessions()))
		}
	}
}

// When pictures stay away the back channel goes with the connection, though the camera answers; and comes back with it.
func TestTalkEndsWithThePictures(t *testing.T) {
	camera := fakecam.Start(t, withSpeaker(fakecam.Tone(fakecam.PCMA, 8000)))
	w := start(t, camera, talks)
	_, stop := w.beeps()
	happens(t, camera, fakecam.Spoken, 10)
	camera.Pause()
	happens(t, camera, fakecam.TornDown, 2)
	if n := camera.Count(fakecam.Opened); n > 3 { // the third is the next attempt to see pictures
		t.Errorf("%d sessions were opened", n)
	}
	_, err := w.say(tone(time.Second))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("saying something meanwhile: %v", err)
	}
	before := camera.Count(fakecam.Spoken)
	camera.Resume()
	happens(t, camera, fakecam.Spoken, before+10)
	stop()
}

// A program that is killed leaves no open back channel.
func TestTalkerIsKilled(t *testing.T) {
	camera := fakecam.Start(t, withSpeaker(fakecam.Tone(fakecam.PCMA, 8000)))
	w := start(t, camera, talks)
	ctx, kill := context.WithCancel(t.Context())
	call, err := w.audio.PlayAudio(ctx)
	if err == nil {
		err = call.Send(&audiov1.PlayAudioRequest{Frame: tone(10 * time.Second)})
	}
	if err != nil {
		t.Fatal(err)
	}
	happens(t, camera, fakecam.Spoken, 10)
	kill()
	happens(t, camera, fakecam.TornDown, 1)
	if n := len(camera.Sessions()); n != 1 {
		t.Errorf("%d sessions are left", n)
	}
}

// A camera that cannot be talked through says why, is asked once, and shows its pictures.
func TestTalkThatIsNotPossible(t *testing.T) {
	for name, says := range map[string]string{
		"backchannel-551": "it has no back channel (551 to DESCRIBE): look for two-way audio",
		"backchannel-aac": "takes only MPEG4-GENERIC: set the camera's sound to G.711",
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := fakecam.BehaviourNamed(name)
			camera := fakecam.Start(t, b.Config)
			w := start(t, camera, talks)
			for range 3 {
				if _, err := w.say(tone(time.Second)); status.Code(err) != codes.Unavailable ||
					!strings.Contains(err.Error(), says) {
					t.Errorf("saying something: %v", err)
				}
			}
			if got := w.process.Kit().Device().GetAttributes()["speaker_problem"]; !strings.Contains(got, says) {
				t.Errorf("the problem is %q", got)
			}
			_, stop := w.beeps()
			pictures := hold[*mediav1.VideoFrame](w, "video")
			for range 10 {
				if _, err := pictures.Next(w.context()); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if n := camera.Count("DESCRIBE"); n != 2 {
				t.Errorf("the camera was asked %d times, want once with and once without the back channel", n)
			}
		})
	}
}

// A back channel that somebody else holds is had when they have finished.
func TestTalkAfterSomebodyElse(t *testing.T) {
	camera := fakecam.Start(t, withSpeaker(fakecam.Tone(fakecam.PCMA, 8000)))
	w := start(t, camera, talks)
	at, err := address.Parse(camera.URL(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	other, err := rtsp.Open(w.context(), rtsp.Config{Address: at})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	theirs, err := other.Talk(w.context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.say(tone(time.Second)); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), "somebody else") {
		t.Errorf("saying something: %v", err)
	}
	if err := theirs.Close(); err != nil {
		t.Error(err)
	}
	w.beeps()
	happens(t, camera, fakecam.Spoken, 10)
	w.await("no problem any more", func(d *devicev1.Device) bool {
		return d.GetAttributes()["speaker_problem"] == "" && d.GetAttributes()["speaker"] != "back channel"
	})
}
