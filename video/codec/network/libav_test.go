//go:build !nolibav

package network

import (
	"bytes"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func TestH265AndMPEG4(t *testing.T) {
	for name, mediaType := range map[string]string{"main.h265": media.H265, "simple.m4v": media.MPEG4} {
		first := read(t, name) // up to the second frame
		cut := map[string][]byte{media.H265: {0, 0, 1, 35 << 1}, media.MPEG4: {0, 0, 1, 0xb6}}[mediaType]
		first = first[:8+bytes.Index(first[8:], cut)]
		if mediaType == media.MPEG4 {
			all := read(t, name)
			first = all[:len(first)+4+bytes.Index(all[len(first)+4:], cut)]
		}
		now := time.Now()
		img, at, err := openDecoder(t, mediaType).Decode(source.Frame{Data: first, Key: true, Time: now})
		if err != nil || img == nil || !at.Equal(now) || yuvtest.WorstPSNR(yuvtest.Picture(96, 68, 0), img) < 36 {
			t.Errorf("%s: %v, %v", mediaType, img != nil, err)
		}
	}
}

func TestJPEGThatTurbojpegRefuses(t *testing.T) {
	start := []byte{0xff, 0xd8, 0xff}
	data := bytes.Join([][]byte{nil, bytes.Split(read(t, "lossless.mjpeg"), start)[1]}, start)
	now := time.Now()
	img, at, err := openDecoder(t, media.JPEG).Decode(source.Frame{Data: data, Key: true, Time: now})
	if err != nil || !at.Equal(now) || yuvtest.WorstPSNR(yuvtest.Picture(96, 68, 0), img) < 36 {
		t.Errorf("got %v", err)
	}
	part := source.Frame{Data: data[:50], Key: true, Time: now}
	if img, _, err := openDecoder(t, media.JPEG).Decode(part); err == nil || img != nil {
		t.Errorf("a part of it gives %v, %v", img, err)
	}
}
