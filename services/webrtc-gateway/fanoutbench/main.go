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
//
// Viewers have the SRTP profiles of Chromium, in its order, or only those of one kind. Other senders can be measured in
// the same run: this program as built from another commit, and mediamtx, to which the parent sends the same frames by
// WHIP.
//
//	go run ./fanoutbench -profiles gcm,cm -senders gateway,before=/tmp/fanoutbench,mediamtx=/tmp/mediamtx
//
// Over loopback, a sender's calls also do the work of the receivers, packet by packet. So the viewers can be in another
// network namespace, from which 127.0.0.1 leads to this one; see package harness of e2e.
//
//	ip netns exec near go run ./fanoutbench -namespace far -address 127.0.0.2
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

// Senders that are compared in particular.
const (
	gatewaySender = "gateway"
	bareSender    = "bare"
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
	profiles := flag.String("profiles", "chromium", "SRTP profiles of the viewers: chromium, gcm or cm, one run each")
	senders := flag.String("senders", "bare,gateway,bare-no-interceptors",
		"what to measure; name=file is this program as built from another commit, mediamtx=file is mediamtx")
	window := flag.Duration("window", 10*time.Second, "how long to measure each")
	check := flag.Bool("check", false, "exit with 1 when a limit is exceeded")
	ratio := flag.Float64("ratio", 1.1, "limit of -check for the CPU that a packet takes, against bare pion")
	out := flag.String("json", "", "file to write the numbers to")
	namespace := flag.String("namespace", "", "network namespace of the viewers; empty: that of the program")
	address := flag.String("address", "127.0.0.1", "the viewers' own address")
	flag.Parse()
	var err error
	switch *role {
	case gatewaySender:
		err = serveGateway(*url)
	case bareSender:
		err = serveBare(true)
	case "bare-no-interceptors":
		err = serveBare(false)
	case "receive":
		err = receive(*url, *viewers, *profiles, *address)
	default:
		p := plan{strings.Split(*senders, ","), strings.Split(*viewers, ","), strings.Split(*profiles, ","), *window,
			far{*namespace, *address}}
		err = orchestrate(p, *check, *ratio, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanoutbench:", err)
		os.Exit(1)
	}
}

// result is one measurement.
type result struct {
	Sender        string  `json:"sender"`
	Profile       string  `json:"srtp_profile"`
	Viewers       int     `json:"viewers"`
	CPUPercent    float64 `json:"cpu_percent_of_a_core"` // beyond that without viewers
	PerViewer     float64 `json:"cpu_percent_per_viewer"`
	MiBPerViewer  float64 `json:"mib_per_viewer"`
	ResidentMiB   float64 `json:"resident_mib"`
	PacketsPerSec float64 `json:"packets_per_second"`
	MicrosPacket  float64 `json:"cpu_us_per_packet"`
	FrameRate     float64 `json:"frames_per_second"` // that a viewer receives
	LostPackets   int     `json:"lost_packets"`
}

// plan says what is measured: all combinations.
type plan struct {
	senders, viewers, profiles []string
	window                     time.Duration
	far                        far
}

func orchestrate(p plan, check bool, maxRatio float64, out string) error {
	source, err := startSource()
	if err != nil {
		return err
	}
	defer source.close()
	results, err := p.run(source)
	if err != nil {
		return err
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

func (p *plan) run(source *source) (results []result, err error) {
	fmt.Printf("%-22s %-8s %8s %9s %12s %10s %12s %10s %9s %6s\n", "sender", "profile", "viewers", "% core",
		"% per viewer", "us/packet", "MiB/viewer", "packets/s", "frames/s", "lost")
	for _, profile := range p.profiles {
		for _, text := range p.viewers {
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("-viewers: %w", err)
			}
			for _, sender := range p.senders {
				r, err := p.measure(sender, source.url, profile, n)
				if err != nil {
					return nil, fmt.Errorf("%s with %d viewers: %w", sender, n, err)
				}
				fmt.Printf("%-22s %-8s %8d %9.2f %12.3f %10.2f %12.2f %10.0f %9.2f %6d\n", r.Sender, r.Profile, r.Viewers,
					r.CPUPercent, r.PerViewer, r.MicrosPacket, r.MiBPerViewer, r.PacketsPerSec, r.FrameRate, r.LostPackets)
				results = append(results, r)
			}
		}
	}
	return results, nil
}

// round is what is compared: measurements of one number of viewers with one kind of profiles.
type round struct {
	profile string
	viewers int
}

// judge prints the ratios and returns the limits that are exceeded.
func judge(results []result, maxRatio float64) (over []string) {
	cost := make(map[round]map[string][]float64) // by sender, one each time
	var rounds []round
	for _, r := range results {
		at := round{r.Profile, r.Viewers}
		if cost[at] == nil {
			cost[at] = make(map[string][]float64)
			rounds = append(rounds, at)
		}
		// By the picture: on a busy machine a source may not reach its rate, and packets of others may be smaller.
		cost[at][r.Sender] = append(cost[at][r.Sender], r.PerViewer/r.FrameRate)
		if r.Sender == gatewaySender {
			over = append(over, judgeAlone(r)...)
		}
	}
	for _, at := range rounds {
		for _, other := range slices.Sorted(maps.Keys(cost[at])) {
			if other == gatewaySender || cost[at][gatewaySender] == nil {
				continue
			}
			ratio := median(cost[at][gatewaySender]) / median(cost[at][other])
			fmt.Printf("%d viewers with %s: the gateway takes %.2f times the CPU of %s\n", at.viewers, at.profile, ratio, other)
			// With few viewers the cost of a stream, which the bare sender does not have, outweighs that of the viewers.
			if other == bareSender && at.viewers >= 10 && ratio > maxRatio {
				over = append(over, fmt.Sprintf("%.2f times the CPU of bare pion with %d viewers, %.1f allowed", ratio, at.viewers,
					maxRatio))
			}
		}
	}
	return over
}

func median(samples []float64) float64 {
	return slices.Sorted(slices.Values(samples))[len(samples)/2]
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
