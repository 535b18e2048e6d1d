package frames_test

import (
	"log/slog"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
)

// Frames of whatever video a connection brings.
func ExampleReadVideo() {
	var pc *webrtc.PeerConnection // made elsewhere
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		codec := codecs.Of(track.Codec().MimeType)
		if codec == nil || codec.Kind != webrtc.RTPCodecTypeVideo {
			return
		}
		v := frames.NewVideo(codec, frames.VideoConfig{NeedKey: func() {
			_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
		}})
		err := frames.ReadVideo(track, v, func(f *mediav1.VideoFrame) {
			slog.Info("a frame", "size", len(f.GetData()), "key", f.GetKeyFrame())
		})
		slog.Info("the track has ended", "error", err)
	})
}
