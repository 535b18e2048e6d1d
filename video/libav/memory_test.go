//go:build cgo && !nolibav

package libav

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// stream makes n frames of H.264, of which the first is a key frame.
func stream(t testing.TB, width, height, n int) (frames []frame) {
	t.Helper()
	e, err := openh264.NewEncoder(openh264.Config{Width: width, Height: height, Bitrate: 3_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range n {
		p, err := e.Encode(yuvtest.Grain(yuvtest.Picture(width, height, i), 4, uint64(i)), false, time.Duration(i)*interval)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame{p.Data, p.Key, i})
	}
	return frames
}

// resident is the memory of this process, in bytes.
func resident(t *testing.T) (bytes int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("SKIPPED: this system does not tell how much memory a process has:", err)
	}
	var size int
	if _, err := fmt.Sscan(string(status), &size, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes * os.Getpagesize()
}

// TestMemoryStays decodes ten thousand pictures with damaged ones among them, and opens and closes decoders.
func TestMemoryStays(t *testing.T) {
	all := clips(t)
	round := func(n int) {
		for i := range n {
			c := all[i%len(all)]
			frames := append([]frame(nil), c.frames...)
			frames[3].data = frames[3].data[:len(frames[3].data)/2]
			d := newDecoder(t, c.mediaType)
			for range 5 {
				play(d, frames)
			}
			_ = d.Close()
		}
	}
	round(2 * len(all))
	before := resident(t)
	const pictures = 10_000
	round(pictures / count / 5)
	if grown := resident(t) - before; grown > 16<<20 {
		t.Errorf("%d bytes more after %d pictures", grown, pictures)
	}
}
