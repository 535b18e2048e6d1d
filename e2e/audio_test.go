package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/tonetest"
)

const (
	hz    = 660
	voice = `voice: {kind: audio, source: tone, toneHz: 660, speaker: "null"}`
)

// ear records sound, in a page or at the robot.
type ear interface {
	Heard(testing.TB) harness.Heard
}

// listen makes the page listen to a device, without its buttons.
func listen(tb testing.TB, page *harness.Page, device string) {
	tb.Helper()
	harness.Eval[any](tb, page, `(() => {
	  window.listening = waldo.robot.audio($1).listen();
	  const player = Object.assign(new Audio(), { srcObject: listening.stream, autoplay: true });
	  document.body.append(player);
	})()`, device)
	page.Until(tb, "waldo.robot.audio($1).hearing.state === 'live'", device)
}

// talk makes the page send what its microphone hears, unprocessed: filters made for voices treat tones as noise.
func talk(tb testing.TB, page *harness.Page, device string) {
	tb.Helper()
	harness.Eval[any](tb, page, `(async () => {
	  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
	  window.mic ??= (await navigator.mediaDevices.getUserMedia({ audio })).getAudioTracks()[0];
	  window.talk = waldo.robot.audio($1).talk(mic);
	})()`, device)
	page.Until(tb, "waldo.robot.audio($1).talking.state === 'live'", device)
}

// exact is how far a tone may be off. The robot plays received sound a little faster until the delay is on target, by
// hurried at most.
const exact, hurried = 0.001, 0.005

// asMade fails for a tone that differs from the original: its frequency within a share of hz, a peak of -12 dBFS,
// pure, and without gaps.
func asMade(samples []float32, hz, share float64) error {
	m := tonetest.Of(samples, harness.EarRate)
	m.Pure = 1
	for part := range slices.Chunk(samples, harness.EarRate/5) {
		if len(part) == harness.EarRate/5 {
			m.Pure = min(m.Pure, tonetest.Of(part, harness.EarRate).Pure) // a tone that glides is no less pure
		}
	}
	if math.Abs(m.Hz-hz) > share*hz || math.Abs(m.Level+12) > 1 || m.Pure < 0.98 || len(m.Gaps) > 0 {
		return fmt.Errorf("heard %.2f Hz, %.2f dBFS, purity %.4f, gaps %v; want %v Hz, -12 dBFS, pure and without gaps",
			m.Hz, m.Level, m.Pure, m.Gaps, hz)
	}
	return nil
}

// mustBe waits until the tone has been received unchanged for some time. An overloaded machine may lose a piece before
// that.
func mustBe(tb testing.TB, e ear, hz, share float64, d time.Duration) {
	tb.Helper()
	began := time.Now()
	begin, n := len(e.Heard(tb).Samples), int(d.Seconds()*harness.EarRate)
	harness.Until(tb, "a tone", func() error {
		heard := e.Heard(tb).Samples[begin:]
		if len(heard) < n {
			return fmt.Errorf("heard %d samples of %d", len(heard), n)
		}
		return asMade(heard[len(heard)-n:], hz, share)
	})
	tb.Logf("%v of %v Hz as they were made, after %v", d, hz, time.Since(began).Round(time.Millisecond))
}

// TestListen checks that Chromium receives the robot's tone unchanged, and that the robot encodes once for two
// listeners and not at all without listeners.
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
		mustBe(t, page.Hear(t, "listening.track"), hz, exact, 3*time.Second)
	}
	if n, most := packets()-before, time.Since(began).Seconds()*50*1.1; n > most {
		t.Errorf("%v packets encoded for two listeners, want at most %.0f: one in 20 ms", n, most)
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

// TestTalk feeds a tone to Chromium's microphone, and checks that it reaches the robot's speaker unchanged.
func TestTalk(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	speaker := harness.HearRobot(t, robot.Device(t, "voice"), audiov1.AudioTap_AUDIO_TAP_SPEAKER)
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Minute))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	talk(t, page, "voice")
	mustBe(t, speaker, 1000, hurried, 3*time.Second)
	harness.Eval[any](t, page, "void (window.levels = waldo.robot.audio('voice').levels)")
	page.Until(t, "levels.now?.talkers.length === 1 && Math.abs(levels.now.speaker.rmsDb + 12) < 1")

	harness.Eval[any](t, page, "talk.stop()")
	page.Until(t, "levels.now?.talkers.length === 0 && levels.now.speaker.peakDb === -100")
}

