package pipeline

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/codectest"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
	"github.com/waldo-robot/waldo/video/source"
)

// studio makes the frames of one stream, picture by picture, without waiting for the time that they are of.
type studio struct {
	p       *Pipeline
	v       *variant
	sub     *stream.Subscription[output]
	picture func(number int) *media.I420
	number  int
	begin   time.Time
}

func newStudio(b *testing.B, s Stream, width, height int, picture func(int) *media.I420) *studio {
	b.Helper()
	p := New(Config{Bitrate: 2_000_000, Codecs: standard.Codecs()})
	m := newManual(i420(int32(width), int32(height), 30))
	p.attach(m)
	v, err := p.newVariant(b.Context(), s.key())
	if err != nil {
		b.Fatal(err)
	}
	st := &studio{p: p, v: v, picture: picture, begin: time.Now()}
	st.sub, _ = v.subscribe(1)
	b.Cleanup(func() { v.closeEncoder(); v.Close(); p.Close() })
	return st
}

// made is one frame.
type made struct {
	at    time.Duration
	bytes int
	key   bool
	lines int
}

// play makes what comes of so much time.
func (st *studio) play(b *testing.B, d time.Duration) (frames []made) {
	b.Helper()
	for end := st.number + int(d.Seconds()*30); st.number < end; st.number++ {
		at := time.Duration(st.number) * time.Second / 30
		c := &capture{frame: source.Frame{Format: st.p.info.Current, Time: st.begin.Add(at), Picture: st.picture(st.number),
			Key: true}, number: int64(st.number), orientation: codec.Orientation{}, codecs: st.p.config.Codecs,
			metrics: st.p.metrics}
		o, wanted := st.v.wants(c)
		if !wanted {
			continue
		}
		if err := st.v.make(context.Background(), c, o); err != nil {
			b.Fatal(err)
		}
		if out, ok := st.sub.TryNext(); ok {
			frames = append(frames, made{at, len(out.frame.GetData()), out.frame.GetKeyFrame(),
				int(out.frame.GetFormat().GetHeightPx())})
		}
	}
	return frames
}

func rate(frames []made, d time.Duration) float64 {
	sum := 0
	for _, f := range frames {
		sum += f.bytes
	}
	return 8 * float64(sum) / d.Seconds()
}

// BenchmarkLimit drops a stream of 2 Mbit/s to a limit.
func BenchmarkLimit(b *testing.B) {
	card, err := testcard.New(1280, 720, testcard.Config{Animated: true})
	if err != nil {
		b.Fatal(err)
	}
	films := map[string]func(int) *media.I420{
		"card": func(n int) *media.I420 {
			img := media.NewI420(1280, 720)
			card.Render(img, time.Unix(0, 0).Add(time.Duration(n)*time.Second/30), 0)
			return img
		},
		"grass": codectest.NewScene(1280, 720, 2.5).Picture,
		"night": codectest.NewScene(1280, 720, 9).Picture,
	}
	for _, mediaType := range []string{media.H264, media.VP8} {
		for _, film := range []string{"card", "grass", "night"} {
			for _, limit := range []int64{1_000_000, 810_000, 500_000, 310_000, 200_000} {
				b.Run(fmt.Sprintf("%s/%s/%dk", media.Name(mediaType), film, limit/1000), func(b *testing.B) {
					for b.Loop() {
						benchLimit(b, Stream{MediaType: mediaType}, limit, films[film])
					}
				})
			}
		}
	}
}

func benchLimit(b *testing.B, s Stream, limit int64, film func(int) *media.I420) {
	st := newStudio(b, s, 1280, 720, film)
	before := st.play(b, 3*time.Second)
	if _, err := st.p.LimitBitrate(s, limits.Limit{Holder: "a", Bitrate: limit, TTL: limits.MaxTTL}); err != nil {
		b.Fatal(err)
	}
	first := st.play(b, time.Second)
	middle := st.play(b, 2*time.Second)
	st.v.requestKey()
	later := st.play(b, 5*time.Second)
	gap, last := time.Duration(0), later[0].at
	key := 0.0
	for _, f := range later {
		gap, last = max(gap, f.at-last), f.at
	}
	for _, f := range slices.Concat(first, middle, later) {
		if f.key {
			key = max(key, float64(8*f.bytes)/(float64(limit)/float64(len(later))*5))
		}
	}
	b.ReportMetric(rate(before, 3*time.Second)/1000, "kbit/s-before")
	b.ReportMetric(rate(first, time.Second)/float64(limit), "first-second/limit")
	b.ReportMetric(rate(later, 5*time.Second)/float64(limit), "later/limit")
	b.ReportMetric(float64(len(first)), "fps-first")
	b.ReportMetric(float64(len(later))/5, "fps-later")
	b.ReportMetric(float64(later[len(later)-1].lines), "lines")
	b.ReportMetric(float64(gap.Milliseconds()), "gap-ms")
	b.ReportMetric(key, "key/mean")
}

// BenchmarkSmall has the CPU time of a stream and of its small version, which is scaled from the same pictures.
func BenchmarkSmall(b *testing.B) {
	film := codectest.NewScene(1280, 720, 2.5)
	pictures := make([]*media.I420, 30)
	for i := range pictures {
		pictures[i] = film.Picture(i)
	}
	there := func(n int) *media.I420 { // and back, so that it goes on without a jump
		if n %= 2 * len(pictures); n >= len(pictures) {
			n = 2*len(pictures) - 1 - n
		}
		return pictures[n]
	}
	for _, mediaType := range []string{media.H264, media.VP8} {
		b.Run(media.Name(mediaType), func(b *testing.B) {
			spent := func(small bool) float64 {
				const seconds = 4
				st := newStudio(b, Stream{MediaType: mediaType, Small: small}, 1280, 720, there)
				st.play(b, time.Second)
				before := st.p.metrics.spent.Load()
				st.play(b, seconds*time.Second)
				return float64(st.p.metrics.spent.Load()-before) / seconds / float64(time.Second)
			}
			for b.Loop() {
				usual, small := spent(false), spent(true)
				b.ReportMetric(100*usual, "%-of-a-core")
				b.ReportMetric(100*small, "%-small")
				b.ReportMetric(small/usual, "small/usual")
			}
		})
	}
}
