package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// site is where relays and their camera run: a host, or this machine.
type site struct{ host *internet.Host }

// start runs a program there.
func (s site) start(b *testing.B, program string, args ...string) *harness.Process {
	b.Helper()
	if s.host != nil {
		program, args = s.host.Command(program, args...)
	}
	return harness.Start(b, nil, program, args...)
}

// address is a free one at which browsers reach the site.
func (s site) address(b *testing.B) string {
	b.Helper()
	free := harness.FreeAddress(b)
	if s.host == nil {
		return free
	}
	_, port, _ := strings.Cut(free, ":") // all are free over there
	return net.JoinHostPort(s.host.Address().String(), port)
}

// await returns when something listens at an address there.
func (s site) await(b *testing.B, address string) {
	b.Helper()
	dial := func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	harness.Until(b, address+" is served", func() error {
		if s.host == nil {
			return dial()
		}
		return s.host.Do(dial)
	})
}

// liveCamera is a network camera whose pictures tell when they were made. See its command.
type liveCamera struct {
	at               site // relays run there, too
	program, address string
	flags            []string
	process          *harness.Process
}

func startLiveCamera(b *testing.B, flags ...string) *liveCamera {
	b.Helper()
	return startLiveCameraAt(b, site{}, flags...)
}

func startLiveCameraAt(b *testing.B, at site, flags ...string) *liveCamera {
	b.Helper()
	c := &liveCamera{at: at, program: harness.Build(b, "services/rtsp-ingest", "./fakecam/cmd/livecam"),
		address: harness.FreeAddress(b), flags: flags}
	c.start(b)
	return c
}

// start starts the camera, and returns when it began to accept connections, in ms since 1970.
func (c *liveCamera) start(b *testing.B) (accepts float64) {
	b.Helper()
	c.process = c.at.start(b, c.program, append(c.flags, "-listen", c.address)...)
	harness.Until(b, "the camera listens", func() (err error) {
		line, _, _ := strings.Cut(c.process.Output(), "\n")
		accepts, err = strconv.ParseFloat(line, 64)
		return err
	})
	return accepts / 1000
}

func (c *liveCamera) url(n int) string { return fmt.Sprintf("rtsp://%s/cam%d", c.address, n) }

// relay is a server that pulls cameras and serves them to browsers: Waldo, or another.
type relay struct {
	name string
	page string           // at its origin
	whep func(int) string // the address for a camera
	pids func() []int     // of all processes that have a part in it
}

func (r *relay) cpu(b *testing.B) (used time.Duration) {
	b.Helper()
	for _, pid := range r.pids() {
		used += harness.CPU(b, pid)
	}
	return used
}

func (r *relay) resident(b *testing.B) (mib float64) {
	b.Helper()
	for _, pid := range r.pids() {
		mib += harness.Resident(b, pid)
	}
	return mib
}

// startRelays starts all three, each with so many cameras.
func startRelays(b *testing.B, c *liveCamera, cameras int) []*relay {
	b.Helper()
	return []*relay{startWaldo(b, c, cameras), startMediamtx(b, c, cameras), startGo2rtc(b, c, cameras)}
}

func startWaldo(b *testing.B, c *liveCamera, cameras int) *relay {
	b.Helper()
	relay, _ := startWaldoWith(b, c, cameras, "")
	return relay
}

// startWaldoWith starts a robot that has other devices, too: the YAML of them.
func startWaldoWith(b *testing.B, c *liveCamera, cameras int, others string) (*relay, *harness.Robot) {
	b.Helper()
	var devices strings.Builder
	for i := range cameras {
		fmt.Fprintf(&devices, "cam%d: {kind: rtsp-ingest, url: %q}\n", i, c.url(i))
	}
	robot := harness.StartRobot(b, harness.Options{Devices: devices.String() + others})
	for i := range cameras {
		robot.Device(b, fmt.Sprintf("cam%d", i))
	}
	return &relay{name: "waldo", page: robot.URL + "/healthz",
		whep: func(n int) string { return fmt.Sprintf("%s/whep/cam%d", robot.URL, n) },
		pids: func() []int {
			return append(harness.Children(b, robot.PID(), "waldo-rtsp-ingest"), robot.Gateway(b), robot.PID())
		}}, robot
}

