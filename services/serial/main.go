// Command waldo-serial runs one serial board of a robot: an Arduino that drives motors, a GPS, anything
// on a serial line. See waldo-serial --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/serial/serial"
)

func main() { device.Main(serial.Kind()) }
