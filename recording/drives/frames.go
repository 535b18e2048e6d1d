package drives

import (
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	// maxFrames bounds how many of the newest pictures of a camera are remembered: 22 s of three streams at 30 a second.
	maxFrames = 2000
	// exact is how far the time that a driver names may be from the capture time of the picture: pages know it in
	// milliseconds.
	exact = time.Millisecond
)

// frames are pictures that drivers may have seen, by camera.
type frames map[string][]frame

type frame struct {
	Frame
	captured time.Time
}

// add notes a picture.
func (f *frames) add(m read.Message, fields recording.Fields) {
	facts := fields.Read(m.Data)
	if facts.Captured.IsZero() {
		return
	}
	if *f == nil {
		*f = frames{}
	}
	camera := m.Channel.Waldo.Device
	all := (*f)[camera]
	all = append(all, frame{Frame{camera, m.Channel.Waldo.Stream, facts.Epoch, facts.Sequence}, facts.Captured})
	if len(all) > 2*maxFrames {
		all = append([]frame(nil), all[len(all)-maxFrames:]...)
	}
	(*f)[camera] = all
}

// find returns the picture that was captured at a time, of the camera, or if that is not known, of the only one that
// has such a picture. Of the streams of a camera, the one with the shortest name is meant: the others are made from it.
func (f frames) find(camera string, at time.Time) *Frame {
	var found *frame
	for name, all := range f {
		if camera != "" && name != camera {
			continue
		}
		for i := len(all) - 1; i >= 0; i-- {
			one := &all[i]
			if one.captured.Sub(at).Abs() > exact {
				continue
			}
			switch {
			case found == nil:
				found = one
			case found.Camera != one.Camera:
				return nil // it may be either
			case len(one.Stream) < len(found.Stream),
				one.Stream == found.Stream && one.captured.Sub(at).Abs() < found.captured.Sub(at).Abs():
				found = one
			}
		}
	}
	if found == nil {
		return nil
	}
	return &found.Frame
}
