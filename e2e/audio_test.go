package e2e

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/services/audio/tonetest"
)

const (
	hz    = 660
	voice = `voice: {kind: audio, source: tone, toneHz: 660, speaker: "null"}`
)

// ear hears, in a page or at the robot.
type ear interface {
	Heard(testing.TB) harness.Heard
}

// listen has the page listen to a device, without its buttons.
func listen(tb testing.TB, page *harness.Page, device string) {
	tb.Helper()
	harness.Eval[any](tb, page, `(() => {
	  window.listening = waldo.robot.audio($1).listen();
	  const player = Object.assign(new Audio(), { srcObject: listening.stream, autoplay: true });
	  document.body.append(player);
	})()`, device)
	page.Until(tb, "waldo.robot.audio($1).hearing.state === 'live'", device)
}

// talk has the page say what its microphone hears, all of it: what is made for voices takes tones for noise.
func talk(tb testing.TB, page *harness.Page, device string) {
	tb.Helper()
	harness.Eval[any](tb, page, `(async () => {
	  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
	  window.mic ??= (await navigator.mediaDevices.getUserMedia({ audio })).getAudioTracks()[0];
	  window.talk = waldo.robot.audio($1).talk(mic);
	})()`, device)
	page.Until(tb, "waldo.robot.audio($1).talking.state === 'live'", device)
}

// tone waits until there is a tone, and returns how it is for the next seconds.
func tone(tb testing.TB, e ear, d time.Duration) tonetest.Measure {
	tb.Helper()
	const settle = 500 * time.Millisecond
	harness.Until(tb, "a tone", func() error {
		if m := tonetest.Of(e.Heard(tb).Last(settle), harness.EarRate); m.Pure < 0.99 || len(m.Gaps) > 0 {
			return fmt.Errorf("heard %+v", m)
		}
		return nil
	})
	begin := len(e.Heard(tb).Samples)
	harness.Until(tb, "some more of it", func() error {
		if n := len(e.Heard(tb).Samples) - begin; n < int(d.Seconds()*harness.EarRate) {
			return fmt.Errorf("%d samples", n)
		}
		return nil
	})
	return tonetest.Of(e.Heard(tb).Samples[begin:], harness.EarRate)
}

// mustBe fails the test if a tone is not what it was when it was made.
func mustBe(tb testing.TB, got tonetest.Measure, hz, level float64) {
	tb.Helper()
	tb.Logf("%.2f Hz, %.2f dBFS, purity %.4f, gaps %v", got.Hz, got.Level, got.Pure, got.Gaps)
	if math.Abs(got.Hz-hz) > 1 || math.Abs(got.Level-level) > 1 || got.Pure < 0.98 || len(got.Gaps) > 0 {
		tb.Errorf("want %v Hz, %v dBFS, pure and without gaps", hz, level)
	}
}

// TestListen hears the robot's tone in Chromium, as it was made; and the robot encodes once for two who listen, and not at all for none.
func TestListen(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	device := robot.Device(t, "voice")
	browser := harness.StartBrowser(t)
	var pages []*harness.Page
	for range 2 {
		page := browser.Open(t, robot.URL)
		listen(t, page, "voice")
		pages = append(pages, page)
	}
	packets := func() float64 {
		return harness.Metric(t, device.MetricsAddress, "waldo_audio_frames_total", `tap="microphone"`)
	}
	before, began := packets(), time.Now()
	for _, page := range pages {
		mustBe(t, tone(t, page.Hear(t, "listening.track"), 3*time.Second), hz, -12)
	}
	if n, most := packets()-before, time.Since(began).Seconds()*50*1.1; n > most {
		t.Errorf("%v packets encoded for two who listen, want at most %.0f: one in 20 ms", n, most)
	}
	for _, page := range pages {
		harness.Eval[any](t, page, "listening.stop()")
	}
	harness.Until(t, "nothing is encoded when nobody listens", func() error {
		before := packets()
		watchClock(t, robot)
		if n := packets() - before; n > 0 {
			return fmt.Errorf("%v packets", n)
		}
		return nil
	})
}

