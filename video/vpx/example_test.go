//go:build cgo

package vpx_test

import (
	"fmt"
	"log"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/vpx"
)

func Example() {
	encoder, err := vpx.NewEncoder(vpx.Config{Width: 321, Height: 241, Bitrate: 500_000})
	if err != nil {
		log.Fatal(err)
	}
	defer encoder.Close()

	picture := media.NewI420(321, 241)
	for i := range 3 {
		viewerJoins := i == 2
		packet, err := encoder.Encode(picture, viewerJoins, time.Second/30)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("key frame:", packet.Key)
	}
	// Output:
	// key frame: true
	// key frame: false
	// key frame: true
}
