package tracks

import (
	"sync/atomic"
	"time"
)

// counted is a path that counts what one track sends over it.
type counted struct {
	Path
	bytes atomic.Uint64
}

// Number implements [Path].
func (c *counted) Number(bytes int, now time.Time) uint16 {
	c.bytes.Add(uint64(bytes))
	return c.Path.Number(bytes, now)
}

// Again implements [Path].
func (c *counted) Again(number uint16, bytes int, now time.Time) {
	c.bytes.Add(uint64(bytes))
	c.Path.Again(number, bytes, now)
}

// Sent implements [Path].
func (c *counted) Sent(bytes int, now time.Time) {
	c.bytes.Add(uint64(bytes))
	c.Path.Sent(bytes, now)
}
