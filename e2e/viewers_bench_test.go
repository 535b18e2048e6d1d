package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// Builds that the gateway is compared with: the last one that sent each packet by a call of its own, and the one before
// bad networks were looked after, when Chromium still chose AES-CM.
var earlier = []struct{ name, commit string }{{"one-by-one", "4ff399ec"}, {"as-chosen", "ec4f5964"}}

// BenchmarkViewers measures what viewers of 2 Mbit/s cost the gateway, bare pion, mediamtx, and earlier builds of the
// gateway, in one run: viewers that choose as Chromium does, and viewers that have only AES-GCM or AES-CM. The numbers
// are percent of a core for each viewer. With 300 viewers, what counts is that none loses a picture.
//
// The viewers are reached over loopback, where each call that sends also does the receivers' work. A hundred are also
// measured behind a cable, where only the sender's own work counts, as with viewers on other machines.
func BenchmarkViewers(b *testing.B) {
	program := harness.Build(b, "services/webrtc-gateway", "./fanoutbench")
	senders := []string{"gateway", "bare", "mediamtx=" + harness.Mediamtx(b)}
	for _, e := range earlier {
		senders = append(senders, e.name+"="+harness.BuildAt(b, e.commit, "services/webrtc-gateway", "./fanoutbench"))
	}
	few, many, window := "1,10", "100", "6s"
	if testing.Short() {
		few, many, window = "1", "10", "2s"
	}
	loopback := func(args ...string) *exec.Cmd { return exec.Command(program, args...) }
	report := func(where string, run runner, viewers, profiles string, senders ...string) (lost int) {
		for _, m := range measureViewers(b, run, "-viewers", viewers, "-profiles", profiles, "-window", window,
			"-senders", strings.Join(senders, ",")) {
			b.ReportMetric(m.PerViewer, fmt.Sprintf("%d-%s-%s%s-%%", m.Viewers, m.Profile, where, m.Sender))
			if m.Sender == "gateway" {
				lost += m.Lost
			}
		}
		return lost
	}
	report("", loopback, few, "chromium", senders...)
	report("", loopback, many, "chromium,gcm,cm", senders...)
	if os.Geteuid() == 0 {
		report("cable-", behindCable(b, program), many, "chromium", senders...)
	} else {
		b.Log("NOT RUN: network namespaces need root. What viewers on other machines cost is not measured")
	}
	b.ReportMetric(float64(report("", loopback, "300", "chromium", "gateway")), "lost-packets-of-300")
	b.ReportMetric(0, "ns/op")
}

// runner makes the command that runs fanoutbench.
type runner func(args ...string) *exec.Cmd

// behindCable runs fanoutbench at one end of a cable, and its viewers at the other.
func behindCable(b *testing.B, program string) runner {
	b.Helper()
	cable := harness.StartCable(b)
	return func(args ...string) *exec.Cmd {
		name, all := cable.Near(program, append(args, "-namespace", cable.Far(), "-address", harness.CableFar)...)
		return exec.Command(name, all...)
	}
}

// viewersCost is what fanoutbench writes for each measurement.
type viewersCost struct {
	Sender    string  `json:"sender"`
	Profile   string  `json:"srtp_profile"`
	Viewers   int     `json:"viewers"`
	PerViewer float64 `json:"cpu_percent_per_viewer"`
	Lost      int     `json:"lost_packets"`
}

// measureViewers runs fanoutbench, logs its table, and returns its measurements.
func measureViewers(b *testing.B, run runner, args ...string) (all []viewersCost) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "viewers.json")
	out, err := run(append(args, "-json", file)...).CombinedOutput()
	b.Logf("%s\n%s", strings.Join(args, " "), out)
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		b.Fatal(err)
	}
	return all
}
