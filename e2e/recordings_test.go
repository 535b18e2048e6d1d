package e2e

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// recordedRover is a robot with a recorder, whose camera paints the time into its pictures.
const recordedRover = `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
	voice: {kind: audio, source: tone}
	motors: {kind: serial, port: sim, control: {safe: {left: 0, right: 0}}, write: "<hh", writeKeys: [left, right]}
	recorder: {kind: recorder}`

// atPlace waits until the recording shows the picture of a place, and returns how long before the place that picture
// was captured, in seconds.
const atPlace = `(async () => {
  const { stage } = waldo.view;
  const video = document.querySelector('.reel video');
  const end = Date.now() + 15000;
  // After the last picture, and in a hole, the one before is shown.
  const off = () => Math.abs(video.currentTime - stage.place);
  const has = () => Array.from(video.buffered, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
  const there = () => has().some(([start, end]) => start <= stage.place && stage.place < end);
  while (video.seeking || off() > (there() ? 0.001 : 0.3) || video.readyState < 2) {
    if (Date.now() > end) {
      const { currentTime, seeking, readyState } = video;
      const found = JSON.stringify({ currentTime, seeking, readyState, has: has() });
      throw new Error('no picture at ' + stage.place + ': ' + found);
    }
    await new Promise(requestAnimationFrame);
  }
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const stamp = waldo.readStamp(video);
  return stamp && $1 + stage.place - stamp.timeUs / 1e6;
})()`

// TestRecordingsPage records a drive with a mark and an e-stop from the robot's page, finds it on the page of the
// recordings, and goes to the mark: the picture that is shown is the one of that moment.
func TestRecordingsPage(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Name: "rover", Devices: recordedRover,
		Drive: "{device: motors, keys: {left: {forward: 200}, right: {forward: 200}}}"})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "front").WaitFrames(t, 30)
	const phase = "document.querySelector('.recorder').dataset.recorder === $1"
	page.Until(t, phase, "idle")
	page.Click(t, ".record")
	page.Until(t, phase, "recording")
	recordFor(t, page, 2)
	begin(t, page)
	recordFor(t, page, 3.5)
	harness.Eval[any](t, page, "document.querySelector('.recorder input').value = 'a dog crosses'")
	page.Click(t, ".recorder form .button")
	page.Until(t, "/Marked: a dog crosses/.test(document.querySelector('.recorder').innerText)")
	page.Click(t, "#estop")
	page.Until(t, "document.querySelector('#estop').dataset.estop === 'latched'")
	recordFor(t, page, recordFor(t, page, 0)+2.5)
	page.Click(t, ".record")
	page.Until(t, phase, "idle")

	page.Click(t, ".record-link")
	page.Until(t, "document.querySelectorAll('#list-rows tr').length === 1")
	page.Click(t, "#list-rows a")
	page.Until(t, "document.querySelector('.recording')?.dataset.state === 'shown'")
	for _, kind := range []string{"drive", "mark", "estop"} {
		page.Until(t,
			"document.querySelector(`.lane-item[data-kind=${$1}]`) && document.querySelector(`.event[data-kind=${$1}]`)",
			kind)
	}
	page.Click(t, ".event[data-kind=drive]")
	page.Until(t,
		`/^waldo audit \S+Z --device motors$/.test(document.querySelector('.audit:not([hidden]) code')?.innerText ?? '')`)
	page.Click(t, ".event[data-kind=mark]")
	page.Until(t, "waldo.view.stage.place > 2 && /name=.*&t=/.test(location.hash)")
	seekRecording(t, page)
	playRecording(t, page)
	downloadRecording(t, page)
	zoomTimeline(t, page)
	fitScreens(t, page)
	missRecording(t, page)

	deleteRecording(t, page)
	page.Until(t, "location.hash === '' && document.querySelectorAll('#list-rows tr').length === 0")
	page.Until(t, "/Nothing recorded yet/.test(document.querySelector('#list-empty').innerText)")
}

// recordFor waits until so many seconds have been recorded, and returns how many have.
func recordFor(t *testing.T, page *harness.Page, seconds float64) (recorded float64) {
	t.Helper()
	harness.Until(t, "the recording is long enough", func() error {
		length := harness.Eval[string](t, page, `waldo.robot.call('recorder', 'waldo.recorder.v1.RecorderService/GetRecorder')
			.then(({ state }) => state.recording?.duration ?? 'nothing is recorded')`)
		d, err := time.ParseDuration(length)
		if recorded = d.Seconds(); err != nil || recorded < seconds {
			return fmt.Errorf("%s of %v s", length, seconds)
		}
		return nil
	})
	return recorded
}

