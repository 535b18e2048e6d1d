// Command livecam is a network camera for measuring: its pictures carry the time at which they were made (package
// pkg/media/stamp), painted before they are encoded. It sends H.264 of 1280x720 at 30 pictures a second and 2 Mbit/s by
// RTSP, with a key frame every 2 s, on every path, to any number of readers. It is pictures of one encoder that all of
// them get.
//
//	livecam -listen 127.0.0.1:8554     # rtsp://127.0.0.1:8554/any
//	livecam -key-on-play               # and a key frame for each new reader, as many cameras make one
//
// When it accepts connections it prints the time, in µs since 1970. The server is gortsplib's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/video/openh264"
)

const (
	width, height = 1280, 720
	rate          = 30
	bitrate       = 2_000_000
	group         = 2 * rate // pictures from one key frame to the next
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8554", "where RTSP listens, as host:port")
	keyOnPlay := flag.Bool("key-on-play", false, "make a key frame for each new reader")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *keyOnPlay); err != nil {
		fmt.Fprintln(os.Stderr, "livecam:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string, keyOnPlay bool) (err error) {
	c, err := newCamera()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.encoder.Close()) }()
	first, err := c.picture(time.Now())
	if err != nil {
		return err
	}
	s, err := serve(listen, first)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Println(time.Now().UnixMicro())
	if keyOnPlay {
		c.asked = &s.played
	}
	return c.film(ctx, s.send)
}

// camera makes pictures.
type camera struct {
	card    *testcard.Card
	noise   noise
	encoder *openh264.Encoder
	image   *media.I420
	count   int64
	asked   *atomic.Bool // for a key frame; nil if nobody can ask
}

func newCamera() (*camera, error) {
	card, err := testcard.New(width, height, testcard.Config{Name: "live", Animated: true})
	if err != nil {
		return nil, err
	}
	encoder, err := openh264.NewEncoder(openh264.Config{Width: width, Height: height, FrameRate: rate, Bitrate: bitrate})
	if err != nil {
		return nil, err
	}
	return &camera{card: card, noise: newNoise(), encoder: encoder, image: media.NewI420(width, height)}, nil
}

// picture makes the next picture, with its stamp.
func (c *camera) picture(now time.Time) ([]byte, error) {
	c.card.Render(c.image, now, c.count)
	c.noise.paint(c.image, c.count)
	asked := c.asked != nil && c.asked.Swap(false)
	p, err := c.encoder.Encode(c.image, asked || c.count%group == 0, time.Duration(c.count)*time.Second/rate)
	c.count++
	return p.Data, err
}

// film makes pictures at the rate until ctx ends.
func (c *camera) film(ctx context.Context, send func([]byte, time.Time) error) error {
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		data, err := c.picture(now)
		if err != nil {
			return err
		}
		if err := send(data, now); err != nil {
			return err
		}
	}
}