// startMediamtx keeps its readers while the camera is away, as Waldo does: that is not its default.
func startMediamtx(b *testing.B, c *liveCamera, cameras int) *relay {
	b.Helper()
	address, ice := c.at.address(b), c.at.address(b)
	ip, _, _ := strings.Cut(address, ":")
	var config strings.Builder
	fmt.Fprintf(&config, "logLevel: warn\nrtsp: false\nrtmp: false\nhls: false\nsrt: false\nmoq: false\n"+
		"webrtcAddress: %s\nwebrtcLocalUDPAddress: %s\nwebrtcIPsFromInterfaces: false\nwebrtcAdditionalHosts: [%s]\n"+
		"paths:\n", address, ice, ip)
	for i := range cameras {
		fmt.Fprintf(&config, "  cam%d: {source: %q, rtspTransport: tcp, alwaysAvailable: true, "+
			"alwaysAvailableTracks: [{codec: H264}]}\n", i, c.url(i))
	}
	process := c.at.start(b, harness.Mediamtx(b), harness.WriteFile(b, "mediamtx.yml", config.String()))
	c.at.await(b, address)
	return &relay{name: "mediamtx", page: "http://" + address + "/cam0/reader.js",
		whep: func(n int) string { return fmt.Sprintf("http://%s/cam%d/whep", address, n) },
		pids: func() []int { return []int{process.PID()} }}
}

// startGo2rtc keeps its cameras connected, as the others do: that is not its default.
func startGo2rtc(b *testing.B, c *liveCamera, cameras int) *relay {
	b.Helper()
	address, ice := c.at.address(b), c.at.address(b)
	_, port, _ := strings.Cut(ice, ":") // of all interfaces: with loopback alone it answers nobody
	var config, preload strings.Builder
	fmt.Fprintf(&config, "log: {level: warn}\napi: {listen: %q}\nrtsp: {listen: \"\"}\n"+
		"webrtc: {listen: %q, candidates: [%q], ice_servers: []}\nstreams:\n", address, ":"+port, ice)
	preload.WriteString("preload:\n")
	for i := range cameras {
		fmt.Fprintf(&config, "  cam%d: %q\n", i, c.url(i))
		fmt.Fprintf(&preload, "  cam%d: video\n", i)
	}
	config.WriteString(preload.String())
	process := c.at.start(b, harness.Go2rtc(b), "-config", harness.WriteFile(b, "go2rtc.yaml", config.String()))
	c.at.await(b, address)
	return &relay{name: "go2rtc", page: "http://" + address + "/api",
		whep: func(n int) string { return fmt.Sprintf("http://%s/api/webrtc?src=cam%d", address, n) },
		pids: func() []int { return []int{process.PID()} }}
}

// startViewers connects viewers that are no browsers, spread over WHEP addresses, and returns when all of them receive.
func startViewers(b *testing.B, program string, viewers int, urls ...string) (stop func()) {
	b.Helper()
	cmd := exec.Command(program, "-role", "receive", "-url", strings.Join(urls, ","), "-viewers", strconv.Itoa(viewers))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	read := make(chan struct{})
	lines := bufio.NewScanner(out)
	stop = func() {
		_ = in.Close() // tells it to end
		<-read
		_ = cmd.Wait() // it is only a viewer
	}
	ready := lines.Scan()
	go func() {
		defer close(read)
		for lines.Scan() { // what it counts is of no interest here
		}
	}()
	if !ready {
		stop()
		b.Fatalf("the viewers of %s did not connect", urls[0])
	}
	return stop
}

// comparison collects what was measured of each relay.
type comparison struct {
	b       *testing.B
	samples map[string]map[string][]float64 // by what, then by relay
}

func compareRelays(b *testing.B) *comparison {
	return &comparison{b, map[string]map[string][]float64{}}
}

func (c *comparison) add(what string, r *relay, samples ...float64) {
	if c.samples[what] == nil {
		c.samples[what] = map[string][]float64{}
	}
	c.samples[what][r.name] = append(c.samples[what][r.name], samples...)
}

// report prints what was measured, the ratio of Waldo to the better of the others, and the ratio that is wanted; 0 is
// none. Of several samples it takes the quantile q.
func (c *comparison) report(what, unit string, q, want float64) {
	c.b.Helper()
	at := map[string]float64{}
	for name, samples := range c.samples[what] {
		samples = slices.Sorted(slices.Values(samples))
		at[name] = harness.Quantile(samples, q)
		c.b.ReportMetric(at[name], fmt.Sprintf("%s-%s-p%.0f-%s", what, name, 100*q, unit))
	}
	better := 0.0
	for name, value := range at {
		if name != "waldo" && (better == 0 || value < better) {
			better = value
		}
	}
	ratio := at["waldo"] / better
	c.b.ReportMetric(ratio, fmt.Sprintf("%s-p%.0f-ratio", what, 100*q))
	wanted := ""
	if want > 0 {
		wanted = fmt.Sprintf(", want %.2f at most", want)
	}
	c.b.Logf("%-16s p%-3.0f waldo %8.2f  mediamtx %8.2f  go2rtc %8.2f %-7s of %d; ratio %.2f%s", what, 100*q, at["waldo"],
		at["mediamtx"], at["go2rtc"], unit, len(c.samples[what]["waldo"]), ratio, wanted)
	if n := len(c.samples[what]["waldo"]); n < 10 { // few enough to see how much the machine made of it
		for name, samples := range c.samples[what] {
			c.b.Logf("%-16s %-8s %.2f", what, name, samples)
		}
	}
}