// TestTalk feeds a tone to Chromium's microphone, and hears it at the robot's speaker as it was.
func TestTalk(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	speaker := harness.HearRobot(t, robot.Device(t, "voice"), audiov1.AudioTap_AUDIO_TAP_SPEAKER)
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, 10*time.Second))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	talk(t, page, "voice")
	mustBe(t, tone(t, speaker, 3*time.Second), 1000, -12)
	harness.Eval[any](t, page, "void (window.levels = waldo.robot.audio('voice').levels)")
	page.Until(t, "levels.current?.talkers.length === 1 && Math.abs(levels.current.speaker.rmsDbfs + 15) < 1")

	harness.Eval[any](t, page, "talk.stop()")
	page.Until(t, "levels.current.talkers.length === 0 && levels.current.speaker.peakDbfs === -100")
}

// TestAudioCrash kills the audio process: same connection, same track, and sound again both ways.
func TestAudioCrash(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, 10*time.Second))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	listen(t, page, "voice")
	talk(t, page, "voice")
	hears := page.Hear(t, "listening.track")
	tone(t, hears, time.Second)
	before := harness.Eval[[]string](t, page, "[String(peers.length), peers.at(-1).currentRemoteDescription.sdp, listening.track.id]")
	for range 3 {
		old := robot.Device(t, "voice")
		harness.Crash(t, old.PID)
		var now harness.Device
		harness.Until(t, "the device is back", func() error {
			if now = robot.Device(t, "voice"); now.Epoch == old.Epoch {
				return errors.New("not yet")
			}
			return nil
		})
		mustBe(t, tone(t, hears, time.Second), hz, -12)
		mustBe(t, tone(t, harness.HearRobot(t, now, audiov1.AudioTap_AUDIO_TAP_SPEAKER), time.Second), 1000, -12)
	}
	after := harness.Eval[[]string](t, page, "[String(peers.length), peers.at(-1).currentRemoteDescription.sdp, listening.track.id]")
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("the connection or the track changed: %s, then %s", before[i], after[i])
		}
	}
}

// TestAudioLoss has the network lose 5 % of all datagrams, by chance. Of two devices that say the same, the one with in-band FEC is concealed far
// less in Chromium; and the robot repairs what Chromium says by FEC too.
func TestAudioLoss(t *testing.T) {
	network := harness.StartNetwork(t)
	speech := harness.WriteWAV(t, tonetest.Speech(20))
	const device = `%s: {kind: audio, source: %q, speaker: "null", fec: %v}`
	robot := harness.StartRobot(t, harness.Options{Network: network,
		Devices: fmt.Sprintf(device, "with", speech, true) + "\n" + fmt.Sprintf(device, "without", speech, false)})
	secure := chromedp.Flag("unsafely-treat-insecure-origin-as-secure", robot.URL) // otherwise there is no microphone
	page := harness.StartBrowser(t, harness.WithMicrophone(speech), secure).Open(t, robot.URL+"/?token="+harness.Token)
	listen(t, page, "without")
	harness.Eval[any](t, page, "void (window.plain = window.listening)")
	listen(t, page, "with")
	talk(t, page, "with")
	network.Lose(t, 5)
	type received struct{ PacketsLost, PacketsReceived, ConcealedSamples, SilentConcealedSamples, TotalSamplesReceived, FecPacketsReceived float64 }
	look := func(listening string) (r received) {
		return harness.Eval[received](t, page, `(async () => {
		  const receiver = peers.at(-1).getReceivers().find((r) => r.track === `+listening+`.track);
		  return [...(await receiver.getStats()).values()].find((s) => s.type === 'inbound-rtp');
		})()`)
	}
	harness.Until(t, "enough was lost", func() error {
		if r := look("listening"); r.PacketsLost < 60 {
			return fmt.Errorf("%v packets", r.PacketsLost)
		}
		return nil
	})
	concealed := map[string]float64{}
	for _, listening := range []string{"listening", "plain"} {
		r := look(listening)
		concealed[listening] = r.ConcealedSamples / r.TotalSamplesReceived
		t.Logf("%s: %+v", listening, r)
	}
	if concealed["listening"] > concealed["plain"]/2 {
		t.Errorf("%.2f %% of the sound was made up with FEC, %.2f %% without: want less than half", 100*concealed["listening"], 100*concealed["plain"])
	}
	address := robot.Device(t, "with").MetricsAddress
	fec := harness.Metric(t, address, "waldo_audio_packets_concealed_total", `by="fec"`)
	plc := harness.Metric(t, address, "waldo_audio_packets_concealed_total", `by="plc"`)
	t.Logf("at the robot %v packets were rebuilt, %v made up", fec, plc)
	if fec < 2*plc || fec < 20 {
		t.Errorf("at the robot %v packets were rebuilt and %v made up", fec, plc)
	}
}
