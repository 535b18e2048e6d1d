package service

import (
	"time"

	"github.com/waldo-robot/waldo/services/serial/codec"
)

// command is a message to a board that moves something. It implements [actuator.Command] and [actuator.Described].
type command struct {
	*Service
	payload []byte
}

// Neutral implements [actuator.Command].
func (c command) Neutral() bool { return c.Writer.Same(c.payload, c.Safe) }

// Speed implements [actuator.Command]. Only messages with numbers can be slowed.
func (c command) Speed() (share float64, ok bool) {
	if s, can := c.Writer.(codec.Slower); can {
		return s.Speed(c.payload, c.Safe, c.FullScale)
	}
	return 1, false
}

// CarryOut implements [actuator.Command].
func (c command) CarryOut(factor float64, expiry time.Time) {
	payload := c.payload
	if s, can := c.Writer.(codec.Slower); can {
		payload = s.Slow(payload, c.Safe, factor)
	}
	c.Board.Command(payload, expiry)
}

// JSON implements [actuator.Described].
func (c command) JSON() string { return c.Writer.JSON(c.payload) }
