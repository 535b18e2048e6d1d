package work

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/text"
)

// group is the queue group of a track.
func group(track string) string { return "track." + track }

// check returns an error that names what cannot be part of a subject, if any.
func check(camera bus.Address, track string) error {
	if !text.IsName(track) {
		return fmt.Errorf("track: %.80q is not a name: use 1 to 63 lower-case letters, digits and inner hyphens", track)
	}
	return camera.Validate()
}
