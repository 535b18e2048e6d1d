package rtsp_test

import (
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
	camera := fakecam.Start(t, speaker())
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
	for i := range 5 {
		if err := voice.Say(make([]byte, 160), time.Duration(i)*20*time.Millisecond); err != nil {
			t.Error(err)
		}
	}
	await(t, camera, fakecam.Spoken, 5)
	for _, size := range []int{0, 1401} {
		if err := voice.Say(make([]byte, size), 0); err == nil {
			t.Errorf("%d bytes were said", size)
		}
	}
	if err := voice.Close(); err != nil {
		t.Error(err)
	}
	if err := voice.Say(make([]byte, 160), 0); err == nil {
		t.Error("a closed voice speaks")
	}
	if err := voice.Close(); err != nil {
		t.Error(err)
	}
	await(t, camera, fakecam.TornDown, 1)
	next(t, v.pictures)
}

// TestTalkingDoesNotEndThePictures: whatever the camera thinks of it.
func TestTalkingDoesNotEndThePictures(t *testing.T) {
	requires := func(r *fakecam.Request, _ int) bool { return r.Header.Get("Require") != "" }
	full := speaker()
	full.Session.Viewers = 1
	for _, tt := range []struct {
		name, says string
		camera     fakecam.Config
	}{
		{"no loudspeaker", "", fakecam.Config{}},
		{"551", "551", fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", When: requires, Status: 551}}}},
		{"hangs up", "closed", fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", When: requires, Hangup: true}}}},
		{"one place", "no room", full},
	} {
		t.Run(tt.name, func(t *testing.T) {
			camera := fakecam.Start(t, tt.camera)
			v := view(t, configFor(t, camera))
			next(t, v.pictures)
			if _, err := v.Talk(soon(t)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Error(err)
			}
			for range 10 {
				next(t, v.pictures)
			}
		})
	}
}
