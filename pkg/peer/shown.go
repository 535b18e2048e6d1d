package peer

import (
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const (
	// shownEvery is how often the gateway is told which pictures this program got.
	shownEvery = time.Second
	// The bounds of what it takes: videos in a report, ages of each, and each age.
	mostShown = 32
	mostAges  = 120
	mostAge   = time.Minute
)

// shown counts the frames of a camera that this program got, and how old they were then. It is safe for concurrent use.
type shown struct {
	mu    sync.Mutex
	count int32
	ages  []float32 // in ms
}

// got counts a frame that is handed to the program now.
func (s *shown) got(captured *timestamppb.Timestamp, c *clock) {
	now, known := c.now(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count = min(s.count+1, 10_000)
	if known && captured != nil && len(s.ages) < mostAges {
		age := min(max(now.Sub(captured.AsTime()), 0), mostAge)
		s.ages = append(s.ages, float32(age.Seconds()*1000))
	}
}

// take returns what was counted since the last time; nil if there was nothing.
func (s *shown) take(device string) *signalingv1.ShownVideo {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return nil
	}
	v := &signalingv1.ShownVideo{Device: device, AgesMs: s.ages, Count: s.count}
	s.count, s.ages = 0, nil
	return v
}

// takeShown returns what this program got of all cameras since the last time.
func (r *Robot) takeShown() *signalingv1.Shown {
	r.mu.Lock()
	feeds := make(map[string]*shown)
	for k, f := range r.feeds {
		if counted, ok := f.(interface{ counts() *shown }); ok && k.stream == "video" {
			feeds[k.device] = counted.counts()
		}
	}
	r.mu.Unlock()
	m := &signalingv1.Shown{}
	for device, s := range feeds {
		if v := s.take(device); v != nil && len(m.Videos) < mostShown {
			m.Videos = append(m.Videos, v)
		}
	}
	slices.SortFunc(m.Videos,
		func(a, b *signalingv1.ShownVideo) int { return strings.Compare(a.GetDevice(), b.GetDevice()) })
	return m
}

// tellShown tells the gateway once a second what this program got: one that says what it knows of the path, as earlier
// ones do not understand it.
func (l *link) tellShown(now time.Time) {
	if l.main == nil || !l.robot.hasPath(l.main) || now.Sub(l.told) < shownEvery {
		return
	}
	l.told = now
	if m := l.robot.takeShown(); len(m.GetVideos()) > 0 {
		_ = l.main.send(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Shown{Shown: m}}) // the wire notices its end
	}
}

// pathNews is what the gateway last said of the path, and in which session.
type pathNews struct {
	path *signalingv1.Path
	by   *wire
}

// notePath notes what the gateway says of the path.
func (r *Robot) notePath(p *signalingv1.Path, by *wire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path = pathNews{p, by}
}

// hasPath reports whether the gateway has said something of the path in a session.
func (r *Robot) hasPath(by *wire) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.path.by == by
}

// Path returns what the gateway last said of the path to this program: round trip, what it carries, and how videos are
// sent. It comes once a second while there are any; nil if the present session has not said it.
func (r *Robot) Path() *signalingv1.Path {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path.by == nil || r.path.by != r.session {
		return nil
	}
	return proto.CloneOf(r.path.path)
}
