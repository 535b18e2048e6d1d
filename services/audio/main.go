// Command waldo-audio runs one microphone and one speaker of a robot: a sound card, a tone, a file. See waldo-audio
// --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/audio/audio"
)

func main() { device.Main(audio.Kind()) }
