package file

import (
	"fmt"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// convert is the remedy for videos that browsers cannot show, or cannot show live.
const convert = "convert it with ffmpeg -i FILE -an -c:v libx264 -bf 0 -pix_fmt yuv420p OUT.mp4"

// checkSPS checks that browsers and decoders can handle the pictures, and returns their size, which must not change.
func checkSPS(sets [][]byte) (first annexb.SPS, err error) {
	if len(sets) == 0 {
		return first, bad("it has no sequence parameter set: it is cut off at its beginning, or is not H.264")
	}
	for i, set := range sets {
		s, c, err := annexb.ParseSPSAndCoding(set)
		if err != nil {
			return first, bad("%v", err)
		}
		if why := unplayable(s, c); why != "" {
			return first, bad("%s", why)
		}
		if i == 0 {
			first = s
		}
		if s.Width != first.Width || s.Height != first.Height {
			return first, bad("its pictures change from %dx%d to %dx%d: convert it with ffmpeg -i FILE -an -vf scale=%d:%d "+
				"-c:v libx264 -bf 0 OUT.mp4",
				first.Width, first.Height, s.Width, s.Height, first.Width, first.Height)
		}
	}
	return first, nil
}

// unplayable describes what browsers and the decoder do not handle, and the remedy; it is empty if they handle
// everything.
func unplayable(s annexb.SPS, c annexb.Coding) string {
	const takes = "browsers show 8-bit 4:2:0, progressive"
	switch {
	case c.Interlaced:
		return "its H.264 is interlaced; " + takes + ": convert it with ffmpeg -i FILE -an -vf yadif -c:v libx264 -bf 0 " +
			"-pix_fmt yuv420p OUT.mp4"
	case c.Depth != 8:
		return fmt.Sprintf("its H.264 has %d bits a sample; %s: %s", c.Depth, takes, convert)
	case c.Chroma != 1:
		name := map[int]string{0: "monochrome", 2: "4:2:2", 3: "4:4:4"}[c.Chroma]
		return fmt.Sprintf("its H.264 is %s; %s: %s", name, takes, convert)
	case c.Lossless || s.Profile != 66 && s.Profile != 77 && s.Profile != 100:
		return fmt.Sprintf("its H.264 has profile %d, must be baseline, main or high: %s", s.Profile, convert)
	}
	return ""
}

// parseH264 splits an Annex B stream into pictures, starting at the first key frame.
func parseH264(data []byte, config Config) (*clip, error) {
	var pictures, sets [][]byte
	for nal := range annexb.NALs(data) {
		if annexb.Type(nal) == annexb.TypeSPS {
			sets = append(sets, nal)
		}
		if annexb.IsB(nal) {
			return nil, bad("it has B frames, which viewers cannot show live: %s", convert)
		}
	}
	size, err := checkSPS(sets)
	if err != nil {
		return nil, err
	}
	for au := range annexb.AccessUnits(data) {
		if len(pictures) > 0 || annexb.IsKeyFrame(au) {
			pictures = append(pictures, au)
		}
	}
	format := &mediav1.VideoFormat{
		MediaType: media.H264, WidthPx: int32(size.Width), HeightPx: int32(size.Height), FrameRateHz: config.FrameRate,
	}
	return inMemory(format, pictures, annexb.IsKeyFrame), nil
}
