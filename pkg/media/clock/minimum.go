package clock

import "time"

// grain is how exact the windows are: arrivals closer together are one point. It bounds what is kept.
const grain = 50 * time.Millisecond

type point struct{ a, offset time.Duration }

// minimum is the smallest offset of a time that moves on. Its points rise, the first is the smallest.
type minimum struct{ points []point }

// add takes note of an offset and returns the smallest of the time before.
func (m *minimum) add(a, offset, window time.Duration) time.Duration {
	n := len(m.points)
	for n > 0 && m.points[n-1].offset >= offset {
		n--
	}
	m.points = m.points[:n]
	if n == 0 || a-m.points[n-1].a >= grain {
		m.points = append(m.points, point{a, offset})
	}
	old := 0
	for old < len(m.points)-1 && a-m.points[old].a > window {
		old++
	}
	m.points = m.points[:copy(m.points, m.points[old:])]
	return m.points[0].offset
}

func (m *minimum) forget() { m.points = m.points[:0] }

func (m *minimum) value() (time.Duration, bool) {
	if len(m.points) == 0 {
		return 0, false
	}
	return m.points[0].offset, true
}
