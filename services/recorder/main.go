// Command waldo-recorder records what a robot's devices produce and are sent. See waldo-recorder --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

func main() { device.Main(recorder.Kind()) }
