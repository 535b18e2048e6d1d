package mjpeg

import (
	"context"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// maxAge bounds how long a picture may wait for a viewer.
const maxAge = 500 * time.Millisecond

// Viewer receives the pictures of one camera.
type Viewer struct {
	share *stream.Share[*source]
	sub   *stream.Subscription[*mediav1.VideoFrame]
	pace  media.Pacer
	lost  uint64 // counted so far
	end   sync.Once
}

func newViewer(share *stream.Share[*source], rate float64) *Viewer {
	share.Value.meters.viewers.Inc()
	return &Viewer{
		share: share, pace: media.Pacer{Rate: rate},
		sub: share.Value.pictures.Subscribe(stream.Latest().Within(maxAge)),
	}
}

// Next waits for the next picture. The frame is shared and must not be changed. It fails with the error of ctx, or with
// io.EOF once the hub is closed.
func (v *Viewer) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	for {
		f, err := v.sub.Next(ctx)
		v.countLost()
		if err != nil {
			return nil, err
		}
		if v.pace.Take(media.Moment(f), f.GetFormat().GetFrameRateHz()) {
			v.share.Value.meters.pictures.Inc()
			return f, nil
		}
	}
}

func (v *Viewer) countLost() {
	lost := v.sub.Lost()
	v.share.Value.meters.slow.Add(float64(lost - v.lost))
	v.lost = lost
}

// Close ends the viewer. It may be called more than once.
func (v *Viewer) Close() {
	v.end.Do(func() {
		v.countLost()
		v.sub.Close()
		v.share.Value.meters.viewers.Dec()
		v.share.Release()
	})
}
