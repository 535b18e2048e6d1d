package steer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/linktest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/paths"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	numberID, captureID = 1, 2 // of header extensions
	feedbackEvery       = 50 * time.Millisecond
	overhead            = 64 // of a packet
)

// guest is somebody who watches: their path over a rough link, the track that the gateway sends, and a receiver that
// reports arrivals. It is the context of the negotiated track, and its writer.
type guest struct {
	webrtc.TrackLocalContext // no other methods are used
	t                        *testing.T
	name                     string
	path                     *paths.Path
	link                     *linktest.Link
	track                    *tracks.Track
	viewer                   *steer.Viewer
	began                    time.Time
	over                     sync.WaitGroup
	stop                     chan struct{}

	mu       sync.Mutex
	recorder *twcc.Recorder
	next     uint16 // sequence number
	broken   bool   // a packet is missing
	captured time.Time
	shown    []shown
}

// shown is a picture that has arrived.
type shown struct {
	at, age time.Duration
	stream  string // that is sent meanwhile
}

// join has somebody watch over a link.
func join(t *testing.T, hub *tracks.Hub, s *steer.Steering, name string, p linktest.Profile, seed uint64) *guest {
	t.Helper()
	g := &guest{t: t, name: name, path: paths.New(), began: time.Now(), stop: make(chan struct{}),
		recorder: twcc.NewRecorder(1)}
	var err error
	if g.link, err = linktest.NewLink(p, seed); err != nil {
		t.Fatal(err)
	}
	if g.track, err = hub.NewTrack(t.Context(), webrtc.RTPCodecTypeVideo, video, name); err != nil {
		t.Fatal(err)
	}
	g.track.Over(g.path)
	if _, err := g.track.Bind(g); err != nil {
		t.Fatal(err)
	}
	g.viewer = s.Join(name, g.path)
	g.viewer.Show("0", video, steered{g.track})
	g.track.Start()
	g.over.Go(g.watchPath)
	g.over.Go(g.report)
	return g
}

// steered implements [steer.Video].
type steered struct{ *tracks.Track }

func (s steered) Send(ctx context.Context, stream tracks.Stream, keysOnly bool) {
	_ = s.Track.Send(ctx, stream, keysOnly)
}

func (g *guest) leave() {
	g.viewer.Leave()
	close(g.stop)
	g.track.Close()
	g.over.Wait()
	g.link.Close()
}

func (g *guest) watchPath() {
	for {
		changed := g.path.Changed()
		g.viewer.Changed()
		select {
		case <-g.stop:
			return
		case <-changed:
		}
	}
}

func (g *guest) CodecParameters() []webrtc.RTPCodecParameters {
	return []webrtc.RTPCodecParameters{{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "packetization-mode=1;profile-level-id=42e01f"}}}
}

func (g *guest) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{
		{URI: tracks.TransportURI, ID: numberID}, {URI: tracks.AbsCaptureTimeURI, ID: captureID}}
}

func (g *guest) SSRC() webrtc.SSRC                    { return 1 }
func (g *guest) WriteStream() webrtc.TrackLocalWriter { return g }
func (g *guest) ID() string                           { return g.name }
func (g *guest) RTCPReader() interceptor.RTCPReader   { return nil }
func (g *guest) Write([]byte) (int, error)            { panic("not used") }
func (g *guest) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	packet := rtp.Packet{Header: h.Clone(), Payload: payload}
	g.link.FromRobot.Send(nil, len(payload)+overhead, func([]byte) { g.receive(&packet) })
	return len(payload), nil
}

// receive takes a packet that has arrived. Without one that is missing, nothing can be decoded up to the next key
// frame.
func (g *guest) receive(p *rtp.Packet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.recorder.Record(1, binary.BigEndian.Uint16(p.GetExtension(numberID)), now.Sub(g.began).Microseconds())
	if g.next != 0 && p.SequenceNumber != g.next {
		g.broken = true
	}
	g.next = p.SequenceNumber + 1
	if capture := p.GetExtension(captureID); capture != nil {
		var e rtp.AbsCaptureTimeExtension
		if err := e.Unmarshal(capture); err != nil {
			g.t.Error(err)
		}
		g.captured = e.CaptureTime()
		g.broken = g.broken && p.Payload[0]&0x1f != 24 // a key frame begins with its parameter sets
	}
	if p.Marker && !g.broken {
		g.shown = append(g.shown, shown{now.Sub(g.began), now.Sub(g.captured), g.track.Sending().Name})
	}
}

// report tells the gateway what has arrived.
func (g *guest) report() {
	tick := time.NewTicker(feedbackEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-tick.C:
		}
		g.mu.Lock()
		reports := g.recorder.BuildFeedbackPacket()
		if g.broken {
			reports = append(reports, &rtcp.PictureLossIndication{MediaSSRC: 1})
		}
		g.mu.Unlock()
		for _, r := range reports {
			data, err := r.Marshal()
			if err != nil {
				g.t.Error(err)
			}
			g.link.ToRobot.Send(data, len(data)+overhead, func(data []byte) {
				if list, err := rtcp.Unmarshal(data); err == nil {
					g.path.RTCP(list, time.Now())
					g.track.HandleRTCP(list)
				}
			})
		}
	}
}

// between returns what was shown in a time.
func (g *guest) between(from, to time.Duration) (all []shown) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.shown {
		if s.at >= from && s.at < to {
			all = append(all, s)
		}
	}
	return all
}

// of returns what was shown in a time of a stream.
func (g *guest) of(stream tracks.Stream, from, to time.Duration) []shown {
	return slices.DeleteFunc(g.between(from, to), func(s shown) bool { return s.stream != stream.Name })
}

// age is a quantile of the ages of the pictures that were shown in a time.
func (g *guest) age(q float64, from, to time.Duration) time.Duration {
	var ages []time.Duration
	for _, s := range g.between(from, to) {
		ages = append(ages, s.age)
	}
	if len(ages) == 0 {
		return time.Hour
	}
	slices.Sort(ages)
	return ages[int(q*float64(len(ages)-1))]
}

// gap is the longest time without a picture.
func (g *guest) gap(from, to time.Duration) (longest time.Duration) {
	last := from
	for _, s := range g.between(from, to) {
		longest, last = max(longest, s.at-last), s.at
	}
	return max(longest, to-last)
}

// table describes what was shown, second by second.
func (g *guest) table() string {
	var b strings.Builder
	for from := time.Duration(0); from < time.Since(g.began)-time.Second; from += time.Second {
		to, stream := from+time.Second, ""
		all := g.between(from, to)
		if len(all) > 0 {
			stream = all[len(all)-1].stream
		}
		fmt.Fprintf(&b, "%s, %v: %d pictures of %s, age %v, gap %v\n", g.name, from, len(all), stream,
			g.age(.5, from, to).Round(time.Millisecond), g.gap(from, to).Round(time.Millisecond))
	}
	return b.String()
}
