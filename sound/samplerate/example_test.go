package samplerate_test

import (
	"fmt"

	"github.com/waldo-robot/waldo/sound/samplerate"
)

func Example() {
	c, err := samplerate.New(1, samplerate.Fast)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	telephone, out := make([]float32, 8000), make([]float32, 48000)
	frames := 0
	for end := false; ; end = len(telephone) == 0 {
		used, made, err := c.Process(telephone, out, 48000.0/8000, end)
		if err != nil {
			fmt.Println(err)
			return
		}
		telephone = telephone[used:]
		if frames += made; end && made == 0 {
			break
		}
	}
	fmt.Println("a second at 8 kHz became", frames, "samples at 48 kHz")
	// Output: a second at 8 kHz became 48000 samples at 48 kHz
}
