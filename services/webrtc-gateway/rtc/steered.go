package rtc

import (
	"context"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// watchPath has the cameras adapted when something changes about the path to the far end, until the connection ends.
func (p *Peer) watchPath() {
	for {
		changed := p.path.Changed()
		p.viewer.Changed()
		select {
		case <-p.ctx.Done():
			return
		case <-changed:
		}
	}
}

// steered is a track that is told which stream to send. It implements [steer.Video].
type steered struct{ *tracks.Track }

// Send implements [steer.Video]. What fails is tried again soon.
func (s steered) Send(ctx context.Context, stream tracks.Stream, keysOnly bool) {
	_ = s.Track.Send(ctx, stream, keysOnly)
}
