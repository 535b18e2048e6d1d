package linktest

import (
	"errors"
	"fmt"
)

// Link is what is between a robot and somebody who drives it or watches: a line in each direction.
type Link struct {
	FromRobot *Line // pictures
	ToRobot   *Line // commands, and reports of what has arrived
}

// NewLink starts a link. The seed decides all that is random on both lines.
func NewLink(p Profile, seed uint64) (*Link, error) {
	from, err := NewLine(p.FromRobot, seed)
	if err != nil {
		return nil, fmt.Errorf("FromRobot: %w", err)
	}
	to, err := NewLine(p.ToRobot, ^seed)
	if err != nil {
		from.Close()
		return nil, fmt.Errorf("ToRobot: %w", err)
	}
	return &Link{FromRobot: from, ToRobot: to}, nil
}

// Restart has both lines begin a profile, as [Line.Restart] does.
func (l *Link) Restart(p Profile) error {
	return errors.Join(l.FromRobot.Restart(p.FromRobot), l.ToRobot.Restart(p.ToRobot))
}

// Cut cuts both directions until Join.
func (l *Link) Cut() {
	l.FromRobot.Cut()
	l.ToRobot.Cut()
}

// Join ends Cut.
func (l *Link) Join() {
	l.FromRobot.Join()
	l.ToRobot.Join()
}

// Close ends both lines and waits for their goroutines.
func (l *Link) Close() {
	l.FromRobot.Close()
	l.ToRobot.Close()
}
