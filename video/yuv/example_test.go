//go:build cgo

package yuv_test

import (
	"fmt"
	"log"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv"
)

// A camera that hangs upside down sends YUYV; a small upright picture is wanted.
func Example() {
	fromCamera := make([]byte, 640*480*2)
	picture, upright, small := media.NewI420(640, 480), media.NewI420(640, 480), media.NewI420(320, 240)
	if err := yuv.YUYVToI420(picture, fromCamera, 0); err != nil {
		log.Fatal(err)
	}
	if err := yuv.Rotate(upright, picture, 180); err != nil {
		log.Fatal(err)
	}
	if err := yuv.Scale(small, upright, yuv.Box); err != nil {
		log.Fatal(err)
	}
	fmt.Println(small.Width, small.Height)
	// Output: 320 240
}
