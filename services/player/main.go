// Command waldo-player plays a recording: it says where in it the devices are that replay it, see waldo-replay. See
// waldo-player --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/player/player"
)

func main() { device.Main(player.Kind()) }
