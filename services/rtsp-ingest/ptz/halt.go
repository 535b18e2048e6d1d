package ptz

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

// halt stops the camera, as the package comment describes. It returns early for a command that came after the stop.
func (m *Mover) halt(ctx context.Context, p onvif.Profile) error {
	m.mu.Lock()
	least := 1
	if m.cut {
		least = stops
	}
	m.stopping, m.cut = false, false
	m.mu.Unlock()
	begin := time.Now()
	for sent := 1; ; sent++ {
		motion, err := m.stop(ctx, p)
		switch {
		case err != nil && (sent >= stops || ctx.Err() != nil):
			m.order()
			return err
		case err == nil && motion == onvif.MotionIdle && sent >= least,
			err == nil && motion == onvif.MotionUnknown && sent >= stops:
			m.stood(motion, time.Since(begin))
			return nil
		case err == nil && sent >= least && m.wanted():
			return nil
		}
		select {
		case <-ctx.Done():
			m.order()
			return ctx.Err()
		case <-time.After(time.Until(begin.Add(time.Duration(sent) * halted))):
		}
	}
}

// stop sends a stop in both forms, of which a camera must take one, and asks whether it stands.
func (m *Mover) stop(ctx context.Context, p onvif.Profile) (onvif.Motion, error) {
	err := m.config.Camera.Stop(ctx, p)
	if err2 := m.send(ctx, p, onvif.Velocity{}); err != nil && err2 != nil {
		return onvif.MotionUnknown, err2
	}
	motion, err := m.config.Camera.Motion(ctx, p)
	if err != nil && ctx.Err() == nil {
		motion = onvif.MotionUnknown // it has taken the stop, and tells nothing
	}
	return motion, ctx.Err()
}

// wanted tells whether a command waits that came after the stop.
func (m *Mover) wanted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending != nil && !m.stopping
}

// stood notes that the camera stands still, as far as it says, and how long that took.
func (m *Mover) stood(motion onvif.Motion, took time.Duration) {
	m.mu.Lock()
	m.moving = m.stopping
	m.mu.Unlock()
	m.change(func(s *State) {
		s.ReportsMotion = motion != onvif.MotionUnknown
		s.StopsWithin = max(s.StopsWithin, m.config.Deadman+took)
	})
}
