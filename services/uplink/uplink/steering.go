package uplink

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
)

const (
	// steerEvery is how often cameras are told what the link carries.
	steerEvery = time.Second
	// limitTTL ends the limits of an uplink that is gone.
	limitTTL = 3 * time.Second
	// late is how long a picture takes over a link that carries too little, and easy over one that carries more.
	late = 150 * time.Millisecond
	easy = 60 * time.Millisecond
	// share is how much of what the link carries video gets, and growth how fast a limit is lifted, in a second.
	share  = 0.85
	growth = 1.06
	// leastRate and mostRate bound a limit, in bit/s; beyond the latter there is none.
	leastRate = 50_000
	mostRate  = 40_000_000
	// limiter names the uplink to cameras.
	limiter = "uplink"
)

// steering keeps what cameras encode below what the link carries.
type steering struct {
	*session
	sender *sender
	limit  float64 // of all video together, in bit/s; 0 for none
}

func newSteering(s *session, sender *sender) *steering { return &steering{session: s, sender: sender} }

// run steers until ctx ends.
func (s *steering) run(ctx context.Context) {
	for pause(ctx, steerEvery) == nil {
		r := s.sender.report(time.Now())
		s.limit = adjust(s.limit, r)
		streams := s.box.Video()
		if s.limit == 0 || len(streams) == 0 {
			continue // limits that are not renewed end
		}
		each := min(max(int64(s.limit)/int64(len(streams)), leastRate), mostRate)
		for _, of := range streams {
			s.tell(ctx, of, each)
		}
	}
}

// adjust returns the limit that follows from a report.
func adjust(limit float64, r report) float64 {
	carried := share * 8 * float64(r.rate)
	switch {
	case r.oldest > late && r.rate > 0:
		limit = max(carried, leastRate)
	case limit == 0:
	case r.oldest < easy:
		limit *= growth
	}
	if limit > mostRate {
		return 0
	}
	return limit
}

// tell is best effort: a camera that cannot be told loses pictures instead.
func (s *steering) tell(ctx context.Context, of outbox.Stream, rate int64) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err := s.camera(of.Device).LimitBitrate(ctx, &camerav1.LimitBitrateRequest{
		Stream: of.Name, Holder: limiter, BitrateBps: rate, Ttl: durationpb.New(limitTTL),
	})
	if err != nil && ctx.Err() == nil {
		s.kit.Log.Debug("the bit rate cannot be limited", "of", of.Device, "stream", of.Name, "error", err)
	}
}
