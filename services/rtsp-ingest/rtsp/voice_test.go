package rtsp_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// speaker is a camera with a loudspeaker.
func speaker() fakecam.Config {
	return fakecam.Config{Tracks: []fakecam.Track{
		{Media: fakecam.Clip("baseline.h264")}, {Media: fakecam.Tone(fakecam.PCMA, 8000), BackChannel: true},
	}}
}

func TestTalk(t *testing.T) {
	udpOnly := speaker()
	udpOnly.Transport.NoTCP = true
	noRange, _ := fakecam.BehaviourNamed("backchannel-range")
	noRange.Config.Tracks = speaker().Tracks
	for name, config := range map[string]fakecam.Config{"TCP": speaker(), "UDP only": udpOnly,
		"no range": noRange.Config} {
		t.Run(name, func(t *testing.T) {
			camera := fakecam.Start(t, config)
			v := view(t, configFor(t, camera))
			next(t, v.pictures)
			if got := len(camera.Sessions()); got != 1 {
				t.Errorf("%d sessions though nobody talks", got)
			}
			voice, err := v.Talk(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := voice.Track(); got.MediaType != feed.PCMA || got.SampleRate != 8000 {
				t.Errorf("it takes %+v", got)
			}
			if _, err := v.Talk(soon(t)); feed.ReasonOf(err) != feed.Full || !strings.Contains(err.Error(), "somebody else") {
				t.Errorf("a second voice: %v", err)
			}
			say(t, camera, voice)
			end(t, voice)
			await(t, camera, fakecam.TornDown, 1)
			next(t, v.pictures)
		})
	}
}

// say says five blocks, and checks what the camera got.
func say(t *testing.T, camera *fakecam.Camera, voice feed.Voice) {
	t.Helper()
	const block = 20 * time.Millisecond
	for i := range 5 {
		if err := voice.Say(make([]byte, 160), time.Hour+time.Duration(i)*block+time.Duration(i)); err != nil {
			t.Error(err)
		}
	}
	await(t, camera, fakecam.Spoken, 5)
	said := camera.Said()
	for i, p := range said {
		if i > 0 && (p.SequenceNumber != said[i-1].SequenceNumber+1 || p.Timestamp != said[i-1].Timestamp+160) ||
			p.Marker != (i == 0) || p.PayloadType != 8 || p.SSRC != said[0].SSRC || len(p.Samples) != 160 {
			t.Errorf("packet %d: %v", i, p)
		}
	}
	for _, size := range []int{0, 1401} {
		if err := voice.Say(make([]byte, size), 0); err == nil {
			t.Errorf("%d bytes were said", size)
		}
	}
}

// end closes a voice, twice.
func end(t *testing.T, voice feed.Voice) {
	t.Helper()
	for range 2 {
		if err := voice.Close(); err != nil {
			t.Error(err)
		}
		if err := voice.Say(make([]byte, 160), 0); err == nil {
			t.Error("a closed voice speaks")
		}
	}
}

// TestTalkingDoesNotEndThePictures: whatever the camera thinks of it.
func TestTalkingDoesNotEndThePictures(t *testing.T) {
	requires := func(r *fakecam.Request, _ int) bool { return r.Header.Get("Require") != "" }
	behaves := func(name string) fakecam.Config {
		b, _ := fakecam.BehaviourNamed(name)
		return b.Config
	}
	full := speaker()
	full.Session.Viewers = 1
	for _, tt := range []struct {
		name, says string
		reason     feed.Reason
		camera     fakecam.Config
	}{
		{"no loudspeaker", "no loudspeaker", feed.Unsupported, fakecam.Config{}},
		{"551", "551", feed.Unsupported, behaves("backchannel-551")},
		{"AAC only", "G.711", feed.Unsupported, behaves("backchannel-aac")},
		{"busy", "somebody else", feed.Full, behaves("backchannel-busy")},
		{"hangs up", "closed", feed.Away,
			fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", When: requires, Hangup: true}}}},
		{"one place", "no room", feed.Full, full},
	} {
		t.Run(tt.name, func(t *testing.T) {
			camera := fakecam.Start(t, tt.camera)
			v := view(t, configFor(t, camera))
			next(t, v.pictures)
			_, err := v.Talk(soon(t))
			if err == nil || !strings.Contains(err.Error(), tt.says) || feed.ReasonOf(err) != tt.reason {
				t.Error(err)
			}
			for range 10 {
				next(t, v.pictures)
			}
		})
	}
}

// A back channel that the camera ends says so, and one that is not wanted any more before it is open leaves nothing.
func TestTalkEnds(t *testing.T) {
	camera := fakecam.Start(t, speaker())
	v := view(t, configFor(t, camera))
	voice, err := v.Talk(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	camera.Drop()
	for err == nil {
		err = voice.Say(make([]byte, 160), 0)
	}
	if feed.ReasonOf(err) != feed.Away || !strings.Contains(err.Error(), "during talking") {
		t.Error(err)
	}
	end(t, voice)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Talk(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("talking is not wanted, and got %v", err)
	}
}

// A camera that keeps the back channel of a process that was killed gives it to the next one.
func TestTalkAfterACrash(t *testing.T) {
	for _, adopts := range []bool{true, false} {
		config := speaker()
		config.Session.Linger, config.Session.Adopt = time.Minute, adopts
		camera := fakecam.Start(t, config)
		c := configFor(t, camera)
		c.Directory = t.TempDir()
		first := view(t, c)
		if _, err := first.Talk(soon(t)); err != nil {
			t.Fatal(err)
		}
		camera.Drop()
		await(t, camera, fakecam.Lost, 2)
		voice, err := view(t, c).Talk(soon(t))
		if !adopts {
			if feed.ReasonOf(err) != feed.Full {
				t.Errorf("talking while a dead voice is held: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		say(t, camera, voice)
		end(t, voice)
		if n := camera.Count(fakecam.Adopted); n != 2 { // that of the pictures too
			t.Errorf("%d sessions were adopted", n)
		}
	}
}

// A camera that does not read what is said makes nobody wait for long.
func TestTalkToADeafCamera(t *testing.T) {
	config := speaker()
	ear, loudspeaker := io.Pipe()
	config.Speaker = loudspeaker
	camera := fakecam.Start(t, config)
	v := view(t, configFor(t, camera))
	voice, err := v.Talk(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ear.Close() })
	var took time.Duration
	for err == nil {
		began := time.Now()
		err = voice.Say(make([]byte, 1400), 0)
		took = time.Since(began)
	}
	if feed.ReasonOf(err) != feed.Away || took < 400*time.Millisecond || took > 30*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	end(t, voice)
	next(t, v.pictures)
}
