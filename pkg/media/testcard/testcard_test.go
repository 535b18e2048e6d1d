package testcard

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
)

var noon = time.Date(2026, 11, 20, 12, 34, 56, 789_000_000, time.UTC)

func render(t testing.TB, w, h int, config Config, at time.Time, seq int64) *media.I420 {
	t.Helper()
	card, err := New(w, h, config)
	if err != nil {
		t.Fatal(err)
	}
	img := media.NewI420(w, h)
	card.Render(img, at, seq)
	return img
}

// TestEverySize looks for paint outside the picture and for luma outside video range.
func TestEverySize(t *testing.T) {
	sizes := [][2]int{{16, 16}, {16, 600}, {600, 16}, {17, 33}, {100, 100}, {159, 95}, {160, 96}, {161, 97},
		{320, 240}, {480, 640},
		{639, 479}, {640, 96}, {640, 480}, {1280, 720}, {1920, 1080}}
	for _, size := range sizes {
		for _, animated := range []bool{false, true} {
			t.Run(fmt.Sprint(size, animated), func(t *testing.T) {
				img := render(t, size[0], size[1], Config{Name: "a name that is far too long for so small a card",
					Animated: animated}, noon, 7)
				for i, v := range img.Y {
					if v < 16 || v > 235 {
						t.Fatalf("luma %d at %d,%d", v, i%size[0], i/size[0])
					}
				}
				s, ok := stamp.Read(img)
				if w, _ := stamp.Size(size[0], size[1]); ok != (w > 0) {
					t.Fatalf("stamp read: %v, room for one: %v", ok, w > 0)
				}
				if ok && (s.Sequence != 7 || !s.Time(noon).Equal(noon)) {
					t.Errorf("stamp %+v", s)
				}
			})
		}
	}
}

func TestImpossibleSizes(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {15, 480}, {640, 15}, {8193, 480}, {640, -1}} {
		if _, err := New(size[0], size[1], Config{}); err == nil {
			t.Errorf("%v: no error", size)
		}
	}
}

func TestSameArgumentsSamePicture(t *testing.T) {
	a := render(t, 640, 480, Config{Name: "front", Animated: true}, noon, 7)
	b := render(t, 640, 480, Config{Name: "front", Animated: true}, noon, 7)
	if !bytes.Equal(a.Packed(), b.Packed()) {
		t.Error("two cards painted different pictures")
	}
	// A card must not remember what it painted before.
	card, _ := New(640, 480, Config{Name: "front", Animated: true})
	card.Render(b, noon.Add(time.Hour), 900)
	card.Render(b, noon, 7)
	if !bytes.Equal(a.Packed(), b.Packed()) {
		t.Error("a frame depends on those before it")
	}
}

func TestOnlyAnimatedCardsMove(t *testing.T) {
	for _, animated := range []bool{false, true} {
		config := Config{Animated: animated}
		a, b := render(t, 640, 480, config, noon, 1), render(t, 640, 480, config, noon.Add(time.Second/30), 2)
		changed := 0
		for i := 96 * 640; i < 640*480; i++ { // below stamp and clock
			if a.Y[i] != b.Y[i] {
				changed++
			}
		}
		if moves := changed > 640*480/20; moves != animated || !animated && changed > 0 {
			t.Errorf("animated %v: %d pixels changed", animated, changed)
		}
	}
}

func TestNameIsShown(t *testing.T) {
	a, b := render(t, 640, 480, Config{Name: "front"}, noon, 1), render(t, 640, 480, Config{Name: "rear"}, noon, 1)
	if bytes.Equal(a.Y, b.Y) {
		t.Error("two names look the same")
	}
}

// TestWriteCards writes pictures for inspection to the directory named by WALDO_CARDS: ffplay -f
// rawvideo -video_size 640x480 …
func TestWriteCards(t *testing.T) {
	dir := os.Getenv("WALDO_CARDS")
	if dir == "" {
		t.Skip("set WALDO_CARDS to a directory to get pictures for inspection")
	}
	for _, size := range [][2]int{{320, 240}, {640, 480}, {1280, 720}, {1920, 1080}, {480, 640}} {
		img := render(t, size[0], size[1], Config{Name: "front", Animated: true}, noon, 4711)
		name := fmt.Sprintf("%s/card-%dx%d.yuv", dir, size[0], size[1])
		if err := os.WriteFile(name, img.Packed(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}, {1920, 1080}} {
		for _, animated := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx%d/animated=%v", size[0], size[1], animated), func(b *testing.B) {
				card, err := New(size[0], size[1], Config{Name: "front", Animated: animated})
				if err != nil {
					b.Fatal(err)
				}
				img := media.NewI420(size[0], size[1])
				for i := range b.N {
					card.Render(img, noon.Add(time.Duration(i)*time.Second/30), int64(i))
				}
			})
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for range b.N {
		if _, err := New(1280, 720, Config{Name: "front", Animated: true}); err != nil {
			b.Fatal(err)
		}
	}
}
