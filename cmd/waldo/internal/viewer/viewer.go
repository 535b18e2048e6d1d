package viewer

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

// Config says what to show. Rate and Stream may be empty.
type Config struct {
	Conn    *bus.Conn
	Address bus.Address
	Token   string         // for gRPC
	Rate    float64        // the most pictures in a second; 0 means all
	Stream  string         // that is read over the bus; empty: gRPC if it is reachable, else the first that carries JPEG
	Say     func(string)   // tells people what has changed, from any goroutine
	Window  *window.Window // where pictures are shown
}

// redrawEvery is how often the line is renewed while no picture comes.
const redrawEvery = 250 * time.Millisecond

// Run shows the camera until ctx ends, or people end the window. The error says that the display has gone.
func Run(ctx context.Context, c Config) error {
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	line, err := newCaption()
	if err != nil {
		return err
	}
	width, height := c.Window.Size()
	r := newReader(c, width, height)
	v := &viewer{reader: r, window: c.Window, line: line}
	pictures := r.frames.Subscribe(stream.Latest().Within(maxAge))
	owned.Go(func() { r.run(ctx) })
	owned.Go(func() { r.watch(ctx) })
	owned.Go(func() {
		select {
		case <-c.Window.Done():
		case <-ctx.Done():
		}
		cancel()
	})
	for ctx.Err() == nil {
		if err := v.step(ctx, pictures); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if c.Window.Gone() {
		return errors.New("the display has gone")
	}
	return nil
}

// viewer draws. It is used by one goroutine.
type viewer struct {
	reader *reader
	window *window.Window
	line   *caption

	picture *window.Picture
	img     *image.RGBA    // the newest one; nil before the first
	capture time.Time      // of img, or when its replay came to it
	broken  string         // why the newest picture is not img
	drawn   [256]time.Time // when the last pictures were taken
	next    int
}

// step draws the next picture, or the last one again if none comes.
func (v *viewer) step(ctx context.Context, pictures *stream.Subscription[*mediav1.VideoFrame]) error {
	wait, cancel := context.WithTimeout(ctx, redrawEvery)
	defer cancel()
	frame, err := pictures.Next(wait)
	switch {
	case err == nil:
		v.take(frame)
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	width, height := v.window.Size()
	v.reader.resize(width, height)
	if v.picture == nil || v.picture.Width != width || v.picture.Height != height {
		v.picture = window.NewPicture(width, height)
	}
	if v.img != nil {
		paint(v.picture, v.img)
	} else {
		clear(v.picture.Pix)
	}
	v.line.write(v.picture, v.caption(time.Now()))
	return v.window.Show(v.picture)
}

// take decodes a picture. One that cannot be is left out.
func (v *viewer) take(f *mediav1.VideoFrame) {
	img, err := decode(f, v.img)
	if err != nil {
		if v.broken == "" {
			v.broken = v.reader.Address.Device + ": a picture cannot be shown: " + text.Printable(err.Error())
			v.reader.Say(v.broken)
		}
		return
	}
	v.broken = ""
	v.img, v.capture = img, media.Moment(f)
	v.drawn[v.next%len(v.drawn)] = time.Now()
	v.next++
}

// caption is the line that is shown.
func (v *viewer) caption(now time.Time) string {
	name := v.reader.Address.Device
	why, last := v.reader.why()
	switch {
	case why == "" && v.broken != "":
		return v.broken
	case v.img == nil && why == "":
		return "waiting for " + name
	case v.img == nil:
		return why
	case why != "":
		return fmt.Sprintf("%s; last picture %.0f s ago", why, now.Sub(last).Seconds())
	case now.Sub(last) > silence:
		return fmt.Sprintf("%s: no picture for %.0f s", name, now.Sub(last).Seconds())
	}
	return fmt.Sprintf("%s  %dx%d  %d fps  %s old", name, v.img.Rect.Dx(), v.img.Rect.Dy(), v.rate(now),
		age(now.Sub(v.capture)))
}

// rate is how many pictures were drawn in the last second.
func (v *viewer) rate(now time.Time) (n int) {
	for _, at := range v.drawn {
		if !at.IsZero() && now.Sub(at) < time.Second {
			n++
		}
	}
	return n
}

// age is how old a picture is, if the clocks of both machines agree.
func age(d time.Duration) string {
	switch {
	case d < 0 || d > time.Hour:
		return "? (the clocks differ)"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