// recordingStart returns when the recording that is open began, as Unix time.
func recordingStart(t *testing.T, page *harness.Page) float64 {
	t.Helper()
	return harness.Eval[float64](t, page, `(async () => {
	  const name = new URLSearchParams(location.hash.slice(1)).get('name');
	  const { recordings } = await waldo.robot.call('recorder', 'waldo.recorder.v1.RecorderService/ListRecordings');
	  return Date.parse(recordings.find((r) => r.name === name).startTime) / 1000;
	})()`)
}

// seekRecording looks at the place that was gone to, and at others.
func seekRecording(t *testing.T, page *harness.Page) {
	t.Helper()
	start := recordingStart(t, page)
	for range 3 { // the mark, then a second later each time
		// A picture is in the recording when it has come to the recorder: a busy machine encodes it late, but a place shows
		// none of its future, and none of seconds ago.
		if late := harness.Eval[float64](t, page, atPlace, start); late < -0.01 || late > 3 {
			t.Errorf("at a place the picture of %.3f s before is shown", late)
		}
		harness.Eval[any](t, page, "waldo.view.skip(0.5)")
	}
}

// inStep tells where picture and sound are, and plays again from a place if it is over.
const inStep = `(() => {
  const media = ['video', 'audio'].map((name) => document.querySelector(name));
  const { place, waiting, playing } = waldo.view.stage;
  if (!playing) {
    waldo.view.go($1);
    waldo.view.toggle();
  }
  const [picture, sound] = media.map((m) => m.currentTime);
  const has = media.map((m) => Array.from(m.buffered, (_, i) => [m.buffered.start(i), m.buffered.end(i)]));
  return { place, waiting, picture, sound, has, over: !playing, paused: media.some((m) => m.paused) };
})()`

// playRecording plays from the mark on: picture and sound in step. The few seconds after the mark may pass before a
// slow test has looked; then they are played again.
func playRecording(t *testing.T, page *harness.Page) {
	t.Helper()
	page.Click(t, ".event[data-kind=mark]")
	from := harness.Eval[float64](t, page, "waldo.view.stage.place")
	page.Click(t, ".play")
	harness.Until(t, "picture and sound play in step", func() error {
		at := harness.Eval[struct {
			Place, Picture, Sound float64
			Waiting, Paused, Over bool
			Has                   [2][][2]float64
		}](t, page, inStep, from)
		if at.Place > from+0.3 && !at.Waiting && !at.Paused && math.Abs(at.Picture-at.Sound) < 0.04 {
			return nil
		}
		return fmt.Errorf("from %v: %+v", from, at)
	})
	page.Until(t, "!waldo.view.stage.playing && waldo.view.stage.place === waldo.view.stage.duration")
	page.Press(t, "KeyJ")
	page.Release(t, "KeyJ")
	page.Until(t, "waldo.view.stage.place < waldo.view.stage.duration")
}

// downloadRecording reads a part of the file by the link that is there for people.
func downloadRecording(t *testing.T, page *harness.Page) {
	t.Helper()
	magic := harness.Eval[string](t, page,
		`fetch(document.querySelector('.files a').href, { headers: { Range: 'bytes=1-4' } })
		.then((answer) => answer.text())`)
	if magic != "MCAP" {
		t.Errorf("the file begins with %q", magic)
	}
}

// missRecording goes to a time at which nothing was recorded: the page says so, and leads to the nearest recording.
func missRecording(t *testing.T, page *harness.Page) {
	t.Helper()
	harness.Eval[any](t, page, "location.hash = '#at=2001-02-03T04:05:06Z'")
	page.Until(t, "/^Nothing was recorded .*2001.* The nearest is /.test(document.querySelector('#list-notice').innerText)")
	page.Click(t, "#list-notice a")
	page.Until(t, "document.querySelector('.recording')?.dataset.state === 'shown' && waldo.view.stage.place === 0")
	page.Until(t, "document.querySelector('#list-notice').hidden")
}

// deleteRecording presses Delete, and again when it asks. The question goes away after some seconds: a slow test is
// asked more than once.
func deleteRecording(t *testing.T, page *harness.Page) {
	t.Helper()
	for asking := true; asking; {
		page.Click(t, ".files > .button")
		asking = harness.Eval[bool](t, page, "document.querySelector('.files > .button')?.dataset.asking === 'true'")
	}
}

