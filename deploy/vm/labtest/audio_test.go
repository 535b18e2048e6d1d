package labtest

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// checkTone plays a tone, and checks that the open call receives it at the same pitch and level. Older sound in the
// call comes first.
func checkTone(t *testing.T, a *audio, e *ear, hz float64) {
	t.Helper()
	stop := a.play(hz)
	defer stop()
	for begin := time.Now(); ; {
		heard, peak := e.hear()
		if heard > hz*0.99 && heard < hz*1.01 && peak > 15500 && peak < 17000 {
			t.Logf("heard %.0f Hz at %d", heard, peak)
			return
		}
		if time.Since(begin) > patience/2 {
			t.Fatalf("heard %.0f Hz at %d, want %.0f Hz at 16384", heard, peak, hz)
		}
	}
}

func TestLoopbackCard(t *testing.T) {
	requireLab(t)
	plugLoopback(t)
	a := startAudio(t, firstAddress)
	a.awaitReady()
	checkTone(t, a, a.listen(), 1000)
	r, err := a.audios.ListDevices(a.context(), &audiov1.ListDevicesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range r.GetDevices() {
		found = found || d.GetHost() == "ALSA" && d.GetInputChannels() > 0
	}
	if !found {
		t.Errorf("devices %v, want the card among them", r.GetDevices())
	}
}

// A card that is pulled out while it plays and captures: the listener's call stays open and resumes, the talker's call
// ends, and the process keeps running.
func TestSoundCardUnplugged(t *testing.T) {
	requireLab(t)
	plugLoopback(t)
	a := startAudio(t, firstAddress)
	before := a.awaitReady()
	e := a.listen()
	for _, hz := range []float64{1000, 500} {
		checkTone(t, a, e, hz)
		talking, err := a.audios.PlayAudio(a.context())
		if err != nil {
			t.Fatal(err)
		}
		silence := &mediav1.AudioFrame{Format: rawAudio(), Data: make([]byte, audioRate)}
		if err := talking.Send(&audiov1.PlayAudioRequest{Frame: silence}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		switchLoopback(t, "unbind")
		t.Logf("let go after %.2f s", time.Since(start).Seconds())
		sameProcess(t, before, a.awaitAway("unplugged"))
		if err := talking.RecvMsg(&audiov1.PlayAudioResponse{}); status.Code(err) != codes.Unavailable {
			t.Errorf("PlayAudio under way ended with %v, want Unavailable", err)
		}
		switchLoopback(t, "bind")
		awaitLoopback(t)
		sameProcess(t, before, a.awaitReady())
	}
	checkTone(t, a, e, 1000)
}

// A card that another program uses is busy, not unknown: it is available as soon as that program releases it.
func TestBusySoundCard(t *testing.T) {
	requireLab(t)
	plugLoopback(t)
	first := startAudio(t, firstAddress)
	first.awaitReady()
	e := first.listen()
	checkTone(t, first, e, 1000)
	second := startAudio(t, secondAddress)
	second.awaitAway("busy", "hw:0,")
	e.next() // the first listener continues
	first.stop()
	second.awaitReady()
	checkTone(t, second, second.listen(), 500)
}

func TestMissingSoundCard(t *testing.T) {
	requireLab(t)
	a := startAudio(t, firstAddress)
	before := a.awaitAway(loopbackMicrophone)
	plugLoopback(t)
	sameProcess(t, before, a.awaitReady())
	checkTone(t, a, a.listen(), 1000)
	a.stop() // before the card is unplugged
}

// The capturing end of the card takes the rate of the playing one: it does not offer 48 kHz then, and its sound is
// converted.
func TestSoundCardWithoutTheWantedRate(t *testing.T) {
	requireLab(t)
	plugLoopback(t)
	plays := startAudioAt(t, firstAddress, "none", loopbackSpeaker, "--rate", "44100")
	plays.awaitReady()
	hears := startAudioAt(t, secondAddress, loopbackMicrophone, "none")
	if format := hears.awaitReady().GetAttributes()["microphone_format"]; !strings.HasPrefix(format, "44100 Hz") {
		t.Errorf("the card was opened at %q, want 44100 Hz", format)
	}
	stop := plays.play(1000)
	defer stop()
	if hz, peak := hears.listen().hear(); hz < 990 || hz > 1010 || peak < 15500 || peak > 17000 {
		t.Errorf("heard %.0f Hz at %d, want 1000 Hz at 16384", hz, peak)
	}
}
