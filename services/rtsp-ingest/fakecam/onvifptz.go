package fakecam

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func number(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64) // what is no number does not move
	return f
}

// duration reads PT1.5S; 0 is none.
func duration(s string) time.Duration {
	d, _ := time.ParseDuration(strings.ToLower(strings.TrimPrefix(s, "PT"))) // what is none does not end
	return d
}

// carryOut changes the velocity.
func (c *ONVIFCamera) carryOut(pan, tilt, zoom float64, limit time.Duration) {
	c.state.Lock()
	defer c.state.Unlock()
	now := time.Now()
	c.expire(now)
	next := Motion{now, pan, tilt, zoom}
	stop := pan == 0 && tilt == 0 && zoom == 0
	if stop && c.ignored < c.config.PTZ.IgnoreStops {
		c.ignored++
		return
	}
	if stop && c.moves() {
		c.halted = now
	}
	c.motions = append(c.motions, next)
	c.until = time.Time{}
	switch {
	case stop:
		c.add(Stood)
	default:
		if limit > 0 && !c.config.PTZ.IgnoreTimeout {
			c.until = now.Add(limit)
		}
		c.add(Moved)
	}
}

// expire ends a movement whose time is over.
func (c *ONVIFCamera) expire(now time.Time) {
	if !c.until.IsZero() && now.After(c.until) {
		c.motions = append(c.motions, Motion{Time: c.until})
		c.halted, c.until = c.until, time.Time{}
	}
}

// Motions returns all changes of the velocity so far.
func (c *ONVIFCamera) Motions() []Motion {
	c.state.Lock()
	defer c.state.Unlock()
	c.expire(time.Now())
	return slices.Clone(c.motions)
}

// Moves tells whether the camera moves.
func (c *ONVIFCamera) Moves() bool {
	c.state.Lock()
	defer c.state.Unlock()
	c.expire(time.Now())
	return c.moves()
}

func (c *ONVIFCamera) moves() bool {
	if len(c.motions) == 0 {
		return false
	}
	last := c.motions[len(c.motions)-1]
	return last.Pan != 0 || last.Tilt != 0 || last.Zoom != 0
}

// status is the answer to GetStatus.
func (c *ONVIFCamera) status() string {
	if c.config.PTZ.NoStatus {
		return "<%pPTZStatus></%pPTZStatus>"
	}
	c.state.Lock()
	defer c.state.Unlock()
	c.expire(time.Now())
	word := "IDLE"
	if c.moves() || time.Since(c.halted) < c.config.PTZ.Coast {
		word = "MOVING"
	}
	return "<%pPTZStatus><%pMoveStatus><%pPanTilt>" + word + "</%pPanTilt><%pZoom>" + word +
		"</%pZoom></%pMoveStatus></%pPTZStatus>"
}
