//go:build cgo

package openh264_test

import (
	"fmt"
	"log"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/openh264"
)

func Example() {
	encoder, err := openh264.NewEncoder(openh264.Config{Width: 320, Height: 240, Bitrate: 500_000})
	if err != nil {
		log.Fatal(err)
	}
	defer encoder.Close()
	decoder := openh264.NewDecoder()
	defer decoder.Close()

	picture := media.NewI420(320, 240)
	for i := range 3 {
		viewerJoins := i == 2
		packet, err := encoder.Encode(picture, viewerJoins, time.Duration(i)*time.Second/30)
		if err != nil {
			log.Fatal(err)
		}
		decoded, err := decoder.Decode(packet.Data)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("key frame:", packet.Key, "picture:", decoded.Width, decoded.Height)
	}
	// Output:
	// key frame: true picture: 320 240
	// key frame: false picture: 320 240
	// key frame: true picture: 320 240
}
