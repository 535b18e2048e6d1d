package pipeline

import (
	"bytes"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// recorded is when the pictures of a replay were captured.
var recorded = time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)

// tape plays a recording by hand.
type tape struct {
	unasked
	frames []source.Frame
}

func newTape(t *testing.T, n int) *tape {
	src, frames := native(t, n)
	return &tape{unasked{src}, frames}
}

// seek shows the picture n, which depends on all before it.
func (p *tape) seek(t *testing.T, epoch int64, n int) {
	t.Helper()
	f := p.at(epoch, n)
	for i := range n {
		f.Replay.Lead = append(f.Replay.Lead, p.at(epoch, i))
	}
	p.give(t, f)
}

// at is picture n, replayed now.
func (p *tape) at(epoch int64, n int) source.Frame {
	f := p.frames[n]
	f.Time = time.Now()
	f.Replay = &source.Replay{Captured: recorded.Add(time.Duration(n) * time.Second / 30), Epoch: epoch}
	return f
}

// again shows picture n once more.
func (p *tape) again(t *testing.T, epoch int64, n int) {
	t.Helper()
	f := p.at(epoch, n)
	f.Replay.Again = true
	p.give(t, f)
}

// stand shows picture n again and again until read has returned.
func (p *tape) stand(t *testing.T, epoch int64, n int, read func() (*mediav1.VideoFrame, error)) *mediav1.VideoFrame {
	t.Helper()
	made := make(chan *mediav1.VideoFrame)
	go func() {
		f, err := read()
		if err != nil {
			t.Error(err)
		}
		made <- f
	}()
	for end := time.After(patience); ; {
		f := p.at(epoch, n)
		f.Replay.Again = true
		select {
		case f := <-made:
			return f
		case p.manual.frames <- f:
		case <-end:
			t.Fatal("there was no picture")
		}
	}
}

// shows checks which picture of the recording a frame is.
func shows(t *testing.T, f *mediav1.VideoFrame, epoch, sequence int64, n int) {
	t.Helper()
	want := recorded.Add(time.Duration(n) * time.Second / 30)
	if f.GetEpoch() != epoch || f.GetSequence() != sequence || !f.GetCaptureTime().AsTime().Equal(want) {
		t.Errorf("frame %d of epoch %d shows %v, want %d of %d and %v", f.GetSequence(), f.GetEpoch(),
			f.GetCaptureTime().AsTime(), sequence, epoch, want)
	}
	if age := time.Since(media.Moment(f)); age < 0 || age > patience {
		t.Errorf("its place was reached %v ago", age)
	}
}

// A replay that goes to a place shows the picture there, to those who decode and to those for whom it is decoded, and
// no reader misses anything that the picture depends on.
func TestReplayGoesToAPlace(t *testing.T) {
	src := newTape(t, 60)
	r := run(t, src, Config{})
	src.expect(t, true)
	passed, vp8 := r.open(t, h264()), r.open(t, &mediav1.VideoFormat{MediaType: media.VP8})
	for epoch, place := range []int{50, 3} { // more frames than wait for a reader
		epoch := int64(epoch) + 7
		src.seek(t, epoch, place)
		for n := range place + 1 {
			f := next(t, passed)
			shows(t, f, epoch, int64(n), n)
			if f.GetKeyFrame() != (n == 0) || !bytes.Equal(f.GetData(), src.frames[n].Data) {
				t.Errorf("frame %d is not what was recorded", n)
			}
		}
		f := next(t, vp8)
		shows(t, f, epoch, 0, place)
		if !f.GetKeyFrame() {
			t.Error("a new epoch does not begin with a key frame")
		}
		src.give(t, src.at(epoch, place+1))
		shows(t, next(t, passed), epoch, int64(place)+1, place+1)
		shows(t, next(t, vp8), epoch, 1, place+1)
	}
}

// Who comes while a replay stands still gets the picture it stands at, in whatever format, and nobody else gets
// anything.
func TestReplayStandsStill(t *testing.T) {
	src := newTape(t, 8)
	r := run(t, src, Config{})
	src.expect(t, true)
	first := r.open(t, h264())
	src.seek(t, 7, 4)
	for range 5 {
		next(t, first)
	}
	late := r.open(t, h264())
	for n := range 5 {
		shows(t, next(t, late), 7, int64(n), n)
	}
	jpeg, vp8 := r.open(t, &mediav1.VideoFormat{MediaType: media.JPEG}),
		r.open(t, &mediav1.VideoFormat{MediaType: media.VP8})
	src.again(t, 7, 4)
	shows(t, next(t, jpeg), 7, 0, 4)
	shows(t, next(t, vp8), 7, 0, 4)
	another := r.open(t, &mediav1.VideoFormat{MediaType: media.VP8})
	if f := src.stand(t, 7, 4,
		func() (*mediav1.VideoFrame, error) { return another.Next(t.Context()) }); !f.GetKeyFrame() {
		t.Error("the second reader does not begin with a key frame")
	}
	src.give(t, src.at(7, 5))
	shows(t, next(t, first), 7, 5, 5)
	shows(t, next(t, late), 7, 5, 5)
	shows(t, next(t, jpeg), 7, 1, 5) // it had that picture, and did not get it again
}

// A single picture is to be had while a replay stands still.
func TestStillOfAReplay(t *testing.T) {
	src := newTape(t, 3)
	r := run(t, src, Config{})
	src.expect(t, true)
	src.seek(t, 7, 2)
	shows(t, src.stand(t, 7, 2, func() (*mediav1.VideoFrame, error) {
		return r.CaptureOne(t.Context(), &mediav1.VideoFormat{MediaType: media.JPEG})
	}), 7, 2, 2)
}
