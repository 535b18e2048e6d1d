package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// These benchmarks compare Waldo with mediamtx and go2rtc, which they build. All three pull the same camera at the same
// time and serve the same Chromium, which visits them in turn; the order changes from round to round. The camera sends
// 720p at 30 Hz and 2 Mbit/s with a key frame every 2 s; each picture is stamped before it is encoded.

// inTurn calls visit for each relay, several times, in an order that changes.
func inTurn(rounds int, relays []*relay, visit func(*relay)) {
	for round := range rounds {
		for i := range relays {
			visit(relays[(i+round)%len(relays)])
		}
	}
}

// short returns one of two amounts: the smaller one with -short.
func short(usual, less int) int {
	if testing.Short() {
		return less
	}
	return usual
}

// BenchmarkIngestLatency measures from the stamp until a picture has been decoded, and until it is shown.
func BenchmarkIngestLatency(b *testing.B) {
	relays := startRelays(b, startLiveCamera(b), 1)
	browser := harness.StartBrowser(b)
	c := compareRelays(b)
	stop := harness.Noise(b)
	inTurn(short(6, 3), relays, func(r *relay) {
		player := browser.OpenPlayer(b, r.page)
		defer player.Close()
		player.AwaitStream(b, r.whep(0))
		shown, decoded := player.Latency(b, r.whep(0), short(300, 100))
		c.add("shown", r, shown...)
		c.add("decoded", r, decoded...)
	})
	stop()
	for _, q := range []float64{0.5, 0.99} {
		c.report("shown", "ms", q, 0.45)
		c.report("decoded", "ms", q, 0.55)
	}
	b.ReportMetric(0, "ns/op")
}

// keyOnPlay makes the camera send each new reader a key frame.
const keyOnPlay = "-key-on-play"

// fresh is how old a picture may be, in ms, to be of now.
const fresh = 150

