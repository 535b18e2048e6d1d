package server

import (
	"crypto/rand"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/viewing"
)

// measureEvery is how often paths are looked at, for the metrics and for peers.
const measureEvery = time.Second

// measure notes the round trip to every viewer once a second until the server closes.
func (s *Server) measure() {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		for _, w := range s.watching() {
			w.viewer.RoundTrip(w.peer.Path().RoundTrip())
		}
	}
}

// watched is a connection, and the viewer at its far end.
type watched struct {
	peer   *rtc.Peer
	viewer *viewing.Viewer
}

// watching are all connections.
func (s *Server) watching() []watched {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]watched, 0, len(s.connections)+len(s.resources))
	for _, c := range s.connections {
		all = append(all, watched{c.peer, c.viewer})
	}
	for _, r := range s.resources {
		all = append(all, watched{r.peer, r.viewer})
	}
	return all
}

// shown takes what the peer has shown. Without WebRTC the videos come by WebSockets of their own, whose viewer is the
// session.
func (n *session) shown(r *signalingv1.Shown) error {
	if n.gate != nil {
		return status.Error(codes.PermissionDenied, "shown: through a rendezvous server it goes over the channel "+
			sessionChannel)
	}
	if c := n.connection; c != nil {
		sending := c.peer.Sending()
		return c.viewer.Shown(r, func(device string) bool {
			return slices.ContainsFunc(sending, func(v rtc.Sending) bool { return v.Stream.Device == device })
		}, time.Now())
	}
	if n.viewer == nil {
		n.viewer = n.server.meters.Viewer("session-" + rand.Text()[:8])
	}
	return n.viewer.Shown(r, func(device string) bool { return n.server.directory.Check(device) == nil }, time.Now())
}

// pushPath tells the peer once a second what is known of the path to it: while pictures are sent, and while it has no
// connection, so that it knows that it may tell what it shows.
func (n *session) pushPath() {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	var sent departures
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		path := &signalingv1.Path{}
		if c := n.current.Load(); c != nil {
			if path = pathTo(c.peer, &sent, time.Now()); len(path.GetVideos()) == 0 {
				continue
			}
		}
		if n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Path{Path: path}}) != nil {
			return // the transport is closed now
		}
	}
}

// departures are how much each track had sent when that was last looked at.
type departures struct {
	at    time.Time
	bytes map[*tracks.Track]uint64
}

// rate is the bit rate of a track since the last look; 0 at the first.
func (d *departures) rate(t *tracks.Track, now time.Time) int64 {
	before, known := d.bytes[t]
	if took := now.Sub(d.at).Seconds(); known && took > 0 {
		return int64(float64(8*(t.Sent()-before)) / took)
	}
	return 0
}

// pathTo is what is known of the path to a peer. It updates what was sent before.
func pathTo(p *rtc.Peer, sent *departures, now time.Time) *signalingv1.Path {
	known := p.Path().Snapshot()
	m := &signalingv1.Path{
		RoundTripMs: milliseconds(known.RoundTrip), AvailableBps: known.Available, QueueMs: milliseconds(known.Queue),
	}
	next := departures{at: now, bytes: make(map[*tracks.Track]uint64)}
	for _, v := range p.Sending() {
		m.Videos = append(m.Videos, &signalingv1.PathVideo{
			Mid: v.MID, Device: v.Stream.Device, Stream: v.Track.Sending().Name, BitrateBps: sent.rate(v.Track, now),
			MinPlayoutMs: int32(v.Playout.Min.Milliseconds()), MaxPlayoutMs: int32(v.Playout.Max.Milliseconds()),
			Repaired: float32(v.Repaired),
		})
		if newest, ok := v.Track.Newest(); ok {
			last := m.Videos[len(m.Videos)-1]
			last.RtpTimestamp, last.CaptureTime = int64(newest.Timestamp), timestamppb.New(newest.Captured)
		}
		next.bytes[v.Track] = v.Track.Sent()
	}
	*sent = next
	return m
}

func milliseconds(d time.Duration) float32 { return float32(d.Seconds() * 1000) }
