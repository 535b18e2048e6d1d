package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/procstat"
)

// source is the bus with the camera, in this process.
type source struct {
	server *embedded.Server
	camera *fakecam.Camera
	url    string
}

func startSource() (*source, error) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		return nil, err
	}
	camera, err := fakecam.Start(server.URL(), bus.Address{Robot: "bench", Device: "front"},
		fakecam.Config{FrameRate: frameRate, FrameBytes: frameBytes, KeyFrameBytes: frameBytes})
	if err != nil {
		server.Close()
		return nil, err
	}
	return &source{server, camera, server.URL()}, nil
}

func (s *source) close() {
	s.camera.Stop()
	s.server.Close()
}

// child is this program again, in another role. It says one line when it is ready and ends when its input does.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Reader
}

func start(args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startAs(self, args...)
}

// startAs starts this program as built from another commit.
func startAs(file string, args ...string) (*child, error) {
	cmd := exec.Command(file, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &child{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (c *child) line() (string, error) {
	line, err := c.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (c *child) end() error { return errors.Join(c.stdin.Close(), c.cmd.Wait()) }

// waitForEnd returns when the parent closes our input.
func waitForEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// sender is a process that sends the frames to viewers.
type sender struct {
	pid  int
	whep string
	end  func() error
}

// startSender starts one by its name, or by name and file.
func startSender(name, nats string) (*sender, error) {
	name, file, other := strings.Cut(name, "=")
	var c *child
	var err error
	switch {
	case name == "mediamtx":
		return startMediamtx(file)
	case other:
		c, err = startAs(file, "-role", gatewaySender, "-url", nats)
	default:
		c, err = start("-role", name, "-url", nats)
	}
	if err != nil {
		return nil, err
	}
	base, err := c.line()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sender: %w", err), c.end())
	}
	return &sender{c.cmd.Process.Pid, base + "whep/front", c.end}, nil
}

// measure runs a sender and its viewers.
func (p *plan) measure(name, nats, profile string, viewers int) (r result, err error) {
	s, err := startSender(name, nats)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	// One viewer that comes and goes first, so that memory for the stream is not counted as memory for viewers.
	if _, err := p.far.watch(s.whep, profile, 1, time.Second, nil); err != nil {
		return r, err
	}
	before, err := procstat.Resident(s.pid)
	if err != nil {
		return r, err
	}
	idle, err := s.cpu(func() error { time.Sleep(p.window / 4); return nil })
	if err != nil {
		return r, err
	}
	name, _, _ = strings.Cut(name, "=")
	r = result{Sender: name, Profile: profile, Viewers: viewers}
	counted, err := p.far.watch(s.whep, profile, viewers, p.window, func(measured func() (received, error)) error {
		return r.fill(s, measured, before, idle)
	})
	r.LostPackets = counted.Lost
	return r, err
}

// cpu returns how many cores are used while something is done.
func (s *sender) cpu(during func() error) (cores float64, err error) {
	before, err := procstat.CPU(s.pid)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := during(); err != nil {
		return 0, err
	}
	after, err := procstat.CPU(s.pid)
	return (after - before).Seconds() / time.Since(begin).Seconds(), err
}

// fill measures the process while its viewers receive.
func (r *result) fill(s *sender, received func() (received, error), before, idle float64) (err error) {
	begin := time.Now()
	cores, err := s.cpu(func() error {
		got, err := received()
		took := time.Since(begin).Seconds()
		r.PacketsPerSec = float64(got.Packets) / took
		r.FrameRate = float64(got.Frames) / took / float64(r.Viewers)
		return err
	})
	if err != nil {
		return err
	}
	cores = max(0, cores-idle)
	r.ResidentMiB, err = procstat.Resident(s.pid)
	r.CPUPercent = 100 * cores
	r.PerViewer = r.CPUPercent / float64(r.Viewers)
	r.MiBPerViewer = (r.ResidentMiB - before) / float64(r.Viewers)
	r.MicrosPacket = cores * 1e6 / r.PacketsPerSec
	return err
}

// received is what the receiving child counts.
type received struct {
	Packets int `json:"packets"` // in the window
	Frames  int `json:"frames"`  // likewise: their last packets
	Lost    int `json:"lost"`    // since the beginning
}

// far is where the viewers are.
type far struct {
	namespace string // of the network; empty: that of this process
	address   string // theirs
}

// start starts a child there.
func (f far) start(args ...string) (*child, error) {
	if f.namespace == "" {
		return start(args...)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startAs("ip", append([]string{"netns", "exec", f.namespace, self}, args...)...)
}

// watch runs a child with so many viewers for the window, with body around it.
func (f far) watch(
	whep, profile string, viewers int, window time.Duration, body func(func() (received, error)) error,
) (got received, err error) {
	c, err := f.start("-role", "receive", "-url", whep, "-viewers", strconv.Itoa(viewers), "-profiles", profile,
		"-address", f.address)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	if _, err := c.line(); err != nil {
		return got, fmt.Errorf("viewers: %w", err)
	}
	time.Sleep(2 * time.Second) // let what connecting costs pass
	wait := func() (received, error) {
		first, err := c.count()
		if err != nil {
			return received{}, err
		}
		time.Sleep(window)
		got, err = c.count()
		return received{Packets: got.Packets - first.Packets, Frames: got.Frames - first.Frames, Lost: got.Lost}, err
	}
	if body == nil {
		_, err = wait()
		return got, err
	}
	return got, body(func() (received, error) {
		got, err = wait()
		return got, err
	})
}

// count asks the receiving child for its numbers: it writes them ten times a second, the newest one counts.
func (c *child) count() (received, error) {
	for { // what has piled up
		line, err := c.line()
		if err != nil {
			return received{}, err
		}
		if c.lines.Buffered() == 0 {
			var r received
			return r, json.Unmarshal([]byte(line), &r)
		}
	}
}