// BenchmarkIngestFirstPicture measures from a WHEP POST at a random moment, with nobody else looking, to the first
// picture that was decoded, and to the first that is of now.
func BenchmarkIngestFirstPicture(b *testing.B) {
	relays := startRelays(b, startLiveCamera(b), 1)
	browser := harness.StartBrowser(b)
	players := map[*relay]*harness.Player{}
	for _, r := range relays {
		players[r] = browser.OpenPlayer(b, r.page)
		players[r].AwaitStream(b, r.whep(0))
	}
	c := compareRelays(b)
	inTurn(short(60, 20), relays, func(r *relay) {
		time.Sleep(time.Duration(rand.Int64N(int64(2 * time.Second)))) // a random moment is what is measured
		first, current := players[r].First(b, r.whep(0), fresh)
		c.add("first", r, first)
		c.add("current", r, current)
	})
	c.report("first", "ms", 0.5, 0.25)
	c.report("first", "ms", 0.99, 0)
	c.report("current", "ms", 0.5, 0)
	c.report("current", "ms", 0.99, 0)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIngestViewers measures what all processes take together, with nobody, one viewer and a hundred, and what
// each viewer takes of memory.
func BenchmarkIngestViewers(b *testing.B) {
	relays := startRelays(b, startLiveCamera(b), 1)
	viewers := harness.Build(b, "services/webrtc-gateway", "./fanoutbench")
	browser := harness.StartBrowser(b)
	for _, r := range relays {
		player := browser.OpenPlayer(b, r.page)
		player.AwaitStream(b, r.whep(0))
		player.Close()
	}
	many, window := short(100, 30), time.Duration(short(10, 4))*time.Second
	c := compareRelays(b)
	inTurn(3, relays, func(r *relay) {
		measureCPU(b, c, r, "idle-cpu", window, 1)
		stop := startViewers(b, viewers, 1, r.whep(0))
		measureCPU(b, c, r, "1-viewer-cpu", window, 1)
		one := r.resident(b)
		stop()
		stop = startViewers(b, viewers, many, r.whep(0))
		measureCPU(b, c, r, fmt.Sprintf("%d-viewers-cpu", many), window, 1)
		if len(c.samples["viewer-memory"][r.name]) == 0 { // later, the memory of earlier viewers is used again
			c.add("viewer-memory", r, (r.resident(b)-one)/float64(many-1))
		}
		stop()
	})
	c.report("idle-cpu", "%", 0.5, 0)
	c.report("1-viewer-cpu", "%", 0.5, 0.9)
	c.report(fmt.Sprintf("%d-viewers-cpu", many), "%", 0.5, 0.7)
	c.report("viewer-memory", "MiB", 0.5, 0.2)
	b.ReportMetric(0, "ns/op")
}

// measureCPU measures percent of a core over a window, after a while in which what connecting costs passes.
func measureCPU(b *testing.B, c *comparison, r *relay, what string, window time.Duration, share float64) {
	b.Helper()
	time.Sleep(2 * time.Second)
	used, begin := r.cpu(b), time.Now()
	time.Sleep(window)
	c.add(what, r, 100*(r.cpu(b)-used).Seconds()/time.Since(begin).Seconds()/share)
}

// BenchmarkIngestTenCameras measures what each of ten cameras costs with one viewer each.
func BenchmarkIngestTenCameras(b *testing.B) {
	const cameras = 10
	relays := startRelays(b, startLiveCamera(b), cameras)
	viewers := harness.Build(b, "services/webrtc-gateway", "./fanoutbench")
	c := compareRelays(b)
	browser := harness.StartBrowser(b)
	for _, r := range relays {
		player := browser.OpenPlayer(b, r.page)
		for i := range cameras {
			player.AwaitStream(b, r.whep(i))
		}
		player.Close()
	}
	inTurn(3, relays, func(r *relay) {
		var urls []string
		for i := range cameras {
			urls = append(urls, r.whep(i))
		}
		stop := startViewers(b, viewers, cameras, urls...)
		measureCPU(b, c, r, "camera-cpu", time.Duration(short(10, 4))*time.Second, cameras)
		stop()
	})
	c.report("camera-cpu", "%", 0.5, 1)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIngestSourceDies kills the camera and starts it again, and measures from the moment at which it accepts
// connections to the first new picture that a viewer decodes on the connection it has. A relay that has none for 25 s
// has lost its viewer. The camera makes a key frame for each new reader, so that nobody waits for one.
func BenchmarkIngestSourceDies(b *testing.B) {
	camera := startLiveCamera(b, keyOnPlay)
	relays := startRelays(b, camera, 1)
	browser := harness.StartBrowser(b)
	players := map[*relay]*harness.Player{}
	for _, r := range relays {
		players[r] = browser.OpenPlayer(b, r.page)
		players[r].AwaitStream(b, r.whep(0))
		players[r].Watch(b, r.whep(0))
	}
	c := compareRelays(b)
	for range short(100, 6) {
		killed := float64(time.Now().UnixMilli())
		camera.process.Kill(b)
		time.Sleep(time.Duration(rand.Int64N(int64(time.Second)))) // how long it is away
		accepts := camera.start(b)
		for _, r := range relays {
			if at, err := players[r].Since(b, killed); err == nil {
				c.add("back", r, at-accepts)
			} else {
				b.Logf("%s: %v; its viewer connects again", r.name, err)
				players[r].Close()
				players[r] = browser.OpenPlayer(b, r.page)
				players[r].AwaitStream(b, r.whep(0))
				players[r].Watch(b, r.whep(0))
			}
		}
		time.Sleep(6 * time.Second) // healthy for longer than any relay's memory of failures
	}
	c.report("back", "ms", 0.5, 0)
	c.report("back", "ms", 0.99, 0)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIngestCrash kills the process that receives from the camera, and measures how long a viewer is without a new
// picture: from a camera that makes a key frame for each new reader, from one that makes none before the next is due, 2
// s after the last, and from one that has room for a single reader and keeps the place of a dead one for a minute.
func BenchmarkIngestCrash(b *testing.B) {
	for _, camera := range []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"key frame on play", func(b *testing.B) string { return startLiveCamera(b, keyOnPlay).url(0) }},
		{"key frame when due", func(b *testing.B) string { return startLiveCamera(b).url(0) }},
		{"room for one", func(b *testing.B) string {
			address := harness.FreeAddress(b)
			fakeCamera(b, address, "-viewers", "1")
			return "rtsp://" + address + "/live"
		}},
	} {
		b.Run(camera.name, func(b *testing.B) {
			robot := harness.StartRobot(b, doorcam(camera.url(b)))
			page := harness.StartBrowser(b).Open(b, robot.URL)
			door := page.Tile(b, "door")
			var back []float64
			for range short(100, 5) {
				device := robot.Device(b, "door")
				door.WaitFrames(b, 60) // more than a second of life is no crash loop
				killed := page.Now(b)
				harness.Crash(b, device.PID)
				awaitNewLife(b, robot, device)
				door.WaitState(b, "live")
				door.WaitFrames(b, 10)
				back = append(back, door.Gap(b, killed)-killed)
			}
			harness.Report(b, "back", "ms", back)
			b.ReportMetric(0, "ns/op")
		})
	}
}
