package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkRTCBot compares a robot that runs RTCBot with one that runs Waldo, both with a camera of 640x480 at 30 fps,
// in the eyes of RTCBot's own Python client: the age of each frame that one client gets, and what three clients cost
// the robot's processes, in percent of one core. The robots take turns.
func BenchmarkRTCBot(b *testing.B) {
	window, rounds := 10*time.Second, 2
	address := harness.FreeAddress(b)
	rtcbot := harness.StartPuppet(b, python(b), "testdata/rtcbot_puppet.py", spec{"listen": address, "camera": true})
	rtcbot.Await(b, "serving")
	waldo := harness.StartRobot(b, harness.Options{Devices: cameraAlone})
	robots := []struct {
		name, url string
		pids      []int
	}{
		{"rtcbot", "http://" + address + "/connect", []int{rtcbot.Process.Pid}},
		{"waldo", waldo.URL + "/connect", []int{waldo.PID(), waldo.Gateway(b), waldo.Device(b, "front").PID}},
	}
	cpu := func(pids []int) (sum time.Duration) {
		for _, pid := range pids {
			sum += harness.CPU(b, pid)
		}
		return sum
	}
	ages, cost, shown := map[string][]float64{}, map[string]float64{}, map[string]float64{}
	for range rounds {
		for _, r := range robots {
			ages[r.name] = append(ages[r.name], watchAges(b, r.url, 1, window, func() {})...)
			var before, after time.Duration
			three := watchAges(b, r.url, 3, window, func() { before, after = after, cpu(r.pids) })
			cost[r.name] += (after - before).Seconds() / window.Seconds() / float64(rounds)
			shown[r.name] += float64(len(three)) / window.Seconds() / float64(3*rounds)
		}
	}
	for _, r := range robots {
		harness.Report(b, r.name+"-age", "ms", ages[r.name])
		b.ReportMetric(100*cost[r.name], r.name+"-3-viewers-cpu-%")
		b.ReportMetric(shown[r.name], r.name+"-3-viewers-fps")
	}
	b.ReportMetric(cost["waldo"]/cost["rtcbot"], "cpu-ratio")
	b.ReportMetric(0, "ns/op")
}

// watchAges returns the ages of the frames that some clients get within a window, in ms. It calls mark at the window's
// beginning and end.
func watchAges(b *testing.B, url string, count int, window time.Duration, mark func()) (ages []float64) {
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
	mark()
	time.Sleep(window)
	mark()
	for _, c := range clients {
		for _, e := range c.Discard() {
			if age, err := strconv.ParseFloat(string(e.Value), 64); err == nil && e.Event == "age" {
				ages = append(ages, age)
			}
		}
		c.Stop(b)
	}
	return ages
}
