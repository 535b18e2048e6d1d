package file

import (
	"errors"
	"os"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// openMP4 reads the index of an MP4 file, and keeps the file open for its pictures.
func openMP4(path string) (*clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := readMP4(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c.close = f.Close
	return c, nil
}

func readMP4(f *os.File) (*clip, error) {
	var p pmp4.Presentation
	if err := p.Unmarshal(f); err != nil {
		return nil, bad("no MP4 that can be read: %v", err)
	}
	for _, t := range p.Tracks {
		if codec, ok := t.Codec.(*codecs.H264); ok {
			return mp4Track(t, codec)
		}
	}
	return nil, bad("there is no H.264 track in it: convert it with ffmpeg -c:v libx264 -bf 0")
}

func mp4Track(t *pmp4.Track, codec *codecs.H264) (*clip, error) {
	sps, err := annexb.ParseSPS(codec.SPS)
	if err != nil {
		return nil, bad("%v", err)
	}
	if t.TimeScale == 0 {
		return nil, bad("it has no time scale")
	}
	c := &clip{}
	total := time.Duration(0)
	for i, s := range t.Samples {
		if s.PTSOffset != t.Samples[0].PTSOffset {
			return nil, bad("it has B frames, which viewers cannot show live: convert it with ffmpeg -c:v libx264 -bf 0")
		}
		if len(c.frames) == 0 && s.IsNonSyncSample {
			continue
		}
		d := time.Duration(s.Duration) * time.Second / time.Duration(t.TimeScale)
		if d == 0 && i == len(t.Samples)-1 && i > 0 {
			d = total / time.Duration(i) // some writers do not know how long the last picture lasts
		}
		total += d
		c.frames = append(c.frames, frame{key: !s.IsNonSyncSample, duration: d, read: reader(s, codec)})
	}
	if total <= 0 {
		return nil, bad("it lasts no time")
	}
	c.format = &mediav1.VideoFormat{
		MediaType: media.H264, WidthPx: int32(sps.Width), HeightPx: int32(sps.Height),
		FrameRateHz: float64(len(c.frames)) / total.Seconds(),
	}
	return c, nil
}

// reader reads a picture and writes it as Annex B, with the parameter sets in front of a key frame.
func reader(s *pmp4.Sample, codec *codecs.H264) func() ([]byte, error) {
	return func() ([]byte, error) {
		payload, err := s.GetPayload()
		if err != nil {
			return nil, err
		}
		var units h264.AVCC
		if err := units.Unmarshal(payload); err != nil {
			return nil, err
		}
		var out []byte
		if !s.IsNonSyncSample {
			out = annexb.Append(annexb.Append(out, codec.SPS), codec.PPS)
		}
		for _, nal := range units {
			if t := annexb.Type(nal); s.IsNonSyncSample || t != annexb.TypeSPS && t != annexb.TypePPS {
				out = annexb.Append(out, nal)
			}
		}
		return out, nil
	}
}