// fitScreens looks at the page on a desktop and on a phone.
func fitScreens(t *testing.T, page *harness.Page) {
	t.Helper()
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"recordings-phone", 390, 844}, {"recordings", 1280, 800}} {
		page.Resize(t, screen.width, screen.height)
		page.Until(t, "innerWidth === $1", screen.width)
		if wide := harness.Eval[int64](t, page, "document.documentElement.scrollWidth"); wide > screen.width {
			t.Errorf("%s: the page is %d pixels wide on a screen of %d", screen.name, wide, screen.width)
		}
		if dir := os.Getenv("WALDO_PICTURES"); dir != "" {
			page.Screenshot(t, filepath.Join(dir, screen.name+".png"))
		}
	}
}

// TestRecordingsElsewhere opens the page through a rendezvous server, where nothing but the page itself comes over
// HTTP, while the recording is still being made: the page follows it.
func TestRecordingsElsewhere(t *testing.T) {
	f := startFar(t, harness.Options{Devices: testCamera + `
		recorder: {kind: recorder, when: always}`})
	link := strings.Replace(f.linkWithToken(), "/#", "/recordings#", 1)
	page := harness.StartBrowser(t).Open(t, link)
	page.Until(t, "document.querySelectorAll('#list-rows tr').length === 1")
	if hash := harness.Eval[string](t, page, "location.href"); strings.Contains(hash, "token") {
		t.Errorf("the token is still in the address: %s", hash)
	}
	recordFor(t, page, 5) // of which the last second or two are not in the file yet
	page.Click(t, "#list-rows a")
	page.Until(t, "document.querySelector('.recording')?.dataset.state === 'shown'")
	// The recorder is there before the camera, so the beginning has no picture.
	harness.Eval[any](t, page, "waldo.view.go(waldo.view.stage.duration - 0.5)")
	page.Until(t, "document.querySelector('.reel').dataset.state === 'ready'")
	if late := harness.Eval[float64](t, page, atPlace, recordingStart(t, page)); late < -0.01 || late > 3 {
		t.Errorf("at a place the picture of %.3f s before is shown", late)
	}
	if n := harness.Eval[int](t, page, "document.querySelectorAll('.files a').length"); n != 0 {
		t.Errorf("%d links to files, which cannot be had", n)
	}
	watchGrowing(t, page)
}

// watchGrowing waits until the page shows more of a recording that is being made, and plays what is new.
func watchGrowing(t *testing.T, page *harness.Page) {
	t.Helper()
	before := harness.Eval[struct{ Place, Duration float64 }](t, page,
		"(({ place, duration }) => ({ place, duration }))(waldo.view.stage)")
	page.Until(t,
		"waldo.view.stage.duration > $1 + 2 && document.querySelector('.line-head').getAttribute('aria-valuemax') > $1 + 1.9",
		before.Duration)
	if place := harness.Eval[float64](t, page, "waldo.view.stage.place"); place != before.Place {
		t.Errorf("the page went from %v to %v by itself", before.Place, place)
	}
	page.Click(t, ".live-edge")
	page.Until(t,
		`waldo.view.stage.playing && waldo.view.stage.place > $1 && !document.querySelector('.reel video').paused`,
		before.Duration)
}

// zoomTimeline looks at a part of the timeline with keys and buttons, and at all of it again.
func zoomTimeline(t *testing.T, page *harness.Page) {
	t.Helper()
	harness.Eval[any](t, page, "document.querySelector('.line-head').focus()")
	page.Press(t, "Equal")
	page.Release(t, "Equal")
	page.Until(t, "/ to /.test(document.querySelector('.line-span').textContent)")
	page.Click(t, ".line-tools [aria-label^='Zoom in']")
	page.Click(t, ".line-head")
	// What is left of the timeline has the place in it, and an event there is still a button that goes to it.
	page.Click(t, ".event[data-kind=estop]")
	page.Click(t, ".lane-item[data-kind=estop]")
	page.Until(t,
		`(({ place }, item) => Math.abs(place - item.dataset.place) < 0.001 && item.ariaLabel.includes('E-stop'))(
	  waldo.view.stage, document.querySelector('.lane-item[data-kind=estop]'))`)
	page.Click(t, ".line-tools [aria-label^='Show the whole']")
	page.Until(t, "document.querySelector('.line-span').textContent === ''")
}
