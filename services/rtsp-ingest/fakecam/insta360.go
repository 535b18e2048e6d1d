package fakecam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// What an Insta360 camera counts beside what others do. A command counts under its name, as in Kind("TAKE_PICTURE").
const (
	Synchronised Kind = "synchronisation received"
	KeptAlive    Kind = "keepalive received"
	Dropped      Kind = "silent viewer dropped"
	Disturbed    Kind = "packet of another kind received"
)

// Insta360Config says what a camera of Insta360 is like. The zero value keeps the rules and sends the clip
// baseline.h264.
type Insta360Config struct {
	Listen   string        // host:port; 127.0.0.1:0 if empty
	Video    *Media        // H.264 or H.265
	Interval time.Duration // between two pictures: 40 ms if 0
	// Cut cuts a picture, with start codes, into packets; a picture is one packet if nil.
	Cut func(picture []byte) [][]byte
	// Gyro is the size of the records of samples: 48 or 56, 0 for none. One comes after each picture.
	Gyro int
	// Between returns what else is sent after the picture n, from 0 on.
	Between func(n int) []wire.Packet
	// Write cuts what is sent into writes of so many bytes; each packet is one write if 0.
	Write int
	// Merge is how many packets are sent in one write; 1 if 0.
	Merge int
	// Silence is after how long without a packet a viewer is dropped: 10 s if 0.
	Silence time.Duration
	// Deaf cameras do not answer a synchronisation.
	Deaf bool
	// Answer returns the answer to a command; false is the usual one. No packets is none.
	Answer func(command wire.Packet) ([]wire.Packet, bool)
	Info   wire.Options // what the camera tells about itself
	Files  []string     // on the card; at most 100 are listed at a time
}

// Insta360 is a fake camera of Insta360.
type Insta360 struct {
	counters
	config  Insta360Config
	address string
	ctx     context.Context // ends with the camera
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	viewers  map[*insta360Viewer]bool
	commands []wire.Packet
	paused   bool
}

// listed is how many files a camera lists at a time.
const listed = 100

// StartInsta360 starts a camera that ends with the test.
func StartInsta360(t TB, config Insta360Config) *Insta360 {
	t.Helper()
	return start(t, NewInsta360, config)
}

// NewInsta360 starts a camera.
func NewInsta360(config Insta360Config) (*Insta360, error) {
	set(&config.Listen, "127.0.0.1:0")
	ln, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("fakecam: %w", err)
	}
	c := NewInsta360Pipe(config)
	c.address = ln.Addr().String()
	c.running.Go(func() { c.accept(ln) })
	context.AfterFunc(c.ctx, func() { _ = ln.Close() })
	return c, nil
}

// NewInsta360Pipe starts a camera without a network, for tests in a bubble of testing/synctest: see Dial.
func NewInsta360Pipe(config Insta360Config) *Insta360 {
	set(&config.Interval, time.Second/FPS)
	set(&config.Silence, 10*time.Second)
	set(&config.Merge, 1)
	if config.Video == nil {
		config.Video = Clip("baseline.h264")
	}
	c := &Insta360{config: config, viewers: map[*insta360Viewer]bool{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Dial returns one end of a connection in memory, of which the camera has the other.
func (c *Insta360) Dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	c.running.Go(func() { c.serve(ours) })
	return theirs, nil
}

// URL is the address of the camera.
func (c *Insta360) URL() string { return "insta360://" + c.address }

// Close closes all sockets and waits until the camera has ended.
func (c *Insta360) Close() {
	c.cancel()
	c.running.Wait()
}

// Pause stops pictures and samples; their time goes on. Commands are answered. Resume ends it.
func (c *Insta360) Pause() { c.pause(true) }

// Resume ends Pause.
func (c *Insta360) Resume() { c.pause(false) }

func (c *Insta360) pause(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
}

// Commands returns all commands that came, in their order.
func (c *Insta360) Commands() []wire.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.commands)
}

// Send sends packets, such as notifications, to all viewers.
func (c *Insta360) Send(packets ...wire.Packet) {
	for _, v := range c.all() {
		_ = v.send(packets...) // a viewer that has gone
	}
}

// SendBytes sends bytes to all viewers, for packets that must not be.
func (c *Insta360) SendBytes(b []byte) {
	for _, v := range c.all() {
		_ = v.write(b)
	}
}

