package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// simulated is the built-in robot with one camera, whose picture carries its capture time.
const simulated = `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
` + boardSim + `
voice: {kind: audio, source: tone}`

// boardSim is the board of the built-in robot.
const boardSim = `motors: {kind: serial, port: sim, read: "<IhhiihHB", ` +
	`readKeys: [uptime, left, right, x, y, heading, battery, flags], startByte: 0x5A, checksum: crc8, ` +
	`write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, writeChecksum: crc8, control: {safe: {left: 0, right: 0}}}`

// builds are the programs that a benchmark compares: those under test and, if WALDO_BASE_BIN names its folder, another
// build.
func builds() []build {
	all := []build{{name: "new"}}
	if base := harness.BaseBin(); base != "" {
		all = append(all, build{"base", base})
	}
	return all
}

type build struct{ name, bin string }

// BenchmarkCost measures what each process of a simulated robot costs, in percent of one core, and how many times a
// second its threads are woken: idle, and with one page that watches the camera and listens. With WALDO_BASE_BIN, the
// robots of the two builds take turns, window after window, so that both meet the same machine, and the benchmark
// reports the ratios of the medians.
func BenchmarkCost(b *testing.B) {
	window, rounds := 20*time.Second, 4
	if testing.Short() {
		window, rounds = 8*time.Second, 2
	}
	runs := map[string]*costs{}
	var order []*costs
	for _, one := range builds() {
		c := startCosts(b, one)
		runs[one.name], order = c, append(order, c)
	}
	browser := harness.StartBrowser(b)
	for round := range rounds {
		measured := len(order)
		idle := make([]func(), 0, measured)
		for _, c := range order {
			idle = append(idle, c.begin(b, "idle"))
		}
		time.Sleep(window)
		for _, end := range idle {
			end()
		}
		for i := range order {
			c := order[(i+round)%measured] // they take turns at going first
			page := browser.Open(b, c.robot.URL)
			page.Tile(b, "front").WaitFrames(b, 60)
			listen(b, page, "voice")
			end := c.begin(b, "watched")
			time.Sleep(window)
			end()
			page.Close()
		}
	}
	for _, c := range order {
		c.report(b)
	}
	if base := runs["base"]; base != nil {
		compare(b, runs["new"], base)
	}
	b.ReportMetric(0, "ns/op")
}

// costs are the costs of one robot.
type costs struct {
	build   build
	robot   *harness.Robot
	pids    map[string]int
	samples map[string][]float64 // by process, state and unit
}

func startCosts(b *testing.B, one build) *costs {
	b.Helper()
	c := &costs{build: one, samples: map[string][]float64{}}
	c.robot = harness.StartRobot(b, harness.Options{Bin: one.bin, Devices: simulated})
	c.pids = map[string]int{"gateway": c.robot.Gateway(b)}
	for name, device := range map[string]string{"camera": "front", "serial": "motors", "audio": "voice"} {
		c.pids[name] = c.robot.Device(b, device).PID
	}
	return c
}

// begin starts a measurement and returns the function that ends it.
func (c *costs) begin(b *testing.B, state string) (end func()) {
	b.Helper()
	began := time.Now()
	cpu, switches := map[string]time.Duration{}, map[string]float64{}
	for name, pid := range c.pids {
		cpu[name], switches[name] = harness.CPU(b, pid), harness.Switches(b, pid)
	}
	return func() {
		for name, pid := range c.pids {
			used, woken := harness.CPU(b, pid)-cpu[name], harness.Switches(b, pid)-switches[name]
			seconds := time.Since(began).Seconds()
			c.add(name+"-"+state+"-cpu-%", 100*used.Seconds()/seconds)
			c.add(name+"-"+state+"-wakeups/s", woken/seconds)
		}
	}
}

func (c *costs) add(what string, n float64) { c.samples[what] = append(c.samples[what], n) }

func (c *costs) median(what string) float64 {
	all := slices.Sorted(slices.Values(c.samples[what]))
	return harness.Quantile(all, 0.5)
}

func (c *costs) report(b *testing.B) {
	b.Helper()
	for what, all := range c.samples {
		b.Logf("%-5s %-28s %7.2f  of %.2f", c.build.name, what, c.median(what), all)
		b.ReportMetric(c.median(what), fmt.Sprintf("%s-%s", c.build.name, what))
	}
}

// compare reports how one build compares with the other.
func compare(b *testing.B, now, base *costs) {
	b.Helper()
	for what := range now.samples {
		b.ReportMetric(now.median(what)/base.median(what), what+"-ratio")
	}
}
