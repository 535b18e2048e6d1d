package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// oneOfEach is a device of each kind; none needs hardware.
const oneOfEach = `front: {kind: camera, source: sim}
` + boardSim + `
voice: {kind: audio, source: tone}
pad: {kind: input, source: sim}`

// kindOf maps a device of oneOfEach to its program.
var kindOf = map[string]string{"front": "camera", "motors": "serial", "voice": "audio", "pad": "input"}

// BenchmarkWeight measures the size of each kind's program, the memory of an idle device a minute after its start, in
// MiB (resident: all mapped pages in RAM; own: without pages of files, which processes share), and the time from exec
// to READY with the processor time it takes. With WALDO_BASE_BIN, another build takes turns with it, and the benchmark
// reports ratios of the medians.
func BenchmarkWeight(b *testing.B) {
	const idle, starts = time.Minute, 21
	weights := map[string]*costs{}
	for _, one := range builds() {
		weights[one.name] = &costs{build: one, samples: map[string][]float64{}}
		weights[one.name].weigh(b)
	}
	url, file := startLines(b)
	for device := range kindOf {
		for i := range starts {
			all := builds()
			if i%2 == 1 { // they take turns at going first
				slices.Reverse(all)
			}
			for _, one := range all {
				weights[one.name].start(b, device, url, file)
			}
		}
	}
	for _, c := range weights {
		c.robot = harness.StartRobot(b, harness.Options{Bin: c.build.bin, Devices: oneOfEach})
	}
	time.Sleep(idle)
	for _, c := range weights {
		c.memory(b)
		c.report(b)
	}
	if base := weights["base"]; base != nil {
		compare(b, weights["new"], base)
	}
	b.ReportMetric(0, "ns/op")
}

// startLines starts a bus, and returns its URL and a robot.yaml with oneOfEach.
func startLines(b *testing.B) (url, file string) {
	b.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Close)
	file = filepath.Join(b.TempDir(), "robot.yaml")
	text := "robot: weight\ndevices:\n  " + strings.ReplaceAll(oneOfEach, "\n", "\n  ") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return server.URL(), file
}

// program returns the path of the program of a kind.
func (c *costs) program(b *testing.B, kind string) string {
	b.Helper()
	if c.build.bin == "" {
		return harness.Bin(b, "waldo-"+kind)
	}
	return filepath.Join(c.build.bin, "waldo-"+kind)
}

// weigh adds the sizes of the programs.
func (c *costs) weigh(b *testing.B) {
	b.Helper()
	for _, kind := range []string{"audio", "camera", "input", "serial", "gateway"} {
		info, err := os.Stat(c.program(b, kind))
		if err != nil {
			b.Fatal(err)
		}
		c.add(kind+"-program-MB", float64(info.Size())/1e6)
	}
}

// memory adds the memory of the devices.
func (c *costs) memory(b *testing.B) {
	b.Helper()
	for device, kind := range kindOf {
		pid := c.robot.Device(b, device).PID
		c.add(kind+"-resident-MiB", harness.Resident(b, pid))
		c.add(kind+"-own-MiB", harness.Anonymous(b, pid))
	}
}

// start adds the time a device takes until it is READY.
func (c *costs) start(b *testing.B, device, url, file string) {
	b.Helper()
	kind := kindOf[device]
	cmd := exec.Command(c.program(b, kind), "--robot-file", file, "--device", device, "--nats", url,
		"--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Dir(file))
	log, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	lines, said := bufio.NewScanner(log), ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "msg=ready") {
			c.add(kind+"-ready-ms", time.Since(began).Seconds()*1000)
			c.add(kind+"-ready-cpu-ms", harness.CPU(b, cmd.Process.Pid).Seconds()*1000)
			return
		}
	}
	b.Fatalf("%s is not READY:\n%s", device, said)
}
