package camera

import (
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/preprocess"
	"github.com/waldo-robot/waldo/video/service"
)

// Config describes a camera. The zero value passes through what the source compresses, as the stream `video` if it is
// H.264.
type Config struct {
	Codecs      codec.Set        // what pictures are encoded and decoded with
	Streams     []service.Stream // on the bus, the usual one first; default: see Streams
	Orientation codec.Orientation
	Bitrate     int // of each stream, bit/s; 0 picks one for size and rate
	JPEGQuality int // 1 to 100; 0 means codec.DefaultJPEGQuality
	Preprocess  preprocess.Command
	// Joined is called when somebody begins to read a stream of the source's own frames that others read already. It must
	// not wait. Nil: frames never cease to come, so nobody wants to know.
	Joined func()
}

// Validate checks what robot.yaml says of every kind of camera, under the keys bitrate, jpegQuality, rotate and
// preprocess, where nothing is left to be picked. Errors name the key and the remedy.
func (c Config) Validate() error {
	rotate := c.Orientation.Rotate
	switch {
	case c.Bitrate < service.MinBitrate || c.Bitrate > service.MaxBitrate:
		return robot.BadField("bitrate", "%d is out of range: use %d to %d bit/s", c.Bitrate, service.MinBitrate,
			service.MaxBitrate)
	case c.JPEGQuality < 1 || c.JPEGQuality > 100:
		return robot.BadField("jpegQuality", "%d is out of range: use 1 to 100", c.JPEGQuality)
	case rotate != 0 && rotate != 90 && rotate != 180 && rotate != 270:
		return robot.BadField("rotate", "%d is invalid: use 0, 90, 180 or 270", rotate)
	case c.Preprocess.Given() && !c.Codecs.Encodes(media.Raw):
		return robot.BadField("preprocess", "this service passes pictures on as the camera compresses them, and cannot "+
			"decode them for a command: leave the key out, or run a service that was built with codecs")
	}
	return nil
}
