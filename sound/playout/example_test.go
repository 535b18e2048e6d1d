package playout_test

import (
	"context"
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
)

func Example() {
	mixer, err := playout.New(playout.Config{Rate: 48000, Channels: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mixer.Close()
	// A program says something, in a format of its own.
	feed, err := mixer.Open("doorbell", &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: pcm.S16LE,
		SampleRateHz: 48000, Channels: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer feed.Close()
	if err := feed.Write(context.Background(), &mediav1.AudioFrame{Data: make([]byte, 2*4800)}); err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range mixer.Talkers() {
		fmt.Println(t.GetName(), "is talking")
	}
	// The callback of the speaker does this.
	block := make([]float32, 480)
	for feed.Played() < 100*time.Millisecond {
		mixer.Read(block)
	}
	fmt.Println(feed.Played(), "were played")
	// Output:
	// doorbell is talking
	// 100ms were played
}
