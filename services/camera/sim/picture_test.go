package sim

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
)

// TestWritePictures leaves pictures to look at in the directory named by WALDO_PICTURES.
func TestWritePictures(t *testing.T) {
	dir := os.Getenv("WALDO_PICTURES")
	if dir == "" {
		t.Skip("set WALDO_PICTURES to a directory to get pictures to look at")
	}
	world := simworld.New()
	f, a := newFront(world, defaultWidth, defaultHeight), newAbove(world, defaultWidth, defaultHeight)
	for name, pose := range map[string]simworld.Pose{
		"start": start, "left": {X: 1, Y: 3, Heading: 1.1}, "doorway": {X: 4.2, Y: 3},
		"pillar": {X: 2.7, Y: 3.7, Heading: 0.2},
		"crates": {X: 2.6, Y: 2.2, Heading: -1.9}, "back": {X: 5.8, Y: 2.8, Heading: 2.8},
		"bricks": {X: 5.2, Y: 4.2, Heading: -0.5},
		"corner": {X: 1.6, Y: 4.6, Heading: 2.3},
	} {
		writePNG(t, filepath.Join(dir, "front-"+name+".png"), painted(f, moment{pose: pose}))
	}
	trail := make([]place, 0, trailLength)
	for x := 1.0; x < 3.5; x += trailSpacing {
		trail = append(trail, place{x, 3 + 0.1*(x-1)*(x-1)})
	}
	m := moment{pose: simworld.Pose{X: 3.5, Y: 3.6, Heading: 0.46}, trail: trail}
	writePNG(t, filepath.Join(dir, "above.png"), painted(a, m))
	for name, v := range map[string]view{"front": f, "above": a} {
		p := painted(v, m)
		newNotice(defaultWidth, defaultHeight, "no reports from motors").paint(p)
		writePNG(t, filepath.Join(dir, "stale-"+name+".png"), p)
	}
}

func writePNG(t *testing.T, name string, p *media.I420) {
	t.Helper()
	full := func(plane []byte, black, span, to int) []byte { // from video range
		out := make([]byte, len(plane))
		for i, v := range plane {
			out[i] = byte(max(0, min(255, to+(int(v)-black)*255/span)))
		}
		return out
	}
	img := &image.YCbCr{
		Y: full(p.Y, 16, 219, 0), Cb: full(p.U, 128, 224, 128), Cr: full(p.V, 128, 224,
			128), YStride: p.StrideY, CStride: p.StrideC,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, p.Width, p.Height),
	}
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, img); err != nil {
		t.Fatal(err)
	}
}
