package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// archivist receives streams of network cameras, and records them when it is told to.
type archivist struct {
	*relay
	folder string
	record func(on bool)
	parts  map[string]string // programs of its processes, by what they do; nil: one process does all
}

// recordPart is what of Waldo does nothing but record.
const recordPart = "recorder"

// BenchmarkRecordPeers compares what Waldo and mediamtx take of the processor while both record the same four streams
// of H.264, as they come from a network camera, at the same time: Waldo to MCAP, mediamtx to fMP4 with its own
// defaults. It is told in percent of a core for each Mbit/s that is written, of three things:
//
//   - recorder: of Waldo, the process that records, which reads from the bus. Of mediamtx all, which is one process that
//     receives, too.
//   - robot: of Waldo all processes, also those that receive from the cameras, the launcher with the bus, and the gateway,
//     at which nobody looks.
//   - added: of both all processes, less what they took before they recorded, when they received the same streams.
func BenchmarkRecordPeers(b *testing.B) {
	rounds, window := short(7, 3), time.Duration(short(11, 5))*time.Second
	camera := startLiveCamera(b)
	both := []*archivist{startWaldoArchivist(b, camera), startMediamtxArchivist(b, camera)}
	c := peersOfRecord{}
	for range rounds {
		idle := spend(b, both, window/2)
		for _, one := range both {
			one.record(true)
		}
		spend(b, both, 3*time.Second) // files begin
		busy := spend(b, both, window)
		for i, one := range both {
			one.record(false)
			c.add(b, one, idle[i], busy[i])
		}
	}
	for _, what := range []string{"recorder", "robot", "added"} {
		c.reportRatio(b, what, "%/Mbit/s")
	}
	c.reportRatio(b, "written", "Mbit/s")
	for what, found := range c {
		if part, is := strings.CutPrefix(what, "part "); is {
			b.Logf("%-8s %.2f %% of a core", part, found["waldo"])
		}
	}
	b.ReportMetric(0, "ns/op")
}

// peersOfRecord is what was measured in each round, by what it is, then by whose.
type peersOfRecord map[string]map[string][]float64

func (c peersOfRecord) add(b *testing.B, one *archivist, idle, busy spent) {
	b.Helper()
	if busy.written < recordedCameras*1.5 || busy.written > recordedCameras*2.5 {
		b.Errorf("%s writes %.2f Mbit/s", one.name, busy.written)
	}
	note := func(what string, value float64) {
		if c[what] == nil {
			c[what] = map[string][]float64{}
		}
		c[what][one.name] = append(c[what][one.name], value)
	}
	recorder := busy.whole
	if one.parts != nil {
		recorder = busy.parts[recordPart]
	}
	for part, used := range busy.parts {
		note("part "+part, used)
	}
	note("written", busy.written)
	note("recorder", recorder/busy.written)
	note("robot", busy.whole/busy.written)
	note("added", (busy.whole-idle.whole)/busy.written)
}

// reportRatio reports the medians of what was measured in rounds, and the median of the ratio in each.
func (c peersOfRecord) reportRatio(b *testing.B, what, unit string) {
	b.Helper()
	waldo, mediamtx := c[what]["waldo"], c[what]["mediamtx"]
	var ratios []float64
	for i := range waldo {
		ratios = append(ratios, waldo[i]/mediamtx[i])
	}
	b.Logf("%-8s waldo %.2f, mediamtx %.2f %s, ratio %.2f", what, waldo, mediamtx, unit, ratios)
	for name, samples := range map[string][]float64{"waldo-" + unit: waldo, "mediamtx-" + unit: mediamtx,
		"ratio": ratios} {
		b.ReportMetric(harness.Quantile(slices.Sorted(slices.Values(samples)), 0.5), what+"-"+name)
	}
}

// spent is what an archivist took and made, per second.
type spent struct {
	whole   float64 // percent of a core
	parts   map[string]float64
	written float64 // Mbit/s
}

