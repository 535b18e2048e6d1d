// Command fanoutbench measures what a viewer costs the gateway, and what it costs a bare pion program that does the
// same with pion's own parts, in one run.
//
// Sender, receivers and source are processes of their own, so that the numbers are those of the sender alone: its CPU
// time while all viewers receive 2 Mbit/s, and its resident memory beyond that without viewers. The source of the
// gateway is a camera on a bus in the parent; the bare sender makes the same frames itself, which favours it.
//
//	go run ./fanoutbench                 # 1, 10, 50 and 100 viewers
//	go run ./fanoutbench -check -json f  # exit code 1 when a limit is exceeded; numbers to a file
//	go run ./fanoutbench -viewers 10,10,10 -check -ratio 1.3  # the median of three rounds, for a busy machine
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The stream: 30 frames a second of 2 Mbit/s together.
const (
	frameRate  = 30
	frameBytes = 2_000_000 / 8 / frameRate
)

// Limits that -check holds the gateway to, besides -ratio.
const (
	maxCPUPercent = 0.2 // of a core for each viewer, at 100
	maxMiB        = 3   // for each viewer, at 100
)

func main() {
	role := flag.String("role", "", "used by the program itself for its children; receive watches -url by WHEP")
	url := flag.String("url", "", "likewise")
	viewers := flag.String("viewers", "1,10,50,100", "how many viewers, one run each")
	window := flag.Duration("window", 10*time.Second, "how long to measure each")
	check := flag.Bool("check", false, "exit with 1 when a limit is exceeded")
	ratio := flag.Float64("ratio", 1.1, "limit of -check for the CPU that a packet takes, against bare pion")
	out := flag.String("json", "", "file to write the numbers to")
	flag.Parse()
	var err error
	switch *role {
	case "gateway":
		err = serveGateway(*url)
	case "bare":
		err = serveBare(true)
	case "bare-no-interceptors":
		err = serveBare(false)
	case "receive":
		err = receive(*url, *viewers)
	default:
		err = orchestrate(*viewers, *window, *check, *ratio, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanoutbench:", err)
		os.Exit(1)
	}
}

// result is one measurement.
type result struct {
	Sender        string  `json:"sender"`
	Viewers       int     `json:"viewers"`
	CPUPercent    float64 `json:"cpu_percent_of_a_core"`
	PerViewer     float64 `json:"cpu_percent_per_viewer"`
	MiBPerViewer  float64 `json:"mib_per_viewer"`
	ResidentMiB   float64 `json:"resident_mib"`
	PacketsPerSec float64 `json:"packets_per_second"`
	MicrosPacket  float64 `json:"cpu_us_per_packet"`
	LostPackets   int     `json:"lost_packets"`
}

func orchestrate(list string, window time.Duration, check bool, maxRatio float64, out string) error {
	source, err := startSource()
	if err != nil {
		return err
	}
	defer source.close()
	var results []result
	fmt.Printf("%-22s %8s %9s %12s %10s %12s %10s %6s\n",
		"sender", "viewers", "% core", "% per viewer", "us/packet", "MiB/viewer", "packets/s", "lost")
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-viewers: %w", err)
		}
		for _, sender := range []string{"bare", "gateway", "bare-no-interceptors"} {
			r, err := measure(sender, source.url, n, window)
			if err != nil {
				return fmt.Errorf("%s with %d viewers: %w", sender, n, err)
			}
			fmt.Printf("%-22s %8d %9.2f %12.3f %10.2f %12.2f %10.0f %6d\n",
				r.Sender, r.Viewers, r.CPUPercent, r.PerViewer, r.MicrosPacket, r.MiBPerViewer, r.PacketsPerSec, r.LostPackets)
			results = append(results, r)
		}
	}
	over := judge(results, maxRatio)
	if out != "" {
		data, err := json.MarshalIndent(results, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if check && len(over) > 0 {
		return fmt.Errorf("over the limit: %s", strings.Join(over, "; "))
	}
	return nil
}

// judge prints the ratios and returns the limits that are exceeded.
func judge(results []result, maxRatio float64) (over []string) {
	ratios := make(map[int][]float64) // by viewers, one a round
	var bare result
	for _, r := range results {
		switch r.Sender {
		case "bare":
			bare = r
		case "gateway":
			// By the packet: on a busy machine a source may not reach its rate.
			ratios[r.Viewers] = append(ratios[r.Viewers], r.MicrosPacket/bare.MicrosPacket)
			over = append(over, judgeAlone(r)...)
		}
	}
	for _, viewers := range slices.Sorted(maps.Keys(ratios)) {
		slices.Sort(ratios[viewers])
		ratio := ratios[viewers][len(ratios[viewers])/2]
		fmt.Printf("%d viewers: the gateway takes %.2f times the CPU of bare pion for each packet\n", viewers, ratio)
		// With few viewers the cost of a stream, which the bare sender does not have, outweighs that of the viewers.
		if viewers >= 10 && ratio > maxRatio {
			over = append(over, fmt.Sprintf("%.2f times the CPU of bare pion with %d viewers, %.1f allowed", ratio, viewers,
				maxRatio))
		}
	}
	return over
}

// judgeAlone returns the limits that one run of the gateway exceeds whatever bare pion takes.
func judgeAlone(r result) (over []string) {
	if r.Viewers < 100 {
		return nil
	}
	if r.PerViewer > maxCPUPercent {
		over = append(over, fmt.Sprintf("%.3f %% of a core for each of %d viewers, %.1f allowed", r.PerViewer, r.Viewers,
			maxCPUPercent))
	}
	if r.MiBPerViewer > maxMiB {
		over = append(over, fmt.Sprintf("%.2f MiB for each of %d viewers, %d allowed", r.MiBPerViewer, r.Viewers, maxMiB))
	}
	return over
}
