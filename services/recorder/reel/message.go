package reel

import (
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
)

// Message is a message to be recorded.
type Message struct {
	Channel  *recording.Channel
	At       time.Time // when it came, with the reading of the monotonic clock
	Captured time.Time // see [recording.Facts]
	Sequence int64
	Key      bool
	Data     []byte // not to be changed
}

// InterCoded reports whether messages of a channel can be read only from a key frame on.
func InterCoded(c *recording.Channel) bool { return c.Media != "" && media.InterCoded(c.Media) }

// controlState is the type of what actuators say of who drives them.
const controlState = "waldo.control.v1.ControlState"

// lasting reports whether the newest message of a channel still holds when another file begins.
func lasting(c *recording.Channel) bool {
	return c.Direction == recording.State || c.Direction == recording.Out && c.Type == controlState
}
