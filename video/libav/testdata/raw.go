//go:build ignore

// Command raw writes the twelve pictures that make-clips encodes.
package main

import (
	"log"
	"os"

	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func main() {
	for i := range 12 {
		if _, err := os.Stdout.Write(yuvtest.Picture(96, 68, 8*i).Packed()); err != nil {
			log.Fatal(err)
		}
	}
}
