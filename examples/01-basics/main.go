// Command 01-basics prints what a robot's camera sees, one line a picture: 01-basics http://127.0.0.1:8080/. The README
// beside it explains it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/video/decode"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: 01-basics <address of the robot's page>, for example http://127.0.0.1:8080/")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	robot, err := peer.Dial(ctx, os.Args[1], peer.Options{Token: os.Getenv("WALDO_TOKEN"), Name: "01-basics"})
	if err != nil {
		log.Fatal(err)
	}
	defer robot.Close()
	gray := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}
	for picture, err := range decode.Newest(ctx, robot.Camera("front"), decode.Options{Format: gray}) {
		if err != nil {
			log.Print("no picture: ", err) // the next one comes after the next key frame
			continue
		}
		size := picture.GetFormat()
		fmt.Printf("%d: %d x %d, brightness %.1f, %d ms old\n", picture.GetSequence(), size.GetWidthPx(), size.GetHeightPx(),
			brightness(picture), time.Since(picture.GetCaptureTime().AsTime()).Milliseconds())
	}
}

// brightness is the mean of an I420 picture's luma, 0 to 255: a byte for each pixel, before everything else.
func brightness(picture *mediav1.VideoFrame) float64 {
	luma := picture.GetData()[:picture.GetFormat().GetWidthPx()*picture.GetFormat().GetHeightPx()]
	sum := 0
	for _, y := range luma {
		sum += int(y)
	}
	return float64(sum) / float64(len(luma))
}
