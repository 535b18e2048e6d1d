package film

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// maxData bounds a frame, in bytes; what is on the bus is not larger.
	maxData = 64 << 20
	// Bounds of the remarks of a frame.
	maxRemarks = 64
)

// frames makes frames of the messages of a channel. It belongs to one goroutine.
type frames struct {
	mend     bool // they are not to be passed on byte for byte
	pictures *picture.Stream
	format   *mediav1.VideoFormat // of the last frame; shared between frames
	epoch    int64                // as recorded
	next     int64                // sequence of the next frame
	begun    time.Time            // when the first frame was captured
	missing  bool                 // something before the next frame was left out
	again    bool                 // the next frame continues nothing
}

func newFrames(mend bool) *frames { return &frames{mend: mend, pictures: picture.New("", nil)} }

// restart says that the next frame does not continue the last one.
func (s *frames) restart() { s.again = true }

// take makes a frame of a message; without an error there may be none because a key frame has to come first. The
// frame's time is that of its capture, and its epoch the recorded one.
func (s *frames) take(message []byte) (source.Frame, bool, error) {
	f, err := unmarshal(message)
	if err == nil {
		err = check(f)
	}
	if err != nil {
		s.missing = true
		return source.Frame{}, false, err
	}
	captured := f.GetCaptureTime().AsTime()
	made := source.Frame{Data: f.GetData(), Time: captured, Key: true, Metadata: f.GetMetadata(),
		Replay: &source.Replay{Captured: captured, Epoch: f.GetEpoch()}}
	if f.GetFormat().GetMediaType() == media.Raw {
		made.Format = s.shared(f.GetFormat())
		return made, true, nil
	}
	shown, err := s.shown(f, captured)
	if err != nil || shown.Data == nil {
		return source.Frame{}, false, err
	}
	made.Key, made.Recode = shown.Key, shown.Recode
	made.Format = s.shared(s.formatOf(f.GetFormat(), shown.Format))
	if s.mend {
		made.Data = shown.Data
	}
	return made, true, nil
}

// check finds what cannot be used at all.
func check(f *mediav1.VideoFrame) error {
	switch n := len(f.GetData()); {
	case n == 0:
		return errors.New("it has no data")
	case n > maxData:
		return fmt.Errorf("it has %d bytes, the limit is %d", n, maxData)
	case len(f.GetMetadata()) > maxRemarks:
		return fmt.Errorf("its metadata has %d entries, the limit is %d", len(f.GetMetadata()), maxRemarks)
	case f.GetCaptureTime().CheckValid() != nil:
		return errors.New("its capture_time is missing or not valid")
	case f.GetFormat().GetMediaType() != media.Raw:
		return nil
	}
	if err := media.Validate(f.GetFormat()); err != nil {
		return err
	}
	if n, want := len(f.GetData()), media.FrameSize(f.GetFormat()); n != want {
		return fmt.Errorf("it has %d bytes, but a picture of its format has %d", n, want)
	}
	return nil
}

// shown finds out whether a compressed picture can be decoded; there is no data if it can only with what has not come.
func (s *frames) shown(f *mediav1.VideoFrame, captured time.Time) (picture.Frame, error) {
	if s.begun.IsZero() {
		s.begun = captured
	}
	restart := s.again || f.GetEpoch() != s.epoch
	missing := !restart && (s.missing || f.GetSequence() != s.next)
	s.again, s.missing, s.epoch, s.next = false, false, f.GetEpoch(), f.GetSequence()+1
	mediaType := f.GetFormat().GetMediaType()
	shown, ok := s.pictures.Picture(picture.Picture{
		MediaType: mediaType, Data: picture.Parts(mediaType, f.GetData()), Time: captured.Sub(s.begun), Arrival: captured,
		Missing: missing, Restart: restart,
	}, captured)
	if ok {
		return shown, nil
	}
	if !media.InterCoded(mediaType) || f.GetKeyFrame() {
		return picture.Frame{}, fmt.Errorf("%s, %d bytes: %s", media.Name(mediaType), len(f.GetData()),
			s.pictures.State().Waits)
	}
	return picture.Frame{}, nil
}

// formatOf is the format of a picture as it was recorded, corrected by what the picture itself says.
func (s *frames) formatOf(said, is *mediav1.VideoFormat) *mediav1.VideoFormat {
	rate := said.GetFrameRateHz()
	if !(rate > 0 && rate <= media.MaxFrameRate) { // written so that NaN fails
		rate = is.GetFrameRateHz()
	}
	return &mediav1.VideoFormat{MediaType: is.GetMediaType(), WidthPx: is.GetWidthPx(), HeightPx: is.GetHeightPx(),
		FrameRateHz: rate}
}

// shared returns the format of the last frame if it is the same.
func (s *frames) shared(f *mediav1.VideoFormat) *mediav1.VideoFormat {
	if s.format == nil || !proto.Equal(s.format, f) {
		s.format = f
	}
	return s.format
}

// info describes what has come.
func (s *frames) info() source.Info {
	info := source.Info{Native: []*mediav1.VideoFormat{s.format}, Current: s.format, Unasked: true,
		Attributes: map[string]string{"driver": "replay"}}
	if !media.InterCoded(s.format.GetMediaType()) {
		return info
	}
	state := s.pictures.State()
	info.Recode = !state.Passage.Passes
	info.Attributes["profile"], info.Attributes["passes"] = state.Profile, "yes"
	if info.Recode {
		info.Attributes["passes"] = "no, encoded again while somebody watches: " + state.Passage.Why
	}
	return info
}
