package peer

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// keepAlive has something come to the slot, by the bus, until the end of the test: a busy machine may need longer for
// 64 MiB than a slot may be silent.
func (p *program) keepAlive() {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan struct{})
	p.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_ = p.conn.Publish(p.address.In("microphone"), &mediav1.AudioFrame{Epoch: p.epoch})
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
}

// attempt publishes a picture of 64 MiB or more over and over until the call ends, or until ok reports true, and
// returns how it ended. On a busy machine that takes longer than a slot may be silent: the slot is kept, and if the
// whole process stood still for so long, there is another attempt.
func (w *world) attempt(f *mediav1.VideoFrame, ok func() bool) (err error) {
	w.t.Helper()
	for begun := time.Now(); time.Since(begun) < 4*timeout; {
		p := w.publish("lamp", true).begun()
		p.keepAlive()
		stop, ended := p.play(f), make(chan error, 1)
		go func() { ended <- p.end() }()
		for err = nil; err == nil && !ok(); {
			select {
			case err = <-ended:
			case <-time.After(5 * time.Millisecond):
			}
		}
		p.cancel()
		stop()
		if status.Code(err) != codes.DeadlineExceeded {
			break
		}
	}
	return err
}

// What is too large is refused, and the largest picture is taken.
func TestLargeSteps(t *testing.T) {
	w := start(t, Defaults())
	never := func() bool { return false }
	for tall, want := range map[int32]struct {
		code codes.Code
		text string
	}{
		5464: {codes.InvalidArgument, "scale the picture down"},         // 36 KB too much
		8190: {codes.ResourceExhausted, "received message larger than"}, // which gRPC does not even read
	} {
		f := &mediav1.VideoFrame{Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420,
			WidthPx: 8192, HeightPx: tall}}
		f.Data = make([]byte, media.FrameSize(f.Format))
		if err := w.attempt(f, never); status.Code(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%d rows: %v", tall, err)
		}
	}
	wide := ""
	err := w.attempt(rawFrame(media.PixelI420, 8192, 5460), func() bool { // just below 64 MiB
		wide = w.process.Kit().Device().GetAttributes()["width_px"]
		return w.ready()()
	})
	if err != nil || wide != "8192" {
		t.Errorf("%v, and it is %q wide", err, wide)
	}
}