// TestSoundOfThePage uses the page as people do: Listen, hold Talk, release it, and switch tabs while holding it.
func TestSoundOfThePage(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	speaker := harness.HearRobot(t, robot.Device(t, "voice"), audiov1.AudioTap_AUDIO_TAP_SPEAKER)
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Minute))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	const panel = "#sounds [data-device=voice]"
	state := func(what, want string) {
		t.Helper()
		page.Until(t, "document.querySelector($1).dataset[$2] === $3", panel, what, want)
	}
	loud := func(meter string, atLeast, atMost float64) {
		t.Helper()
		page.Until(t, "((db) => db >= $2 && db <= $3)(Number(document.querySelector($1).dataset.db))",
			panel+" [data-meter="+meter+"]", atLeast, atMost)
	}
	page.Click(t, panel+" .listen")
	state("hearing", "live")
	loud("microphone", -13, -11)
	mustBe(t, page.Hear(t, "document.querySelector('.sound audio').srcObject.getAudioTracks()[0]"), hz, exact, time.Second)

	page.Click(t, panel+" .clean input") // otherwise a tone counts as noise
	page.Press(t, "KeyT")
	state("talking", "live")
	mustBe(t, speaker, 1000, hurried, time.Second)
	loud("speaker", -13, -11)
	page.Until(t, "JSON.parse(document.querySelector($1).dataset.talkers).length === 1", panel+" .talkers")
	page.Release(t, "KeyT")
	state("talking", "off")
	loud("speaker", -100, -100)
	page.Until(t, "JSON.parse(document.querySelector($1).dataset.talkers).length === 0", panel+" .talkers")

	page.Press(t, "KeyT")
	state("talking", "live")
	uncover := page.Cover(t)
	page.Until(t, "document.hidden")
	harness.Until(t, "a hidden page sends no sound", func() error {
		if m := tonetest.Of(speaker.Heard(t).Last(300*time.Millisecond), harness.EarRate); m.Peak > -100 {
			return fmt.Errorf("%.0f dBFS", m.Peak)
		}
		return nil
	})
	uncover()
	state("talking", "off")
	state("hearing", "live")
	page.Click(t, panel+" .listen")
	state("hearing", "off")
}

// TestAudioCrash kills the audio process: the connection and the track stay, and sound returns both ways.
func TestAudioCrash(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Minute))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	listen(t, page, "voice")
	talk(t, page, "voice")
	hears := page.Hear(t, "listening.track")
	mustBe(t, hears, hz, exact, time.Second)
	before := harness.Eval[[]string](t, page, "[String(peers.length), peers.at(-1).currentRemoteDescription.sdp, "+
		"listening.track.id]")
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
		mustBe(t, hears, hz, exact, time.Second)
		mustBe(t, harness.HearRobot(t, now, audiov1.AudioTap_AUDIO_TAP_SPEAKER), 1000, hurried, time.Second)
	}
	after := harness.Eval[[]string](t, page, "[String(peers.length), peers.at(-1).currentRemoteDescription.sdp, "+
		"listening.track.id]")
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("the connection or the track changed: %s, then %s", before[i], after[i])
		}
	}
}

// TestAudioLoss drops 5 % of all datagrams at random. Of two devices that send the same sound, Chromium conceals far
// less of the one with in-band FEC; and the robot repairs Chromium's sound by FEC too.
func TestAudioLoss(t *testing.T) {
	network := harness.StartNetwork(t)
	speech := harness.Voice(t)
	const yaml = `%s: {kind: audio, source: %q, speaker: "null", fec: %v}`
	robot := harness.StartRobot(t, harness.Options{Network: network,
		Devices: fmt.Sprintf(yaml, "with", speech, true) + "\n" + fmt.Sprintf(yaml, "without", speech, false)})
	secure := chromedp.Flag("unsafely-treat-insecure-origin-as-secure", robot.URL) // otherwise there is no microphone
	page := harness.StartBrowser(t, harness.WithMicrophone(speech), secure).Open(t, robot.URL+"/?token="+harness.Token)
	awaitPage(t, page)
	listen(t, page, "without")
	harness.Eval[any](t, page, "void (window.plain = window.listening)")
	listen(t, page, "with")
	talk(t, page, "with")
	before := steady(t, page)
	network.Lose(t, 5)
	var lost map[string]received
	harness.Until(t, "enough was lost", func() error {
		if lost = since(before, sounds(t, page)); min(lost["listening"].PacketsLost, lost["plain"].PacketsLost) < 40 {
			return fmt.Errorf("%+v", lost)
		}
		return nil
	})
	t.Logf("%+v", lost)
	with, without := lost["listening"], lost["plain"]
	// On a busy machine packets are late, too, and conceal as much of both.
	saved := without.ConcealedSamples/without.TotalSamplesReceived - with.ConcealedSamples/with.TotalSamplesReceived
	missed := without.PacketsLost * 960 / without.TotalSamplesReceived
	if saved < missed/2 {
		t.Errorf("FEC repairs %.2f %% of the sound: want at least half of the %.2f %% that are lost", 100*saved, 100*missed)
	}
	repairs(t, robot)
}

// received is what Chromium counts of a track's packets and samples.
type received struct {
	PacketsLost, PacketsReceived, ConcealedSamples, TotalSamplesReceived, FecPacketsReceived float64
}

