// Command offload lets another computer do a robot's thinking: it looks at the robot's camera, turns the robot towards
// the lightest part of the picture, and sends back a picture of what it saw. The README beside it explains it step by
// step.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"sync"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/video/decode"
	"github.com/waldo-robot/waldo/video/encode"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: offload <address of the robot's page>, for example http://127.0.0.1:8080/")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	robot, err := peer.Dial(ctx, os.Args[1], peer.Options{Token: os.Getenv("WALDO_TOKEN"), Name: "offload"})
	if err != nil {
		log.Fatal(err)
	}
	defer robot.Close()
	var work sync.WaitGroup
	defer work.Wait() // the lease is given back while there is a connection
	work.Go(func() {
		for state := range robot.States(ctx) {
			log.Print("the robot is ", state)
		}
	})
	var wheel wheel
	work.Go(func() { wheel.drive(ctx, robot.Device("motors")) })
	look(ctx, robot, &wheel)
}

// look computes on pictures, and sends back what it found, until ctx ends.
func look(ctx context.Context, robot *peer.Robot, w *wheel) {
	back := robot.Publish(ctx, "guest", peer.PublishOptions{})
	defer back.Close()
	encoder := encode.New(encode.Options{})
	defer encoder.Close()
	small := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420, WidthPx: 320, HeightPx: 240}
	for picture, err := range decode.Newest(ctx, robot.Camera("front"), decode.Options{Format: small}) {
		if err != nil {
			if ctx.Err() == nil {
				log.Print("no picture: ", err)
			}
			continue
		}
		at := lightest(picture)
		w.turn(at, picture.GetCaptureTime())
		mark(picture, at)
		if err := send(encoder, back, picture); err != nil {
			log.Print("the picture is not sent: ", err)
		}
	}
}

// send sends a picture into the robot, as a key frame if it needs one.
func send(encoder *encode.Encoder, back *peer.Publication, picture *mediav1.VideoFrame) error {
	key := false
	select {
	case <-back.KeyFrames():
		key = true
	default:
	}
	frame, err := encoder.Encode(picture, key)
	if err != nil || frame == nil {
		return err
	}
	return back.Video(frame)
}
