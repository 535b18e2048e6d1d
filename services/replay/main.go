// Command waldo-replay stands for one device of a recording: it serves and streams what that device did. See
// waldo-replay
// --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/replay/replay"
)

func main() { device.Main(replay.Kind()) }
