package media

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Timed is a frame of video or sound.
type Timed interface {
	GetCaptureTime() *timestamppb.Timestamp
	GetReplayTime() *timestamppb.Timestamp
}

// Moment is when a frame was captured, or, of a replay, when its place was reached: what it is for those who ask how
// old it is, or how fast frames follow one another. It is zero if the frame does not say.
func Moment(f Timed) time.Time {
	for _, t := range []*timestamppb.Timestamp{f.GetReplayTime(), f.GetCaptureTime()} {
		if t.IsValid() && t.GetSeconds() > 0 {
			return t.AsTime()
		}
	}
	return time.Time{}
}
