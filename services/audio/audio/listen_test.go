package audio

import (
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// checkTone measures mono sound.
func checkTone(t *testing.T, what string, samples []float32, rate int, hz, level float64) {
	t.Helper()
	m := tonetest.Of(samples, rate)
	if math.Abs(m.Hz-hz) > hz/200 || math.Abs(m.Level-level) > 0.5 || len(m.Gaps) > 0 {
		t.Errorf("%s: %+v, want %v Hz at %v dBFS without gaps", what, m, hz, level)
	}
}

func TestListen(t *testing.T) {
	w := start(t, small())
	s := w.listen(&audiov1.StreamAudioRequest{Format: raw(pcm.F32LE, 16000, 1), BlockSamples: 160})
	got := w.hear(s, 600*time.Millisecond)
	checkTone(t, "microphone", got[1600:], 16000, 440, -12)

	opus := w.listen(&audiov1.StreamAudioRequest{})
	for i := range int64(10) {
		r, err := opus.Recv()
		if err != nil {
			t.Fatal(err)
		}
		f := r.GetFrame()
		if f.GetEpoch() != w.process.Kit().Epoch() || f.GetSequence() != i || f.GetFormat().GetMediaType() != pcm.Opus ||
			f.GetSampleCount() != 960 {
			t.Errorf("packet %d: %d of epoch %d, %v, %d samples", i, f.GetSequence(), f.GetEpoch(), f.GetFormat(),
				f.GetSampleCount())
		}
	}
}

// A listener that does not read loses sound, and is told how much; another one loses nothing. Little sound, and one
// packet in flight: so the eager one keeps up on a busy machine, and no buffer on the way hides that the other does
// not.
func TestListenerThatDoesNotRead(t *testing.T) {
	w := start(t, small())
	wanted := &audiov1.StreamAudioRequest{Format: raw(pcm.S16LE, 8000, 1), BlockSamples: 160}
	lazy, err := w.dial(grpc.WithStreamInterceptor(inflight.Acknowledging(1))).StreamAudio(w.context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lazy.Recv(); err != nil { // from now on it misses something
		t.Fatal(err)
	}
	eager := w.listen(wanted)
	for heard := 0; heard < 8000; { // a second, of which the lazy one is owed a half
		r, err := eager.Recv()
		if err != nil || r.GetDroppedCount() != 0 {
			t.Fatalf("the one who reads lost %d, %v", r.GetDroppedCount(), err)
		}
		heard += int(r.GetFrame().GetSampleCount())
	}
	for dropped := int64(0); dropped == 0; {
		r, err := lazy.Recv()
		if err != nil {
			t.Fatalf("nothing was dropped: %v", err)
		}
		dropped = r.GetDroppedCount()
	}
}

func TestBadListeners(t *testing.T) {
	w := start(t, small())
	for name, test := range map[string]struct {
		request *audiov1.StreamAudioRequest
		says    string
	}{
		"media type": {&audiov1.StreamAudioRequest{Format: &mediav1.AudioFormat{MediaType: "audio/mp3"}}, "media_type"},
		"rate":       {&audiov1.StreamAudioRequest{Format: raw("", 1, 1)}, "sample_rate_hz"},
		"channels":   {&audiov1.StreamAudioRequest{Format: raw("", 0, 5)}, "channels"},
		"sample":     {&audiov1.StreamAudioRequest{Format: raw("S24LE", 0, 0)}, "sample_format"},
		"block":      {&audiov1.StreamAudioRequest{Format: raw("", 0, 0), BlockSamples: 1 << 30}, "block_samples"},
		"tap":        {&audiov1.StreamAudioRequest{Tap: 77}, "tap"},
	} {
		_, err := w.listen(test.request).Recv()
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want InvalidArgument about %s", name, err, test.says)
		}
	}
}

// What is not configured is not there, and the error names the key.
func TestHalfADevice(t *testing.T) {
	deaf, dumb := small(), small()
	deaf.Source, dumb.Speaker = none, none
	loud := &audiov1.Volume{GainDb: 1}
	for key, config := range map[string]Config{"source": deaf, "speaker": dumb} {
		t.Run(key, func(t *testing.T) {
			w := start(t, config)
			var errs []error
			if key == "source" {
				_, err := w.listen(&audiov1.StreamAudioRequest{}).Recv()
				_, set := w.audio.SetVolume(w.context(), &audiov1.SetVolumeRequest{Microphone: loud})
				errs = append(errs, err, set)
			} else {
				_, err := w.listen(&audiov1.StreamAudioRequest{Tap: audiov1.AudioTap_AUDIO_TAP_SPEAKER}).Recv()
				_, set := w.audio.SetVolume(w.context(), &audiov1.SetVolumeRequest{Speaker: loud})
				_, play := w.say()
				errs = append(errs, err, set, play)
			}
			for _, err := range errs {
				if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), key) {
					t.Errorf("%v, want FailedPrecondition with %s", err, key)
				}
			}
			levels, err := w.audio.StreamLevels(w.context(), &audiov1.StreamLevelsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := levels.Recv()
			if err != nil || (l.GetMicrophone() == nil) != (key == "source") || (l.GetSpeaker() == nil) != (key == "speaker") {
				t.Errorf("levels %v, %v", l, err)
			}
		})
	}
}

