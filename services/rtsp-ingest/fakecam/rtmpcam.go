package fakecam

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// RTMPConfig says what a camera is like whose stream is pulled by RTMP.
type RTMPConfig struct {
	Listen string // host:port; 127.0.0.1:0 if empty
	Path   string // "/live/stream" if empty
	Video  *Media // H.264 or H.265: baseline.h264 if nil
	Sound  *Media // AAC or G.711 at 8 kHz; none if nil
	Login  Login  // user and password
	// Start is the time of the first picture.
	Start time.Duration
	// Edit changes a picture, its presentation and its sending time; false drops it.
	Edit func(u *Unit, n int, pts, dts *time.Duration) bool
	// Limit closes the connection after so many pictures; 0 is never.
	Limit int
}

// RTMPCamera is a fake camera that is pulled by RTMP.
type RTMPCamera struct {
	counters
	config  RTMPConfig
	address string
	cancel  context.CancelFunc
	paused  atomic.Bool
	running sync.WaitGroup
}

// StartRTMP starts a camera that ends with the test.
func StartRTMP(t TB, config RTMPConfig) *RTMPCamera {
	t.Helper()
	return start(t, NewRTMP, config)
}

// NewRTMP starts a camera.
func NewRTMP(config RTMPConfig) (*RTMPCamera, error) {
	set(&config.Listen, "127.0.0.1:0")
	set(&config.Path, "/live/stream")
	if config.Video == nil {
		config.Video = Clip("baseline.h264")
	}
	ln, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("fakecam: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &RTMPCamera{config: config, address: ln.Addr().String(), cancel: cancel}
	c.running.Go(func() { c.accept(ctx, ln) })
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	return c, nil
}

// URL is the address of the stream, without user and password.
func (c *RTMPCamera) URL() string { return "rtmp://" + c.address + c.config.Path }

// Pause stops pictures and sound; their time goes on. Resume ends it.
func (c *RTMPCamera) Pause() { c.paused.Store(true) }

// Resume ends Pause.
func (c *RTMPCamera) Resume() { c.paused.Store(false) }

// Close closes all sockets at once and waits until the camera has ended.
func (c *RTMPCamera) Close() {
	c.cancel()
	c.running.Wait()
}

func (c *RTMPCamera) accept(ctx context.Context, ln net.Listener) {
	defer func() { _ = ln.Close() }()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		c.add(Connected)
		c.running.Go(func() { c.serve(ctx, nc) })
	}
}

// serve serves one viewer. It drops whoever publishes.
func (c *RTMPCamera) serve(ctx context.Context, nc net.Conn) {
	defer c.add(Disconnected)
	defer func() { _ = nc.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	_ = nc.SetDeadline(time.Now().Add(writeTime))
	sc := &gortmplib.ServerConn{RW: nc}
	if sc.Initialize() != nil || !c.welcome(sc) || sc.Accept() != nil {
		return
	}
	if sc.Publish {
		c.add(Published)
		return
	}
	_ = nc.SetReadDeadline(time.Time{})
	c.add(Playing)
	_ = c.play(ctx, nc, sc) // the viewer has gone, or the camera ends
}

func (c *RTMPCamera) welcome(sc *gortmplib.ServerConn) bool {
	if c.config.Login.User == "" {
		return true
	}
	if sc.CheckCredentials(c.config.Login.User, c.config.Login.Password) != nil {
		c.add(Refused)
		return false
	}
	c.add(LoggedIn)
	return true
}

// rtmpTrack is media on its way to one viewer.
type rtmpTrack struct {
	media *Media
	write func(u Unit, pts, dts time.Duration) error
	sent  int
}

// due is when the next unit is sent.
func (t *rtmpTrack) due() time.Duration { return t.at(t.sent) }

func (t *rtmpTrack) at(n int) time.Duration {
	return time.Duration(n) * time.Duration(t.media.Step) * time.Second / time.Duration(t.media.Clock)
}

func (c *RTMPCamera) play(ctx context.Context, nc net.Conn, sc *gortmplib.ServerConn) error {
	w := &gortmplib.Writer{Conn: sc}
	tracks := []*rtmpTrack{videoTrack(w, c.config.Video)}
	if c.config.Sound != nil {
		tracks = append(tracks, soundTrack(w, c.config.Sound))
	}
	if err := w.Initialize(); err != nil {
		return err
	}
	for start := time.Now(); ; {
		next := tracks[0]
		if len(tracks) > 1 && tracks[1].due() < next.due() {
			next = tracks[1]
		}
		if !sleep(ctx, time.Until(start.Add(next.due()))) {
			return ctx.Err()
		}
		_ = nc.SetWriteDeadline(time.Now().Add(writeTime))
		if err := c.send(next); err != nil {
			return err
		}
		if c.config.Limit > 0 && tracks[0].sent >= c.config.Limit {
			return nil
		}
	}
}

// send sends the next unit of a track.
func (c *RTMPCamera) send(t *rtmpTrack) error {
	n, units := t.sent, t.media.Units
	t.sent++
	if c.paused.Load() {
		return nil
	}
	u := units[n%len(units)]
	behind := 0
	for i, u := range units {
		behind = max(behind, i-u.Place) // no picture is presented before it is sent
	}
	pts := c.config.Start + t.at(n-n%len(units)+u.Place+behind)
	dts := c.config.Start + t.at(n)
	if t.media.Video() && c.config.Edit != nil && !c.config.Edit(&u, n, &pts, &dts) {
		return nil
	}
	if err := t.write(u, pts, dts); err != nil {
		return err
	}
	c.add(UnitSent)
	return nil
}

func videoTrack(w *gortmplib.Writer, m *Media) *rtmpTrack {
	sets := m.Parameters()
	if m.Encoding == H265 {
		t := &gortmplib.Track{Codec: &codecs.H265{VPS: sets[0], SPS: sets[1], PPS: sets[2]}}
		w.Tracks = append(w.Tracks, t)
		return &rtmpTrack{media: m, write: func(u Unit, pts, dts time.Duration) error {
			return w.WriteH265(t, pts, dts, u.Data)
		}}
	}
	t := &gortmplib.Track{Codec: &codecs.H264{SPS: sets[0], PPS: sets[1]}}
	w.Tracks = append(w.Tracks, t)
	return &rtmpTrack{media: m, write: func(u Unit, pts, dts time.Duration) error {
		return w.WriteH264(t, pts, dts,
			u.Data)
	}}
}

func soundTrack(w *gortmplib.Writer, m *Media) *rtmpTrack {
	if m.Encoding == AAC {
		var config mpeg4audio.AudioSpecificConfig
		if err := config.Unmarshal(m.Config); err != nil {
			panic(err) // of a clip of ours
		}
		t := &gortmplib.Track{Codec: &codecs.MPEG4Audio{Config: &config}}
		w.Tracks = append(w.Tracks, t)
		return &rtmpTrack{media: m, write: func(u Unit, pts, _ time.Duration) error {
			return w.WriteMPEG4Audio(t, pts, u.Data[0])
		}}
	}
	t := &gortmplib.Track{Codec: &codecs.G711{MULaw: m.Encoding == PCMU, ChannelCount: 1}}
	w.Tracks = append(w.Tracks, t)
	return &rtmpTrack{media: m, write: func(u Unit, pts, _ time.Duration) error {
		return w.WriteG711(t, pts,
			u.Data[0])
	}}
}