// sounds are the counts of the page's two tracks.
func sounds(t *testing.T, page *harness.Page) map[string]received {
	t.Helper()
	return harness.Eval[map[string]received](t, page, `(async () => {
	  const of = async (track) => {
	    const receiver = peers.at(-1).getReceivers().find((r) => r.track === track);
	    return [...(await receiver.getStats()).values()].find((s) => s.type === 'inbound-rtp');
	  };
	  return { listening: await of(listening.track), plain: await of(plain.track) };
	})()`)
}

// steady waits until the tracks have come without a loss for a second, and returns their counts then.
func steady(t *testing.T, page *harness.Page) (now map[string]received) {
	t.Helper()
	from := sounds(t, page)
	harness.Until(t, "the sound comes without losses", func() error {
		now = sounds(t, page)
		for name, d := range since(from, now) {
			if d.PacketsLost != 0 {
				from = now
			}
			if d.PacketsLost != 0 || d.PacketsReceived < 50 {
				return fmt.Errorf("%s: %+v", name, d)
			}
		}
		return nil
	})
	return now
}

// since are the differences of counts.
func since(before, now map[string]received) map[string]received {
	differences := map[string]received{}
	for name, n := range now {
		b := before[name]
		differences[name] = received{n.PacketsLost - b.PacketsLost, n.PacketsReceived - b.PacketsReceived,
			n.ConcealedSamples - b.ConcealedSamples, n.TotalSamplesReceived - b.TotalSamplesReceived,
			n.FecPacketsReceived - b.FecPacketsReceived}
	}
	return differences
}

// repairs checks that the robot repairs the sound it receives, once Chromium has noticed the loss and sends redundant
// copies.
func repairs(t *testing.T, robot *harness.Robot) {
	t.Helper()
	device := robot.Device(t, "with")
	count := func() (fec, plc float64) {
		const name = "waldo_audio_packets_concealed_total"
		return robot.Metric(t, device, name, `by="fec"`), robot.Metric(t, device, name, `by="plc"`)
	}
	more := func(fec, plc, atLeast float64) (byFEC, byPLC float64) {
		harness.Until(t, "packets were lost", func() error {
			f, p := count()
			if byFEC, byPLC = f-fec, p-plc; byFEC+byPLC < atLeast {
				return fmt.Errorf("%v rebuilt, %v concealed", byFEC, byPLC)
			}
			return nil
		})
		return byFEC, byPLC
	}
	harness.Until(t, "Chromium sends copies", func() error {
		if fec, plc := count(); fec < 5 {
			return fmt.Errorf("%v rebuilt, %v concealed", fec, plc)
		}
		return nil
	})
	fec, plc := count()
	fec, plc = more(fec, plc, 30)
	t.Logf("at the robot %v packets were rebuilt, %v concealed", fec, plc)
	if fec < plc {
		t.Errorf("at the robot %v packets were rebuilt and %v concealed", fec, plc)
	}
}

// TestPythonSound runs the example that records and plays: the tone arrives unchanged in the recorded file, and a tone
// in another file comes unchanged out of the speaker.
func TestPythonSound(t *testing.T) {
	python := python(t)
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	device := robot.Device(t, "voice")
	file := filepath.Join(t.TempDir(), "said.wav")
	t.Log(harness.Run(t, nil, python, "../examples/python/sound.py", device.GRPCAddress, "record", file, "2"))
	const header, rate, seconds = 44, 16_000, 2
	data, err := os.ReadFile(file)
	if err != nil || len(data) < header+2*rate*seconds {
		t.Fatalf("%d bytes recorded, %v", len(data), err)
	}
	samples := make([]float32, 0, rate*seconds)
	for b := range slices.Chunk(data[header:], 2) {
		samples = append(samples, float32(int16(binary.LittleEndian.Uint16(b)))/math.MaxInt16)
	}
	if m := tonetest.Of(samples, rate); math.Abs(m.Hz-hz) > 0.5 || math.Abs(m.Level+12) > 0.5 || m.Pure < 0.99 ||
		len(m.Gaps) > 0 {
		t.Errorf("recorded %+v", m)
	}

	speaker := harness.HearRobot(t, device, audiov1.AudioTap_AUDIO_TAP_SPEAKER)
	played := harness.Run(t, nil, python, "../examples/python/sound.py", device.GRPCAddress, "play",
		harness.WriteWAV(t, harness.Sine(1000, 0.25, 3*time.Second)))
	if !strings.Contains(played, "played 3.00 s") {
		t.Error(played)
	}
	if err := asMade(loud(speaker.Heard(t).Samples), 1000, exact); err != nil {
		t.Error(err)
	}
}

// loud is the sound without its first and last 50 ms, which fade.
func loud(samples []float32) []float32 {
	const fade = harness.EarRate / 20
	sounds := func(s float32) bool { return s != 0 }
	first := slices.IndexFunc(samples, sounds)
	last := len(samples) - 1
	for last >= 0 && !sounds(samples[last]) {
		last--
	}
	if first < 0 || last-first < 2*fade {
		return nil
	}
	return samples[first+fade : last-fade]
}