// Hangup ends all connections properly.
func (c *Insta360) Hangup() {
	for _, v := range c.all() {
		_ = v.socket.Close()
	}
}

// Reset ends all connections with a TCP reset.
func (c *Insta360) Reset() {
	for _, v := range c.all() {
		if tcp, ok := v.socket.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = v.socket.Close()
	}
}

func (c *Insta360) all() []*insta360Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*insta360Viewer
	for v := range c.viewers {
		all = append(all, v)
	}
	return all
}

func (c *Insta360) accept(ln net.Listener) {
	defer func() { _ = ln.Close() }()
	for {
		socket, err := ln.Accept()
		if err != nil {
			return
		}
		c.running.Go(func() { c.serve(socket) })
	}
}

// insta360Viewer is a connection to the camera.
type insta360Viewer struct {
	camera *Insta360
	socket net.Conn
	player sync.WaitGroup
	stop   context.CancelFunc // ends the player, nil while there is none

	writing sync.Mutex
	merged  []byte // packets that wait for others
	waiting int
}

// serve serves one viewer.
func (c *Insta360) serve(socket net.Conn) {
	v := &insta360Viewer{camera: c, socket: socket}
	stop := context.AfterFunc(c.ctx, func() { _ = socket.Close() })
	defer stop()
	c.mu.Lock()
	c.viewers[v] = true
	c.mu.Unlock()
	c.add(Connected)
	v.read()
	_ = socket.Close()
	v.end()
	c.mu.Lock()
	delete(c.viewers, v)
	c.mu.Unlock()
	c.add(Disconnected)
}

// read answers until the connection ends or the viewer is silent.
func (v *insta360Viewer) read() {
	in := wire.NewReader(v.socket)
	for {
		_ = v.socket.SetReadDeadline(time.Now().Add(v.camera.config.Silence))
		p, err := in.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			v.camera.add(Dropped)
		}
		if err != nil || v.take(p) != nil {
			return
		}
	}
}

func (v *insta360Viewer) take(p wire.Packet) error {
	switch p.Kind {
	case wire.Sync:
		v.camera.add(Synchronised)
		if !v.camera.config.Deaf {
			return v.send(p)
		}
	case wire.KeepAlive:
		v.camera.add(KeptAlive)
	case wire.Message:
		return v.command(p)
	default:
		v.camera.add(Disturbed)
	}
	return nil
}

// command does what is asked, and answers.
func (v *insta360Viewer) command(p wire.Packet) error {
	c := v.camera
	c.mu.Lock()
	c.commands = append(c.commands, p)
	c.mu.Unlock()
	defer c.add(Kind(p.Code.String()))
	if c.config.Answer != nil {
		if answers, ok := c.config.Answer(p); ok {
			return v.send(answers...)
		}
	}
	answer := wire.Packet{Kind: wire.Message, Code: wire.OK, Sequence: p.Sequence}
	switch p.Code {
	case wire.StartLiveStream:
		defer v.play()
	case wire.StopLiveStream:
		v.end()
	case wire.GetOptions:
		types, _, _ := wire.ParseOptions(p.Data)
		answer.Data = wire.MarshalOptions(c.config.Info, types...)
	case wire.GetFileList:
		answer.Data = c.list(p.Data)
	case wire.StopCapture:
		answer.Data = wire.File{URI: "/DCIM/Camera01/VID_1.insv", Size: 5 << 30, Seconds: 61}.MarshalStopCapture()
	case wire.GetCaptureStatus:
		answer.Data = wire.CaptureStatus{State: 1, Seconds: 12}.MarshalAnswer()
	}
	return v.send(answer)
}

func (c *Insta360) list(request []byte) []byte {
	want, err := wire.ParseFileList(request)
	total := len(c.config.Files)
	if err != nil || want.Start < 0 || want.Limit < 0 {
		return nil
	}
	from := min(int(want.Start), total)
	to := min(from+min(int(want.Limit), listed), total)
	return wire.Files{URIs: c.config.Files[from:to], Total: int32(total)}.Marshal()
}

// play starts the preview.
func (v *insta360Viewer) play() {
	v.end()
	ctx, cancel := context.WithCancel(v.camera.ctx)
	v.stop = cancel
	v.player.Go(func() { v.preview(ctx) })
	v.camera.add(Playing)
}

// end ends the preview.
func (v *insta360Viewer) end() {
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
	v.player.Wait()
}
