package file

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
)

// inMemory makes a clip of pictures that are in memory already.
func inMemory(format *mediav1.VideoFormat, pictures [][]byte, key func([]byte) bool) *clip {
	c := &clip{format: format, close: func() error { return nil }}
	duration := time.Duration(float64(time.Second) / format.GetFrameRateHz())
	for _, p := range pictures {
		isKey := key(p)
		c.frames = append(c.frames, frame{read: func() ([]byte, bool, error) { return p, isKey, nil }, duration: duration})
	}
	return c
}

func always([]byte) bool { return true }

// parseMJPEG splits a file of concatenated JPEGs.
func parseMJPEG(data []byte, config Config) (*clip, error) {
	var pictures [][]byte
	var first mjpeg.Picture
	for {
		p, rest, ok := mjpeg.Next(data)
		if !ok {
			break
		}
		if len(pictures) == 0 {
			first = p
		}
		if err := checkJPEG(p, first); err != nil {
			return nil, err
		}
		pictures, data = append(pictures, p.Data), rest
	}
	if len(pictures) == 0 {
		return nil, bad("it contains no JPEG")
	}
	format := &mediav1.VideoFormat{
		MediaType: media.JPEG, WidthPx: int32(first.Width), HeightPx: int32(first.Height), FrameRateHz: config.FrameRate,
	}
	return inMemory(format, pictures, always), nil
}

func checkJPEG(p, first mjpeg.Picture) error {
	switch {
	case p.Field:
		return bad("its pictures are interlaced fields (AVI1): convert it with ffmpeg -vf yadif -c:v mjpeg")
	case p.Depth != 8 || p.Components != 1 && p.Components != 3:
		return bad("its JPEGs have %d components of %d bits, but need 1 or 3 of 8 bits: convert it with ffmpeg -c:v mjpeg "+
			"-pix_fmt yuvj420p",
			p.Components, p.Depth)
	case p.Width != first.Width || p.Height != first.Height:
		return bad("its pictures differ in size, %dx%d and %dx%d: convert it with ffmpeg -vf scale=%d:%d -c:v mjpeg",
			first.Width, first.Height, p.Width, p.Height, first.Width, first.Height)
	}
	return nil
}

// parseY4M parses YUV4MPEG2 with 8 bit 4:2:0 pictures.
func parseY4M(data []byte, _ Config) (*clip, error) {
	header, rest, _ := bytes.Cut(data, []byte("\n"))
	format, err := y4mFormat(string(header))
	if err != nil {
		return nil, err
	}
	if err := media.Validate(format); err != nil {
		return nil, bad("%v", err)
	}
	size := media.FrameSize(format)
	var pictures [][]byte
	for len(rest) > 0 {
		tag, after, _ := bytes.Cut(rest, []byte("\n"))
		if !bytes.HasPrefix(tag, []byte("FRAME")) || len(after) < size {
			break // cut off
		}
		pictures = append(pictures, after[:size:size])
		rest = after[size:]
	}
	return inMemory(format, pictures, always), nil
}

func y4mFormat(header string) (*mediav1.VideoFormat, error) {
	fields := strings.Fields(header)
	if len(fields) == 0 || fields[0] != "YUV4MPEG2" {
		return nil, bad("it does not begin with YUV4MPEG2")
	}
	f := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420, FrameRateHz: defaultRate}
	for _, field := range fields[1:] {
		value := field[1:]
		switch field[0] {
		case 'W':
			f.WidthPx = number(value)
		case 'H':
			f.HeightPx = number(value)
		case 'F':
			f.FrameRateHz = ratio(value)
		case 'C':
			if !strings.HasPrefix(value, "420") || strings.HasPrefix(value, "420p1") {
				return nil, bad("its colours are %s: convert it to yuv420p", value)
			}
		case 'I':
			if value != "p" && value != "?" {
				return nil, bad("it is interlaced: deinterlace it first")
			}
		}
	}
	if !(f.FrameRateHz > 0) {
		return nil, bad("its frame rate is not a number")
	}
	return f, nil
}

// number parses a number; 0, which no format accepts, stands for anything else.
func number(s string) int32 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// ratio parses 30000:1001; 0 if it is malformed.
func ratio(s string) float64 {
	a, b, _ := strings.Cut(s, ":")
	if x, y := number(a), number(b); x > 0 && y > 0 {
		return float64(x) / float64(y)
	}
	return 0
}
