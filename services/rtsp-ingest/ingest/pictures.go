package ingest

import (
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/connect"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

// pictures is a [picture.Stream] as package connect wants it.
type pictures struct{ *picture.Stream }

func newPictures(t feed.Track) connect.Pictures {
	return pictures{picture.New(t.MediaType, t.ParameterSets)}
}

func (p pictures) Add(one feed.Picture, captured time.Time) (source.Frame, bool) {
	f, ok := p.Picture(one, captured)
	return source.Frame{Format: f.Format, Data: f.Data, Time: f.Time, Key: f.Key, Recode: f.Recode, Lost: f.Lost}, ok
}

func (p pictures) Remarks() connect.Remarks {
	s := p.State()
	return connect.Remarks{Waits: s.Waits, KeyInterval: s.Group}
}

func (p pictures) Info() source.Info {
	s := p.State()
	return source.Info{
		Native: []*mediav1.VideoFormat{s.Format}, Current: s.Format, Note: s.Warning,
		Recode: !s.Passage.Passes && media.InterCoded(s.Format.GetMediaType()),
		Attributes: map[string]string{"profile": s.Profile, "passes": passes(s),
			"key_frame_interval": interval(s.Group), "key_frame_warning": s.Warning},
	}
}

// passes says whether pictures go to viewers untouched, for people.
func passes(s picture.State) string {
	switch {
	case !s.Passage.Passes:
		return "no, encoded again while somebody watches: " + s.Passage.Why
	case s.Format.GetMediaType() == media.H265:
		return "to browsers that play H.265; encoded again while others watch: if that costs too much, set the camera, or " +
			"its second stream, to H.264"
	}
	return "yes"
}

func interval(d time.Duration) string {
	if d == 0 {
		return "unknown"
	}
	return d.Round(100 * time.Millisecond).String() // finer, it would change all the time
}
