//go:build cgo

package turbojpeg_test

import (
	"fmt"
	"log"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/turbojpeg"
)

func Example() {
	jpeg, err := turbojpeg.Encode(media.NewI420(640, 480), 80)
	if err != nil {
		log.Fatal(err)
	}
	picture, err := turbojpeg.Decode(jpeg)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(picture.Width, picture.Height)
	// Output: 640 480
}
