// Command waldo-camera runs one camera of a robot: a V4L2 device, a recorded video, a test card or a simulation. See
// waldo-camera --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/camera/camera"
)

func main() { device.Main(camera.Kind()) }
