package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkRTCBot compares a robot that runs RTCBot with one that runs Waldo, both with a camera of 640x480 at 30 fps
// that shows the same pictures, in the eyes of RTCBot's own Python client: the age of each frame that one client gets,
// and what the robot's processes cost for one client and for three, in percent of one core. The robots take turns.
func BenchmarkRTCBot(b *testing.B) {
	window, rounds := 10*time.Second, 2
	waldo := harness.StartRobot(b, harness.Options{Devices: cameraAlone})
	front := waldo.Device(b, "front")
	address := harness.FreeAddress(b)
	rtcbot := harness.StartPuppet(b, python(b), "testdata/rtcbot_puppet.py",
		spec{"listen": address, "camera": snapshots(b, waldo, 90)})
	rtcbot.Await(b, "serving")
	robots := []struct {
		name, url string
		pids      []int
	}{
		{"rtcbot", "http://" + address + "/connect", []int{rtcbot.Process.Pid}},
		{"waldo", waldo.URL + "/connect", []int{waldo.PID(), waldo.Gateway(b), front.PID}},
	}
	ages, cost, shown := map[string][]float64{}, map[string]float64{}, map[string]float64{}
	for range rounds {
		for _, r := range robots {
			for _, clients := range []int{1, 3} {
				watched, used := watchAges(b, r.url, r.pids, clients, window)
				cost[r.name+strconv.Itoa(clients)] += used.Seconds() / window.Seconds() / float64(rounds)
				if clients == 1 {
					ages[r.name] = append(ages[r.name], watched...)
				} else {
					shown[r.name] += float64(len(watched)) / window.Seconds() / float64(clients*rounds)
				}
			}
		}
	}
	for _, r := range robots {
		harness.Report(b, r.name+"-age", "ms", ages[r.name])
		b.ReportMetric(100*cost[r.name+"1"], r.name+"-1-client-cpu-%")
		b.ReportMetric(100*cost[r.name+"3"], r.name+"-3-clients-cpu-%")
		b.ReportMetric(shown[r.name], r.name+"-3-clients-fps")
	}
	b.ReportMetric(cost["waldo3"]/cost["rtcbot3"], "cpu-ratio")
	b.ReportMetric((cost["waldo3"]-cost["waldo1"])/(cost["rtcbot3"]-cost["rtcbot1"]), "cpu-of-more-clients-ratio")
	b.ReportMetric(0, "ns/op")
}

// snapshots saves pictures of the camera into a folder.
func snapshots(b *testing.B, robot *harness.Robot, count int) (folder string) {
	b.Helper()
	folder = b.TempDir()
	for i := range count {
		robot.Waldo(b, "snapshot", "front", "-o", filepath.Join(folder, fmt.Sprintf("%03d.jpg", i)))
	}
	return folder
}

// watchAges returns the ages of the frames that some clients get within a window, in ms, and what processor time the
// robot's processes use.
func watchAges(b *testing.B, url string, pids []int, count int,
	window time.Duration) (ages []float64, used time.Duration) {
	b.Helper()
	var clients []*harness.Puppet
	for range count {
		clients = append(clients, pythonClient(b, spec{"url": url, "video": 1, "stamps": true}))
	}
	for _, c := range clients {
		for range 60 { // they have settled
			c.Await(b, "age")
		}
	}
	for _, c := range clients {
		c.Discard()
	}
	cpu := func() (sum time.Duration) {
		for _, pid := range pids {
			sum += harness.CPU(b, pid)
		}
		return sum
	}
	before := cpu()
	time.Sleep(window)
	used = cpu() - before
	for _, c := range clients {
		for _, e := range c.Discard() {
			if age, err := strconv.ParseFloat(string(e.Value), 64); err == nil && e.Event == "age" {
				ages = append(ages, age)
			}
		}
		c.Stop(b)
	}
	return ages, used
}