// spend measures all of them over the same time.
func spend(b *testing.B, all []*archivist, window time.Duration) (found []spent) {
	b.Helper()
	began := time.Now()
	for _, one := range all {
		found = append(found, one.total(b))
	}
	time.Sleep(window)
	passed := time.Since(began).Seconds()
	for i, one := range all {
		now, before := one.total(b), &found[i]
		before.whole = (now.whole - before.whole) / passed
		before.written = (now.written - before.written) / passed
		for part := range now.parts {
			before.parts[part] = (now.parts[part] - before.parts[part]) / passed
		}
	}
	return found
}

// total is what it has taken and made so far, in percent of a core and Mbit/s, each times seconds.
func (a *archivist) total(b *testing.B) spent {
	b.Helper()
	s := spent{parts: map[string]float64{}, written: 8e-6 * float64(folderSize(b, a.folder))}
	for _, pid := range a.pids() {
		used := 100 * harness.CPU(b, pid).Seconds()
		s.whole += used
		program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			b.Fatal(err)
		}
		if part := a.parts[filepath.Base(program)]; part != "" {
			s.parts[part] += used
		}
	}
	return s
}

// folderSize is how many bytes the files of a folder have.
func folderSize(b *testing.B, folder string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if os.IsNotExist(err) { // it has been given another name
			return nil
		}
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func startWaldoArchivist(b *testing.B, c *liveCamera) *archivist {
	b.Helper()
	folder := filepath.Join(b.TempDir(), "recordings")
	relay, robot := startWaldoWith(b, c, recordedCameras,
		fmt.Sprintf("recorder: {kind: recorder, folder: %q, keep: {free: 0}}\n", folder))
	robot.Device(b, "recorder")
	conn, err := bus.Connect(bus.Config{URL: robot.NATS})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	client := recorderv1.NewRecorderServiceClient(conn.Client(bus.Address{Robot: "e2e", Device: "recorder"}))
	relay.pids = func() []int { return append(harness.Children(b, robot.PID(), ""), robot.PID()) }
	parts := map[string]string{"waldo": "bus", "waldo-rtsp-ingest": "receive", "waldo-gateway": "gateway",
		"waldo-recorder": recordPart}
	return &archivist{relay: relay, folder: folder, parts: parts, record: func(on bool) {
		if on {
			_, err = client.StartRecording(b.Context(), &recorderv1.StartRecordingRequest{By: "bench"})
		} else {
			_, err = client.StopRecording(b.Context(), &recorderv1.StopRecordingRequest{})
		}
		if err != nil {
			b.Error(err)
		}
	}}
}

func startMediamtxArchivist(b *testing.B, c *liveCamera) *archivist {
	b.Helper()
	folder, api := b.TempDir(), harness.FreeAddress(b)
	var config strings.Builder
	fmt.Fprintf(&config, "logLevel: warn\nrtsp: false\nrtmp: false\nhls: false\nsrt: false\nmoq: false\nwebrtc: false\n"+
		"api: true\napiAddress: %s\npathDefaults: {recordPath: %q, recordFormat: fmp4}\npaths:\n", api,
		filepath.Join(folder, "%path", "%Y-%m-%d_%H-%M-%S-%f"))
	for i := range recordedCameras {
		fmt.Fprintf(&config, "  cam%d: {source: %q, rtspTransport: tcp}\n", i, c.url(i))
	}
	process := c.at.start(b, harness.Mediamtx(b), harness.WriteFile(b, "mediamtx.yml", config.String()))
	c.at.await(b, api)
	return &archivist{relay: &relay{name: "mediamtx", pids: func() []int { return []int{process.PID()} }}, folder: folder,
		record: func(on bool) {
			patch(b, "http://"+api+"/v3/config/pathdefaults/patch", fmt.Sprintf(`{"record": %t}`, on))
		}}
}

// patch changes what is configured.
func patch(b *testing.B, url, change string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPatch, url, strings.NewReader(change))
	if err != nil {
		b.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	_ = response.Body.Close() // what it says is of no interest
	if response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", url, response.Status)
	}
}
