package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// crowd is how many robots the benchmark connects.
const crowd = 500

// benchURL is set in the process that plays the robots of the benchmark.
const benchURL = "WALDO_BENCH_RENDEZVOUS"

// BenchmarkRendezvous measures what 500 robots that are connected, and watched by nobody, cost the server, which runs
// in this process, the robots in another; how long all of them take to connect, and to be back after the server has
// returned; and how long a request to one of them takes.
func BenchmarkRendezvous(b *testing.B) {
	if url := os.Getenv(benchURL); url != "" {
		playRobots(b, url)
		return
	}
	config := Config{Limits: Limits{RobotsPerClient: crowd, Registrations: 10 * crowd, Burst: crowd}}
	l := listen(b, "127.0.0.1:0")
	s := serve(b, l, config)
	runtime.GC()
	before, began := resident(b), time.Now()
	robots := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkRendezvous$", "-test.benchtime=1x")
	robots.Env = append(os.Environ(), benchURL+"="+s.url)
	robots.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := robots.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = robots.Process.Signal(os.Interrupt)
		_ = robots.Wait() // it was killed
	}()
	connected := s.awaitCrowd(b, began)
	runtime.GC()
	memory := (resident(b) - before) / crowd
	const window = 20 * time.Second
	used := cpu(b)
	time.Sleep(window)
	idle := 100 * (cpu(b) - used).Seconds() / window.Seconds()
	used = cpu(b)
	requests := 0
	for ; b.Loop(); requests++ {
		answer, err := s.client.Get(fmt.Sprintf("%s/r/robot-%d/", s.url, requests%crowd))
		if err != nil {
			b.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != http.StatusOK {
			b.Fatal(answer.Status)
		}
	}
	used = cpu(b) - used
	s.close()
	time.Sleep(window / 10) // the robots are in the middle of dialling
	s = serve(b, listen(b, l.Addr().String()), config)
	returned := s.awaitCrowd(b, time.Now())
	b.ReportMetric(float64(used.Microseconds())/float64(requests), "µs-CPU/request")
	b.ReportMetric(connected.Seconds(), "s-to-connect")
	b.ReportMetric(returned.Seconds(), "s-to-return")
	b.ReportMetric(memory, "KiB/robot")
	b.ReportMetric(idle, "%CPU-idle")
}

// awaitCrowd returns how long after a time all robots were connected.
func (s *site) awaitCrowd(b *testing.B, since time.Time) time.Duration {
	b.Helper()
	for s.count() < crowd {
		if time.Since(since) > time.Minute {
			b.Fatalf("%d robots are connected", s.count())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(since)
}

func (s *site) count() int {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return len(s.server.robots)
}

// playRobots connects the robots, and answers requests until the process is interrupted.
func playRobots(b *testing.B, url string) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	handler := &http.Server{ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	var all sync.WaitGroup
	for i := range crowd {
		key, err := identity.New()
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			tunnel.Keep(ctx, tunnel.Config{URL: url, Robot: fmt.Sprintf("robot-%d", i), Key: key},
				func(session *tunnel.Session) { _ = handler.Serve(session) })
		})
	}
	all.Wait()
}

// resident is the memory of this process in KiB.
func resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("there is no /proc")
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