func TestVolume(t *testing.T) {
	w := start(t, small())
	for name, gain := range map[string]float64{"too loud": 20.1, "too quiet": -60.1, "no number": math.NaN(),
		"endless": math.Inf(1)} {
		_, err := w.audio.SetVolume(w.context(), &audiov1.SetVolumeRequest{Microphone: &audiov1.Volume{GainDb: -3},
			Speaker: &audiov1.Volume{GainDb: gain}})
		if status.Code(err) != codes.OutOfRange || !strings.Contains(err.Error(), "speaker.gain_db") ||
			!strings.Contains(err.Error(), "-60 to 20") {
			t.Errorf("%s: %v, want OutOfRange", name, err)
		}
	}
	v, err := w.audio.GetVolume(w.context(), &audiov1.GetVolumeRequest{})
	if err != nil || v.GetMicrophone().GetGainDb() != 0 || v.GetSpeaker().GetGainDb() != 0 {
		t.Errorf("after refusals: %v, %v; want that nothing has changed", v, err)
	}
	set, err := w.audio.SetVolume(w.context(), &audiov1.SetVolumeRequest{Microphone: &audiov1.Volume{GainDb: -20}})
	if err != nil || set.GetMicrophone().GetGainDb() != -20 || set.GetSpeaker().GetGainDb() != 0 {
		t.Fatalf("SetVolume: %v, %v", set, err)
	}
	s := w.listen(&audiov1.StreamAudioRequest{Format: raw(pcm.F32LE, 0, 0)})
	got := w.hear(s, 500*time.Millisecond)
	checkTone(t, "quieter", got[len(got)/2:], 48000, 440, -32)
	if _, err := w.audio.SetVolume(w.context(),
		&audiov1.SetVolumeRequest{Microphone: &audiov1.Volume{Muted: true}}); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		if m := tonetest.Of(w.hear(s, 10*time.Millisecond), 48000); m.Peak == pcm.Silence {
			break
		}
		if time.Since(begin) > patience {
			t.Fatal("muted, but not silent")
		}
	}
}

// A card that is pulled under both a talker and a listener.
func TestUnplugged(t *testing.T) {
	w := start(t, small())
	s := w.listen(&audiov1.StreamAudioRequest{Format: raw(pcm.F32LE, 0, 0)})
	for range 2 {
		w.hear(s, 100*time.Millisecond)
		talker := w.talk()
		f := raw(pcm.S16LE, 48000, 1)
		if err := talker.Send(&audiov1.PlayAudioRequest{Frame: &mediav1.AudioFrame{Format: f,
			Data: sine(1000, f, 10*time.Second)}}); err != nil {
			t.Fatal(err)
		}
		w.await("sound", func() bool { return w.card.length() > 0 })
		w.card.pull()
		if err := talker.RecvMsg(&audiov1.PlayAudioResponse{}); status.Code(err) != codes.Unavailable ||
			!strings.Contains(err.Error(), errPulled.Error()) {
			t.Errorf("a talker got %v, want Unavailable and why", err)
		}
		w.await("away", w.state(away))
		_, talk := w.say(&mediav1.AudioFrame{Format: f})
		_, listen := w.listen(&audiov1.StreamAudioRequest{}).Recv()
		for what, err := range map[string]error{"talk": talk, "listen": listen} {
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), errPulled.Error()) {
				t.Errorf("%s while it is away: %v, want Unavailable and why", what, err)
			}
		}
		if _, err := w.audio.GetVolume(w.context(), &audiov1.GetVolumeRequest{}); err != nil {
			t.Errorf("GetVolume while it is away: %v", err)
		}
		w.card.plug()
		w.await("ready again", w.state(ready))
		w.card.played()
	}
	w.hear(s, 300*time.Millisecond)
}

func TestListDevices(t *testing.T) {
	w := start(t, small())
	w.await("on the bus", func() bool {
		_, err := w.onBus.ListDevices(t.Context(), &audiov1.ListDevicesRequest{})
		return err == nil
	})
	for name, client := range map[string]audiov1.AudioServiceClient{"gRPC": w.audio, "bus": w.onBus} {
		r, err := client.ListDevices(w.context(), &audiov1.ListDevicesRequest{})
		if err != nil || len(r.GetDevices()) != 1 || r.GetDevices()[0].GetName() != "the test's card" {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}
